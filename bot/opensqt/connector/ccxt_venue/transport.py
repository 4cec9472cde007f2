"""One call of ccxt as seen from outside: whether anything was sent, what was answered, and at whose priority."""

import contextvars
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from opensqt.connector.ccxt_venue.budget import Priority
from opensqt.connector.ccxt_venue.delivery import remembering

Throttle = Callable[[float, Priority], Awaitable[None]]

REQUEST_LIFE_MS = 5_000
"""How long after it was made a request that changes something may still be taken, where the exchange can be told so."""


@dataclass(slots=True)
class Call:
    """`status` is 0 where no answer came; `body` is the answer's JSON."""

    priority: Priority
    sent: bool = False
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None


current_call: contextvars.ContextVar[Call | None] = contextvars.ContextVar("current_call", default=None)


def observed(exchange: type[Any]) -> type[Any]:
    """The exchange's class with its requests noted in `current_call` and its rate limiter replaced by `budget_gate`."""

    # Only now: the loader decides what the packages above it hold.
    from ccxt.async_support.base.ws.client import Client  # noqa: PLC0415

    remembering_client = remembering(Client)

    class Observed(exchange):  # type: ignore[misc]
        budget_gate: Throttle | None = None
        expiry_header: str = ""

        def open(self, lazy: bool = False) -> None:
            super().open(lazy)
            # aiohttp sends a DELETE, which cancels orders, again when a connection that was open is lost over it.
            self.session._retry_connection = False  # noqa: SLF001

        async def throttle(self, cost: float | None = None) -> None:
            call = current_call.get()
            if self.budget_gate is not None:
                await self.budget_gate(1.0 if cost is None else float(cost), call.priority if call else Priority.READ)

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
            return super().handle_errors(
                code, reason, url, method, headers, body, response, request_headers, request_body
            )

        def client(self, url: str) -> Any:
            client = super().client(url)
            if type(client) is Client:
                client.__class__ = remembering_client
            return client

        @staticmethod
        def sum(*args: Any) -> Any:
            # ccxt's own leaves strings out, which are our numbers: its sums of fees would be zero.
            return _string_sum(args) if any(isinstance(arg, str) for arg in args) else exchange.sum(*args)

    Observed.__name__ = exchange.__name__
    return Observed


def _expiring(exchange: Any, method: str, headers: Any) -> Any:
    """With a deadline: an order that is still on its way when its client id is looked up must not arrive later."""
    if not exchange.expiry_header or method == "GET":
        return headers
    return {**(headers or {}), exchange.expiry_header: str(exchange.nonce() + REQUEST_LIFE_MS)}


def _note_request() -> None:
    call = current_call.get()
    if call is not None:
        call.sent, call.status, call.headers, call.body = True, 0, {}, None


def _note_answer(status: int, headers: Mapping[str, str], body: Any) -> None:
    call = current_call.get()
    if call is not None:
        call.status, call.body = status, body
        call.headers = {name.lower(): value for name, value in headers.items()}


def _string_sum(values: Sequence[Any]) -> str:
    return str(sum((Decimal(str(value)) for value in values if value is not None), Decimal(0)))
