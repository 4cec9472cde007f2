"""One call of ccxt as seen from outside: whether anything was sent, what was answered, and at whose priority."""

import asyncio
import contextvars
import itertools
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from opensqt.connector.ccxt_venue.budget import Priority
from opensqt.connector.ccxt_venue.delivery import remembering

Throttle = Callable[[float, Priority, str], Awaitable[None]]
Headers = Mapping[str, str]

REQUEST_LIFE_MS = 5_000
"""How long after it was made a request that changes something may still be taken, where the exchange can be told so."""


@dataclass(slots=True)
class Call:
    """`status` is 0 where no answer came; `body` is the answer's JSON; the times are our clock's."""

    priority: Priority
    sent: bool = False
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    sent_ns: int = 0
    answered_ns: int = 0


@dataclass(frozen=True, slots=True)
class Request:
    """The endpoint of a request, and how many orders it has where each counts for itself."""

    endpoint: str = ""
    items: int = 1


NO_REQUEST = Request()
current_call: contextvars.ContextVar[Call | None] = contextvars.ContextVar("current_call", default=None)
connections_used: contextvars.ContextVar[dict[str, Any] | None] = contextvars.ContextVar(
    "connections_used", default=None
)
"""By address, of the stream that is followed."""
current_request: contextvars.ContextVar[Request] = contextvars.ContextVar("current_request", default=NO_REQUEST)


def observed(exchange: type[Any]) -> type[Any]:  # noqa: C901 - the methods of one class
    """The exchange's class with its requests noted in `current_call` and its rate limiter replaced by `budget_gate`."""

    # Only now: the loader decides what the packages above it hold.
    from ccxt.async_support.base.ws.client import MSG_SIZE_OVERHEAD, Client  # noqa: PLC0415

    remembering_client = remembering(Client, MSG_SIZE_OVERHEAD)

    class Observed(exchange):  # type: ignore[misc]
        budget_gate: Throttle | None = None
        heard: Callable[[str, Headers], None] | None = None
        batches_count_items: bool = False
        weights: Mapping[str, float] = MappingProxyType({})
        expiry_header: str = ""
        log_in_ended: Callable[[Any], bool] | None = None

        def handle_message(self, client: Any, message: Any) -> None:
            if self.log_in_ended is not None and self.log_in_ended(message):
                self.clients.pop(client.url, None)
                asyncio.ensure_future(client.close())  # noqa: RUF006 - it ends with its connection
            else:
                super().handle_message(client, message)

        def watch(self, url: str, *arguments: Any, **named: Any) -> Any:
            return _on_the_same_connection(self, url, lambda: super(Observed, self).watch(url, *arguments, **named))

        def watch_multiple(self, url: str, *arguments: Any, **named: Any) -> Any:
            return _on_the_same_connection(
                self, url, lambda: super(Observed, self).watch_multiple(url, *arguments, **named)
            )

        def on_close(self, client: Any, error: Any) -> None:
            # ccxt's own forgets whatever client its address has: the successor of one that ends late would go on
            # unknown, subscribed to everything beside a third.
            if (self.clients or {}).get(client.url) is client:
                super().on_close(client, error)

        def open(self, lazy: bool = False) -> None:
            super().open(lazy)
            # aiohttp sends a DELETE, which cancels orders, again when a connection that was open is lost over it.
            self.session._retry_connection = False  # noqa: SLF001

        async def fetch2(
            self, path: str, api: Any = "public", method: str = "GET", params: Any = None, config: Any = None
        ) -> Any:
            area = ".".join(api) if isinstance(api, list | tuple) else str(api)
            items = _items(params) if self.batches_count_items else 1
            token = current_request.set(Request(f"{method} {area} {path}", items))
            try:
                return await super().fetch2(path, api, method, {} if params is None else params, config or {})
            finally:
                current_request.reset(token)

        async def throttle(self, cost: float | None = None) -> None:
            call, request = current_call.get(), current_request.get()
            if self.budget_gate is not None:
                weight = self.weights.get(request.endpoint, 1.0 if cost is None else float(cost)) * request.items
                await self.budget_gate(weight, call.priority if call else Priority.READ, request.endpoint)

        async def fetch(self, url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
            _note_request()
            return await super().fetch(url, method, _expiring(self, method, headers), body)

        def handle_errors(  # noqa: PLR0917 - as ccxt calls it
            self,
            code: int,
            reason: str,
            url: str,
            method: str,
            headers: Any,
            body: str,
            response: Any,
            request_headers: Any,
            request_body: Any,
        ) -> Any:
            _note_answer(code, headers, response)
            if self.heard is not None:
                self.heard(current_request.get().endpoint, {name.lower(): value for name, value in headers.items()})
            return super().handle_errors(
                code, reason, url, method, headers, body, response, request_headers, request_body
            )

        def client(self, url: str) -> Any:
            client = super().client(url)
            if type(client) is Client:
                client.__class__ = remembering_client
            return client

        def filter_by_value_since_limit(  # noqa: PLR0917 - as ccxt calls it
            self,
            array: Any,
            field: Any,
            value: Any = None,
            since: Any = None,
            limit: Any = None,
            key: Any = "timestamp",
            tail: bool = False,
        ) -> Any:
            # ccxt's own reads all that it has kept of a stream, a thousand orders, for each message of it.
            if tail and limit and since is None and value is not None:
                return _newest(array, field, value, limit)
            return super().filter_by_value_since_limit(array, field, value, since, limit, key, tail)

        @staticmethod
        def sum(*args: Any) -> Any:
            # ccxt's own leaves strings out, which are our numbers: its sums of fees would be zero.
            return _string_sum(args) if any(isinstance(arg, str) for arg in args) else exchange.sum(*args)

    Observed.__name__ = exchange.__name__
    return Observed


def _on_the_same_connection(exchange: Any, url: str, watch: Callable[[], Any]) -> Any:
    """ccxt tells of a lost connection only who waits for its next message just then. Anybody else it would connect
    anew without a word, and what came in between would be missing.
    """
    used = connections_used.get()
    if used is not None and any(exchange.clients.get(address) is not client for address, client in used.items()):
        raise ConnectionError("the connection was lost between two messages")
    future = watch()
    if used is not None:
        used[url] = exchange.clients[url]
    return future


def _newest(entries: Any, field: Any, value: Any, limit: int) -> list[Any]:
    """The last `limit` entries with this value, oldest first."""
    found = list(itertools.islice((entry for entry in reversed(entries) if entry.get(field) == value), limit))
    found.reverse()
    return found


def _expiring(exchange: Any, method: str, headers: Any) -> Any:
    """With a deadline: an order that is still on its way when its client id is looked up must not arrive later."""
    if not exchange.expiry_header or method == "GET":
        return headers
    return {**(headers or {}), exchange.expiry_header: str(exchange.nonce() + REQUEST_LIFE_MS)}


def _note_request() -> None:
    call = current_call.get()
    if call is not None:
        call.sent, call.status, call.headers, call.body = True, 0, {}, None
        call.sent_ns = time.time_ns()


def _note_answer(status: int, headers: Mapping[str, str], body: Any) -> None:
    call = current_call.get()
    if call is not None:
        call.status, call.body, call.answered_ns = status, body, time.time_ns()
        call.headers = {name.lower(): value for name, value in headers.items()}


def _items(params: Any) -> int:
    """Of a batch: OKX's body is a list, Bybit's has one."""
    batch = params.get("request") if isinstance(params, dict) else params
    return max(1, len(batch)) if isinstance(batch, list) else 1


def _string_sum(values: Sequence[Any]) -> str:
    return str(sum((Decimal(str(value)) for value in values if value is not None), Decimal(0)))
