"""A paper exchange in the test's process, over its own books, that can die and come back."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from opensqt.api.connector import ExchangeConnector
from opensqt.connector import wire
from opensqt.connector.paper.books import trades_before
from opensqt.connector.paper.lockstep import Lockstep
from opensqt.connector.paper.venue import PaperVenue
from opensqt.connector.venue import Failure, NewOrder, VenueError, VenueFill, VenueOrder
from opensqt.engine.events import Remedy
from opensqt.paper.v1 import paper_pb2 as pb
from tests.connector.grid_player import GridPlayer

SYMBOL = "BTC/USDT:USDT"
UID = "5f0c0000-0000-4000-8000-0000000000aa"
T = TypeVar("T")


def write_candles(path: Path, rows: Sequence[tuple[float, float, float, float]], start: int = 1_640_995_200) -> Path:
    """One-minute candles of open, high, low and close."""
    lines = ["timestamp,open,high,low,close,volume"]
    lines += [f"{start + 60 * minute},{','.join(map(str, prices))},100" for minute, prices in enumerate(rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


def market(symbol: str = SYMBOL, path: Path | None = None, **fields: Any) -> dict[str, Any]:
    source = {"candles": {"path": str(path)}} if path else {"model": {"seed": 5, "days": 1}}
    return {"symbol": symbol, **source, **fields}


def connector(*markets: dict[str, Any], uid: str = UID, **paper: Any) -> ExchangeConnector:
    return ExchangeConnector.model_validate(
        {
            "metadata": {"name": "paper", "uid": uid},
            "spec": {"exchange": "paper", "paper": {"markets": list(markets), **paper}},
        }
    )


class World:
    """`venue` is the instance that lives now; `deaths` counts those that have died of their books."""

    def __init__(self, resource: ExchangeConnector, dsn: str, lockstep: Sequence[str] = ()) -> None:
        self._resource = resource
        self._dsn = dsn
        self._uids = lockstep
        self._dead = asyncio.Event()
        self.deaths = 0
        self.lockstep = Lockstep(self._uids)
        self.venue = self._venue()

    def _venue(self) -> PaperVenue:
        lockstep = self.lockstep if self._uids else None
        return PaperVenue(self._resource, self._dsn, lockstep=lockstep, fatal=self._die)

    async def open(self) -> None:
        self._dead = asyncio.Event()
        self.lockstep = Lockstep(self._uids)
        self.venue = self._venue()
        await self.venue.open()

    async def close(self) -> None:
        await self.venue.close()

    async def revive(self) -> None:
        """Another instance takes over from one that has died, or is made to die now."""
        self.deaths += 1
        await self.close()
        await self.open()

    def _die(self, _message: str) -> None:
        self._dead.set()

    async def alive(self, call: Callable[[], Awaitable[T]]) -> T:
        """The answer to a question, asked again of the next instance where one dies over it."""
        while True:
            try:
                return await call()
            except VenueError as error:
                if error.failure.remedy not in {Remedy.LOOK_UP, Remedy.RETRY}:
                    raise
                if self._dead.is_set():
                    await self.revive()
                await asyncio.sleep(0.001)

    async def surely_placed(self, orders: Sequence[NewOrder]) -> None:
        """Places orders as a bot does: what is in doubt is looked up, what is unknown is sent again under its id."""
        for order in orders:
            while isinstance(outcome := await self._place(order), Failure):
                assert outcome.remedy in {Remedy.LOOK_UP, Remedy.RETRY, Remedy.DUPLICATE}, outcome
                if await self.known(order.client_id):
                    break

    async def _place(self, order: NewOrder) -> VenueOrder | Failure:
        try:
            return (await self.venue.place([order]))[0]
        except VenueError as error:
            if self._dead.is_set():
                await self.revive()
            return error.failure

    async def known(self, client_id: str) -> bool:
        try:
            await self.alive(lambda: self.venue.order(SYMBOL, client_id))
        except VenueError as error:
            if error.failure.remedy is Remedy.UNKNOWN_ORDER:
                return False
            raise
        return True

    async def play(
        self, player: GridPlayer, uid: str, *, quiet: bool = True, jitter: Callable[[], float] | None = None
    ) -> int:
        """Plays to the end of the data, skipping what is quiet; returns how many steps the player was told."""
        step = told = 0
        started = False
        while True:
            request = pb.AdvanceRequest(bot_uid=uid, symbol=player.symbol, client_id_prefix=player.prefix, step=step)
            if quiet and started:
                request.quiet_above, request.quiet_below = "0", "1000000000"
            answer = await self.alive(lambda request=request: self.lockstep.advance(request))  # type: ignore[misc]
            told += 1
            step = answer.step
            if jitter is not None:
                await asyncio.sleep(jitter())
            orders = [] if started else player.start(Decimal(answer.price))
            started = True
            for update in answer.updates:
                if update.HasField("fill"):
                    orders += player.fill(wire.fill_from_proto(update.fill))
            if answer.ended:
                return told
            await self.surely_placed(orders)

    async def result(self, symbol: str = SYMBOL) -> tuple[list[VenueFill], Any, Any, list[VenueOrder]]:
        """All that the exchange has of it; its trades are counted from 1, as in every other world."""
        before = trades_before(self._resource.metadata.uid)
        fills = await self.venue.fills(symbol, 0)
        return (
            [replace(fill, trade_id=str(int(fill.trade_id) - before)) for fill in fills],
            await self.venue.account(),
            await self.venue.positions([symbol]),
            await self.venue.open_orders(symbol),
        )
