"""One call of ccxt as seen from outside: whether anything was sent, what was answered, and at whose priority."""

import contextvars
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from opensqt.connector.ccxt_venue.budget import Priority

Throttle = Callable[[float, Priority], Awaitable[None]]


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

    class Observed(exchange):  # type: ignore[misc]
        budget_gate: Throttle | None = None

        async def throttle(self, cost: float | None = None) -> None:
            call = current_call.get()
            if self.budget_gate is not None:
                await self.budget_gate(1.0 if cost is None else float(cost), call.priority if call else Priority.READ)

        async def fetch(self, *args: Any, **kwargs: Any) -> Any:
            call = current_call.get()
            if call is not None:
                call.sent, call.status, call.headers, call.body = True, 0, {}, None
            return await super().fetch(*args, **kwargs)

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
            call = current_call.get()
            if call is not None:
                call.status, call.headers, call.body = (
                    code,
                    {key.lower(): value for key, value in headers.items()},
                    response,
                )
            return super().handle_errors(
                code, reason, url, method, headers, body, response, request_headers, request_body
            )

        @staticmethod
        def sum(*args: Any) -> Any:
            # ccxt's own leaves strings out, which are our numbers: its sums of fees would be zero.
            if any(isinstance(arg, str) for arg in args):
                return str(sum((Decimal(str(arg)) for arg in args if arg is not None), Decimal(0)))
            return exchange.sum(*args)

    Observed.__name__ = exchange.__name__
    return Observed
