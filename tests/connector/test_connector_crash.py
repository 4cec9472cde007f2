"""The paper exchange dies, at every point and by kill -9: nothing that it has said or done is lost or done twice."""

import asyncio
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from decimal import Decimal
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import asyncpg
import pytest

from opensqt.connector.client import Caller, ExchangeClient, Step
from opensqt.connector.paper import venue as paper_venue
from opensqt.connector.paper.books import Books, Commit, trades_before
from opensqt.connector.venue import Failure, NewOrder, VenueError, VenueFill, VenueOrder
from opensqt.engine.actions import OrderSide, TimeInForce
from opensqt.engine.events import OrderState, Remedy
from tests.connector.eventually import eventually
from tests.connector.grid_player import GridPlayer
from tests.connector.paper_world import SYMBOL, World, connector, market, write_candles
from tests.runtime.processes import CONNECTOR_UID, Ports, Running, free_ports, paper_process

T = TypeVar("T")
BOT = "bot-a"
IN_PARTS = {"fillShare": "0.0013", "minNotional": "0"}
"""Of 25 a price: 0.0325, so that an order of 0.1 fills at four prices, and what is made of its parts whole."""


def candles(tmp_path: Path, minutes: int = 240) -> Path:
    """A lively market that goes up and down."""
    random, price, rows = Random(3), 1000, []  # noqa: S311 - a market
    for _ in range(minutes):
        close = price + random.randint(-25, 25)
        rows.append((price, max(price, close) + random.randint(0, 9), min(price, close) - random.randint(0, 9), close))
        price = close
    return write_candles(tmp_path / "lively.csv", rows)


def player() -> GridPlayer:
    return GridPlayer(SYMBOL, "oa", Decimal(10), Decimal("0.1"), levels=8)


class DiedError(Exception):
    pass


class MortalBooks(Books):
    """Dies at one of its commits, counted over all instances: before it is made, or before the word of it."""

    commits = 0
    dies_at = -1
    made = False

    async def commit(self, commit: Commit) -> None:
        cls = type(self)
        cls.commits += 1
        if cls.commits != cls.dies_at:
            await super().commit(commit)
            return
        if cls.made:
            await super().commit(commit)
        raise DiedError


async def played(dsn: str, resource: Any, uid: str) -> tuple[Any, int]:
    world = World(resource, dsn, lockstep=[uid])
    await world.open()
    try:
        await world.play(player(), uid)
        return await world.result(), world.deaths
    finally:
        await world.close()


@pytest.mark.parametrize("made", [False, True], ids=["before the commit", "after the commit"])
async def test_a_death_at_any_commit_changes_nothing(
    postgres_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: bool
) -> None:
    monkeypatch.setattr(paper_venue, "Books", MortalBooks)
    lively = market(path=candles(tmp_path, minutes=5), **IN_PARTS)
    MortalBooks.commits, MortalBooks.dies_at = 0, -1
    undisturbed, deaths = await played(postgres_dsn, connector(lively, uid="undisturbed"), BOT)
    points = MortalBooks.commits
    assert deaths == 0
    assert points > 20
    filled = Counter(fill.client_id for fill in undisturbed[0])
    assert min(filled.values()) == 1
    assert max(filled.values()) > 2
    for point in range(1, points + 1):
        MortalBooks.commits, MortalBooks.dies_at, MortalBooks.made = 0, point, made
        result, deaths = await played(postgres_dsn, connector(lively, uid=f"dies-{point}"), BOT)
        assert deaths == 1
        assert result == undisturbed, f"died at commit {point} of {points}"


class Mortal:
    """A connector process that is killed and started again, and a client that asks until it is answered."""

    def __init__(self, stack: AsyncExitStack, start: Callable[[Ports], Any]) -> None:
        self._stack = stack
        self._start = start
        self._ports = free_ports()
        self._starting = asyncio.Lock()
        self.process: Running | None = None
        self.kills = 0
        self.steps = 0

    async def start(self) -> None:
        self.process = await self._stack.enter_async_context(self._start(self._ports))
        self.client = ExchangeClient(f"127.0.0.1:{self._ports[0]}")
        self._stack.push_async_callback(self.client.close)
        await self.answered(self.ready)

    async def ready(self) -> None:
        health = (await self.client.status()).health
        if not health.ready:
            raise VenueError(Failure(Remedy.RETRY, health.message))

    async def ended(self) -> None:
        """Raises `VenueError` until the market is at its end."""
        if not (await self.client.status()).health.markets[0].ended:
            raise VenueError(Failure(Remedy.RETRY, "the market goes on"))

    async def kill(self) -> None:
        assert self.process is not None
        self.kills += 1
        await self.process.end(signal.SIGKILL)
        self.process = await self._stack.enter_async_context(self._start(self._ports))

    async def answered(self, ask: Callable[[], Awaitable[T]], *, seconds: float = 120) -> T:
        async with asyncio.timeout(seconds):
            while True:
                try:
                    return await ask()
                except VenueError as error:
                    if error.failure.remedy not in {Remedy.RETRY, Remedy.LOOK_UP}:
                        raise
                    await asyncio.sleep(0.02)

    async def order(self, client_id: str) -> tuple[VenueOrder, list[VenueFill]]:
        return await self.answered(lambda: self.client.order(SYMBOL, client_id))

    async def known(self, client_id: str) -> bool:
        try:
            await self.order(client_id)
        except VenueError as error:
            if error.failure.remedy is Remedy.UNKNOWN_ORDER:
                return False
            raise
        return True

    async def surely_placed(self, caller: Caller, orders: list[NewOrder]) -> None:
        """In one batch; what is in doubt is looked up, what is unknown is sent again under its id."""
        missing = orders
        while missing:
            try:
                outcomes = await self.client.place(caller, missing)
            except VenueError as error:
                outcomes = [error.failure] * len(missing)
                await asyncio.sleep(0.02)
            doubtful = [order for order, outcome in zip(missing, outcomes, strict=True) if isinstance(outcome, Failure)]
            missing = [order for order in doubtful if not await self.known(order.client_id)]


async def play(mortal: Mortal, grid: GridPlayer) -> None:
    step, started = 0, False
    while True:
        quiet = (Decimal(0), Decimal(10**9)) if started else None

        async def ask(step: int = step, quiet: Any = quiet) -> Step:
            return await mortal.client.advance(BOT, SYMBOL, grid.prefix, step, quiet)

        answer = await mortal.answered(ask)
        step = answer.number
        mortal.steps += 1
        orders = []
        if not started and answer.price is not None:
            orders, started = grid.start(answer.price), True
        for update in answer.updates:
            if isinstance(update, VenueFill):
                orders += grid.fill(update)
        if answer.ended:
            return
        await mortal.surely_placed(Caller(BOT, 1), orders)


async def results(mortal: Mortal) -> Any:
    return (
        await mortal.client.account(),
        await mortal.client.positions([SYMBOL]),
        await mortal.client.open_orders(SYMBOL, ""),
    )


async def fills_in_books(dsn: str, uid: str = CONNECTOR_UID) -> list[Any]:
    connection = await asyncpg.connect(dsn)
    try:
        query = (
            "SELECT f.* FROM paper.fills f JOIN paper.accounts a ON a.id = f.account WHERE a.uid = $1 ORDER BY trade"
        )
        return list(await connection.fetch(query, uid))
    finally:
        await connection.close()


def counted(rows: list[Any]) -> list[int]:
    """Which of the account's trades these are, from 1."""
    return [row["trade"] - trades_before(CONNECTOR_UID) for row in rows]


async def test_kill_9_again_and_again_changes_nothing(postgres_dsn: str, tmp_path: Path) -> None:
    path = candles(tmp_path)
    undisturbed, _ = await played(postgres_dsn, connector(market(path=path), uid="undisturbed"), BOT)
    random = Random(11)  # noqa: S311 - when to kill
    log = tmp_path / "connector.log"
    async with AsyncExitStack() as stack:
        mortal = Mortal(
            stack,
            lambda ports: paper_process(postgres_dsn, [market(path=path)], log, lockstep=(BOT,), ports=ports),
        )
        await mortal.start()
        playing = asyncio.create_task(play(mortal, player()))
        while not playing.done() and mortal.kills < 8:
            # Some deaths come right after the start, some in the middle of the trading.
            enough = mortal.steps + random.randint(0, 6)
            await eventually(lambda enough=enough: playing.done() or mortal.steps >= enough)  # type: ignore[misc]
            await mortal.kill()
            await mortal.answered(mortal.ready)
        await playing
        assert mortal.kills == 8
        fills, account, positions, open_orders = undisturbed
        assert await results(mortal) == (account, positions, open_orders)
        assert [int(fill.trade_id) for fill in fills] == counted(await fills_in_books(postgres_dsn))
        placed = await mortal.client.place(Caller(BOT, 1), [replacement(fills[0].client_id)])
        assert isinstance(placed[0], Failure)
        assert placed[0].remedy is Remedy.DUPLICATE


def replacement(client_id: str) -> NewOrder:
    return NewOrder(SYMBOL, client_id, OrderSide.BUY, Decimal(500), Decimal(1), False, TimeInForce.GTC)


class Crowd:
    """Bots that place, cancel and listen all the while; it keeps what they were told."""

    def __init__(self, mortal: Mortal) -> None:
        self._mortal = mortal
        self._random = Random(5)  # noqa: S311 - sides, prices and pauses
        self.accepted: dict[str, NewOrder] = {}
        self.cancelled: set[str] = set()
        self.heard: dict[str, VenueFill] = {}

    async def listen(self) -> None:
        while True:
            try:
                async for message in self._mortal.client.watch_orders(SYMBOL, ""):
                    if isinstance(message.update, VenueFill):
                        fill = message.update
                        assert self.heard.setdefault(fill.trade_id, fill) == fill
            except VenueError:
                await asyncio.sleep(0.02)

    async def trade(self, bot: int) -> None:
        numbers = count(1)
        while True:
            batch = [self._order(f"o{bot}x{next(numbers)}") for _ in range(self._random.randint(1, 6))]
            try:
                await self._place_and_cancel(Caller(f"bot-{bot}", 1), batch)
            except VenueError:
                await asyncio.sleep(0.02)

    async def _place_and_cancel(self, caller: Caller, batch: list[NewOrder]) -> None:
        outcomes = await self._mortal.client.place(caller, batch)
        sure = [order for order, outcome in zip(batch, outcomes, strict=True) if not isinstance(outcome, Failure)]
        self.accepted.update((order.client_id, order) for order in sure)
        gone = [order.client_id for order in sure if self._random.random() < 0.3]
        if gone:
            answers = await self._mortal.client.cancel(caller, SYMBOL, gone)
            self.cancelled.update(answer.client_id for answer in answers if not isinstance(answer, Failure))

    def _order(self, client_id: str) -> NewOrder:
        side = self._random.choice((OrderSide.BUY, OrderSide.SELL))
        price = self._random.choice((None, Decimal(self._random.randint(700, 1300))))
        return NewOrder(SYMBOL, client_id, side, price, Decimal("0.05"), False, TimeInForce.GTC)

    async def work(self, kills: int) -> None:
        """Until the exchange has been killed so many times, each time after some orders more."""
        tasks = [asyncio.create_task(self.listen()), *(asyncio.create_task(self.trade(bot)) for bot in range(3))]
        for _ in range(kills):
            enough = len(self.accepted) + 30
            await eventually(lambda enough=enough: len(self.accepted) >= enough)  # type: ignore[misc]
            await asyncio.sleep(self._random.uniform(0, 0.3))
            await self._mortal.kill()
            await self._mortal.answered(self._mortal.ready)
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(result, asyncio.CancelledError) for result in results), results


async def test_kill_9_of_a_live_market_keeps_every_answer_and_every_fill(postgres_dsn: str, tmp_path: Path) -> None:
    path = candles(tmp_path, minutes=1200)
    async with AsyncExitStack() as stack:
        mortal = Mortal(
            stack,
            lambda ports: paper_process(
                *(postgres_dsn, [market(path=path, **IN_PARTS)], tmp_path / "log"),
                ports=ports,
                speed=6000,
                balance="1000000",
            ),
        )
        await mortal.start()
        crowd = Crowd(mortal)
        await crowd.work(kills=5)
        await mortal.answered(mortal.ended)
        orders = {client_id: await mortal.order(client_id) for client_id in crowd.accepted}
        positions, account = await mortal.client.positions([SYMBOL]), await mortal.client.account()
    assert len(crowd.heard) > 20
    assert crowd.cancelled
    assert {orders[client_id][0].state for client_id in crowd.cancelled} == {OrderState.CANCELLED}
    for client_id, wanted in crowd.accepted.items():
        order, fills = orders[client_id]
        assert (order.side, order.price, order.quantity) == (wanted.side, wanted.price, wanted.quantity)
        assert order.filled == sum(fill.quantity for fill in fills)
        assert (order.state is OrderState.FILLED) == (order.filled == wanted.quantity)
    rows = await fills_in_books(postgres_dsn)
    assert counted(rows) == list(range(1, len(rows) + 1))
    assert any(0 < orders[client_id][0].filled < wanted.quantity for client_id, wanted in crowd.accepted.items())
    assert set(crowd.heard) <= {str(row["trade"]) for row in rows}
    signed = [(row["lots"] if row["side"] == "Buy" else -row["lots"], row) for row in rows]
    held = sum(lots for lots, _ in signed) * Decimal("0.001")
    paid = sum(lots * row["price"] for lots, row in signed) * Decimal("0.0001")
    fees = sum(row["fee"] for row in rows).scaleb(-12)
    assert positions[0].quantity == held
    invested = positions[0].entry_price * held
    assert account.wallet_balance - invested == pytest.approx(1_000_000 - paid - fees, abs=Decimal("1e-9"))


async def test_a_second_instance_takes_over_and_the_first_can_do_nothing_more(postgres_dsn: str) -> None:
    resource = connector(market())
    first, second = World(resource, postgres_dsn), World(resource, postgres_dsn)
    await first.open()
    try:
        assert not isinstance((await first.venue.place([replacement("oa1")]))[0], Failure)
        await second.open()
        with pytest.raises(VenueError, match="taken over"):
            await first.venue.place([replacement("oa2")])
        health = first.venue.health()
        assert (health.ready, health.reason) == (False, "Superseded")
        outcomes = await second.venue.place([replacement("oa1"), replacement("oa2")])
        assert isinstance(outcomes[0], Failure)
        assert outcomes[0].remedy is Remedy.DUPLICATE
        assert not isinstance(outcomes[1], Failure)
    finally:
        await first.close()
        await second.close()
