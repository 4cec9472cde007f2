"""A venue whose answers the test scripts, and which says how it was called."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from typing import Any

from opensqt.connector.venue import (
    Account,
    Capabilities,
    Failure,
    FundingPayment,
    Gap,
    Kline,
    MarketProgress,
    NewOrder,
    OrderUpdate,
    Position,
    Price,
    SymbolRules,
    VenueError,
    VenueFill,
    VenueHealth,
    VenueOrder,
)
from opensqt.engine.actions import OrderSide, TimeInForce
from opensqt.engine.events import OrderState, Remedy

SYMBOL = "BTC/USDT:USDT"
READY = VenueHealth(True, "Ready", "", markets=(MarketProgress(SYMBOL, 3, 8, 77, ended=False),))
RULES = SymbolRules(
    SYMBOL, "BTC", "USDT", Decimal("0.1"), Decimal("0.001"), Decimal("0.001"), Decimal(5), Decimal(0), Decimal(0), 50,
    Decimal(1000), Decimal(120),
)  # fmt: skip
ACCOUNT = Account("USDT", Decimal(1000), Decimal(900), Decimal(990), 5)
POSITION = Position(SYMBOL, Decimal("-0.5"), Decimal(100), Decimal(10), 3, 5)


def order(client_id: str, state: OrderState = OrderState.OPEN) -> VenueOrder:
    return VenueOrder(
        SYMBOL, client_id, "v" + client_id, OrderSide.BUY, Decimal("99.5"), Decimal(1), Decimal(0), state, False,
        TimeInForce.GTC, 5,
    )  # fmt: skip


def fill(client_id: str, trade_id: str = "1") -> VenueFill:
    return VenueFill(
        SYMBOL, client_id, trade_id, OrderSide.BUY, Decimal("99.5"), Decimal(1), Decimal("0.02"), "USDT", True, 6
    )


class ScriptedVenue:
    """`answers[call]` is a value, an exception to raise, or a function of the call's arguments."""

    name = "scripted"

    def __init__(self) -> None:
        self.capabilities = Capabilities(True, True, True, place_batch_limit=3, cancel_batch_limit=2)
        self.answers: dict[str, Any] = {
            "account": ACCOUNT,
            "positions": [POSITION],
            "place": lambda orders: [order(new.client_id) for new in orders],
            "cancel": lambda _, ids: [order(client_id, OrderState.CANCELLED) for client_id in ids],
            "prepare": None,
            "funding": [],
        }
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        self._health = READY
        self._health_changed = asyncio.Event()
        self._queues: dict[tuple[str, str], list[asyncio.Queue[Any]]] = {}

    def become(self, health: VenueHealth) -> None:
        self._health = health
        self._health_changed.set()
        self._health_changed = asyncio.Event()

    def bring(self, kind: str, subject: str, item: Any) -> None:
        for queue in self._queues.get((kind, subject), ()):
            queue.put_nowait(item)

    def watched(self, kind: str, subject: str = SYMBOL) -> int:
        """How many upstream subscriptions there are."""
        return len(self._queues.get((kind, subject), ()))

    def called(self, name: str) -> list[tuple[Any, ...]]:
        return [arguments for call, arguments in self.calls if call == name]

    def _answer(self, name: str, *arguments: Any) -> Any:
        self.calls.append((name, arguments))
        answer = self.answers[name]
        answer = answer(*arguments) if callable(answer) else answer
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    def health(self) -> VenueHealth:
        return self._health

    async def health_changed(self) -> None:
        await self._health_changed.wait()

    async def symbols(self, symbols: Sequence[str]) -> list[SymbolRules]:
        if unknown := [symbol for symbol in symbols if symbol != SYMBOL]:
            raise VenueError(Failure(Remedy.FIX_REQUEST, f"symbol: {unknown[0]} is unknown"))
        return [RULES]

    async def account(self) -> Account:
        return self._answer("account")  # type: ignore[no-any-return]

    async def positions(self, symbols: Sequence[str]) -> list[Position]:
        return self._answer("positions", list(symbols))  # type: ignore[no-any-return]

    async def order(self, symbol: str, client_id: str) -> tuple[VenueOrder, list[VenueFill]]:
        return self._answer("order", symbol, client_id)  # type: ignore[no-any-return]

    async def open_orders(self, symbol: str) -> list[VenueOrder]:
        return self._answer("open_orders", symbol)  # type: ignore[no-any-return]

    async def fills(self, symbol: str, since_us: int) -> list[VenueFill]:
        return self._answer("fills", symbol, since_us)  # type: ignore[no-any-return]

    async def klines(self, symbol: str, interval: str, limit: int) -> list[Kline]:
        return self._answer("klines", symbol, interval, limit)  # type: ignore[no-any-return]

    async def funding(self, symbol: str, since_us: int) -> list[FundingPayment]:
        return list(self._answer("funding", symbol, since_us))

    async def prepare(self, symbol: str, leverage: int) -> None:
        self._answer("prepare", symbol, leverage)

    async def place(self, orders: Sequence[NewOrder]) -> list[VenueOrder | Failure]:
        return self._answer("place", list(orders))  # type: ignore[no-any-return]

    async def cancel(self, symbol: str, client_ids: Sequence[str]) -> list[VenueOrder | Failure]:
        return self._answer("cancel", symbol, list(client_ids))  # type: ignore[no-any-return]

    def watch_prices(self, symbols: Sequence[str]) -> AsyncIterator[Price | Gap]:
        return self._watch("prices", symbols[0])

    def watch_klines(self, symbols: Sequence[str], interval: str) -> AsyncIterator[Kline | Gap]:
        return self._watch("klines", f"{symbols[0]} {interval}")

    def watch_orders(self, symbols: Sequence[str]) -> AsyncIterator[OrderUpdate | Gap]:
        return self._watch("orders", symbols[0])

    def watch_account(self) -> AsyncIterator[Account | Gap]:
        return self._watch("account", "")

    def watch_positions(self, symbols: Sequence[str]) -> AsyncIterator[Position | Gap]:
        return self._watch("positions", symbols[0])

    def _watch(self, kind: str, subject: str) -> AsyncIterator[Any]:
        queue: asyncio.Queue[Any] = asyncio.Queue()
        self._queues.setdefault((kind, subject), []).append(queue)
        return self._drain(queue, (kind, subject))

    async def _drain(self, queue: asyncio.Queue[Any], key: tuple[str, str]) -> AsyncIterator[Any]:
        try:
            while True:
                yield await queue.get()
        finally:
            self._queues[key].remove(queue)
