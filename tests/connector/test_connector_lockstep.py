"""Lockstep: the result is that of a plain loop over the prices, whatever is skipped, however slow anyone is."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any

import pytest

from opensqt.connector.paper.books import Books, Commit
from opensqt.connector.paper.candles import read_candles
from opensqt.connector.paper.tape import Tape
from opensqt.connector.venue import VenueError, VenueFill
from opensqt.engine.actions import OrderSide
from opensqt.engine.events import Remedy
from opensqt.paper.v1 import paper_pb2 as pb
from tests.connector.grid_player import GridPlayer
from tests.connector.paper_world import SYMBOL, World, connector, market
from tests.connector.reference_exchange import ReferenceExchange, ReferenceOrder

TICK, LOT = Decimal("0.1"), Decimal("0.001")
Trade = tuple[str, int, int, int]


def player(prefix: str = "oa", symbol: str = SYMBOL, spacing: str = "100", levels: int = 10) -> GridPlayer:
    return GridPlayer(symbol, prefix, Decimal(spacing), Decimal("0.01"), levels)


@asynccontextmanager
async def opened(
    dsn: str, *markets: dict[str, Any], bots: tuple[str, ...] = ("a",), **paper: Any
) -> AsyncIterator[World]:
    world = World(connector(*markets, **paper), dsn, lockstep=bots)
    await world.open()
    try:
        yield world
    finally:
        await world.close()


def plain_loop(tape: Tape, grid: GridPlayer) -> list[Trade]:
    """Every price in order, the player after each: what lockstep must come to."""
    exchange = ReferenceExchange(Fraction(10**9), 1, Fraction(0), Fraction(0), 0)
    handled = 0
    for step in range(tape.total):
        exchange.play(tape.price(step))
        orders = grid.start(tape.price(step) * TICK) if step == 0 else []
        while True:
            for order in orders:
                assert order.price is not None
                side = 1 if order.side is OrderSide.BUY else -1
                lots = int(order.quantity / LOT)
                exchange.place(ReferenceOrder(order.client_id, side, int(order.price / TICK), lots, order.reduce_only))
            if handled == len(exchange.trades):
                break
            orders = []
            for client_id, side, price, lots, _ in exchange.trades[handled:]:
                handled += 1
                orders += grid.fill(
                    VenueFill(
                        SYMBOL, client_id, str(handled), OrderSide.BUY if side == 1 else OrderSide.SELL, price * TICK,
                        lots * LOT, Decimal(0), "USDT", True, 0,
                    )
                )  # fmt: skip
    return [(client_id, side, price, lots) for client_id, side, price, lots, _ in exchange.trades]


def trades(fills: list[VenueFill]) -> list[Trade]:
    return [
        (fill.client_id, 1 if fill.side is OrderSide.BUY else -1, int(fill.price / TICK), int(fill.quantity / LOT))
        for fill in fills
    ]


async def test_a_month_of_real_candles_comes_to_what_a_plain_loop_comes_to(
    postgres_dsn: str, candle_file: Callable[[str], Path]
) -> None:
    path = candle_file("btc-perp-2022-01-1m")
    async with opened(postgres_dsn, market(path=path), balance="1000000") as world:
        grid = player(levels=60)
        told = await world.play(grid, "a")
        fills, account, positions, _ = await world.result()
        expected = plain_loop(Tape(read_candles(path, TICK, LOT)), player(levels=60))
        assert trades(fills) == expected
        assert len(expected) > 300
        assert told < 2 * len(expected) + 10, "prices without consequence are skipped"
        health = world.venue.health()
        assert health.markets[0].ended
        assert health.markets[0].played == health.markets[0].total == 4 * 45031
        signed = sum(fill.quantity if fill.side is OrderSide.BUY else -fill.quantity for fill in fills)
        assert positions[0].quantity == signed
        bought = sum(fill.quantity * fill.price * (1 if fill.side is OrderSide.BUY else -1) for fill in fills)
        fees = sum(fill.fee for fill in fills)
        assert account.equity == 1_000_000 - bought - fees + signed * Decimal("38544.0")


async def test_what_is_skipped_changes_nothing(postgres_dsn: str) -> None:
    """Of volumes neither: orders fill in parts."""
    results, told = [], []
    for number, quiet in enumerate((True, False)):
        async with opened(postgres_dsn, market(fillShare="0.005", minNotional="0"), uid=f"world-{number}") as world:
            told.append(await world.play(player(), "a", quiet=quiet))
            results.append(await world.result())
    assert results[0] == results[1]
    assert len(results[0][0]) > 20
    assert len({fill.quantity for fill in results[0][0]}) > 5
    assert told[1] > 5760 > 4 * told[0]


@pytest.mark.parametrize("symbols", [(SYMBOL, SYMBOL, SYMBOL), (SYMBOL, "ETH/USDT:USDT", SYMBOL)])
async def test_several_bots_come_to_the_same_however_slow_each_is(postgres_dsn: str, symbols: tuple[str, ...]) -> None:
    bots = ("a", "b", "c")
    markets = [
        market(symbol, model={"seed": seed, "days": 1}) for seed, symbol in enumerate(dict.fromkeys(symbols), start=5)
    ]
    results = []
    for number, quiet in enumerate((True, True, False)):
        random = Random(number)  # noqa: S311 - a test's jitter
        async with opened(postgres_dsn, *markets, bots=bots, uid=f"world-{number}", balance="100000") as world:
            async with asyncio.TaskGroup() as tasks:
                for bot, symbol in random.sample(list(zip(bots, symbols, strict=True)), len(bots)):
                    grid = player(f"o{bot}", symbol, "150")
                    slow = (lambda: random.choice((0, 0, 0.003))) if quiet else None  # noqa: B023 - used up within the round
                    tasks.create_task(world.play(grid, bot, quiet=quiet, jitter=slow))
            results.append([await world.result(symbol) for symbol in dict.fromkeys(symbols)])
    assert results[0] == results[1] == results[2]
    ids = {fill.client_id[:2] for fills, *_ in results[0] for fill in fills}
    assert ids == {"oa", "ob", "oc"}


async def test_the_market_waits_for_every_bot(postgres_dsn: str) -> None:
    async with opened(postgres_dsn, market(), bots=("a", "b")) as world:
        request = pb.AdvanceRequest(bot_uid="a", symbol=SYMBOL, client_id_prefix="oa")
        waiting = asyncio.create_task(world.lockstep.advance(request))
        done, _ = await asyncio.wait({waiting}, timeout=0.2)
        assert not done
        assert world.venue.health().markets[0].played == 0
        other = asyncio.create_task(
            world.lockstep.advance(pb.AdvanceRequest(bot_uid="b", symbol=SYMBOL, client_id_prefix="ob"))
        )
        answer = await waiting
        assert (answer.step, answer.price, answer.ended) == (1, "40000.0", False)
        # Its turn comes when the first one waits again.
        done, _ = await asyncio.wait({other}, timeout=0.2)
        assert not done
        again = asyncio.create_task(
            world.lockstep.advance(pb.AdvanceRequest(bot_uid="a", symbol=SYMBOL, client_id_prefix="oa", step=1))
        )
        assert (await other).step == 1
        again.cancel()


async def test_an_answer_that_was_lost_is_given_again(postgres_dsn: str) -> None:
    async with opened(postgres_dsn, market()) as world:

        def ask(step: int) -> Any:
            return world.lockstep.advance(
                pb.AdvanceRequest(bot_uid="a", symbol=SYMBOL, client_id_prefix="oa", step=step)
            )

        first = await ask(0)
        second = await ask(first.step)
        assert await ask(first.step) == second
        third = await ask(second.step)
        assert third.step == second.step + 1
        # A bot that starts anew is told where the market is.
        anew = await ask(0)
        assert (anew.step, anew.price) == (third.step, third.price)


async def test_a_call_that_was_given_up_takes_nothing_with_it(postgres_dsn: str) -> None:
    async with opened(postgres_dsn, market(), bots=("a", "b")) as world:
        request = pb.AdvanceRequest(bot_uid="a", symbol=SYMBOL, client_id_prefix="oa")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(world.lockstep.advance(request), 0.05)
        other = asyncio.create_task(
            world.lockstep.advance(pb.AdvanceRequest(bot_uid="b", symbol=SYMBOL, client_id_prefix="ob"))
        )
        done, _ = await asyncio.wait({other}, timeout=0.1)
        assert not done, "the market does not move while a bot has hung up"
        assert (await world.lockstep.advance(request)).step == 1
        other.cancel()


async def test_who_hangs_up_while_the_market_moves_misses_nothing(
    postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(postgres_dsn, market()) as world:
        grid = player()
        request = pb.AdvanceRequest(bot_uid="a", symbol=SYMBOL, client_id_prefix="oa")
        request.step = (await world.lockstep.advance(request)).step
        await world.surely_placed(grid.start(Decimal(40000)))
        committing, go_on = asyncio.Event(), asyncio.Event()
        commit = Books.commit

        async def slow_commit(self: Books, rows: Commit) -> None:
            committing.set()
            await go_on.wait()
            await commit(self, rows)

        monkeypatch.setattr(Books, "commit", slow_commit)
        request.quiet_above, request.quiet_below = "0", "1000000"
        waiting = asyncio.create_task(world.lockstep.advance(request))
        await committing.wait()
        waiting.cancel()
        await asyncio.wait({waiting})
        go_on.set()
        answer = await world.lockstep.advance(request)
        assert [update.fill.client_id for update in answer.updates if update.HasField("fill")] == ["oa0"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"bot_uid": "nobody"}, "bot_uid:"),
        ({"symbol": "NO/PE"}, "symbol:"),
        ({"client_id_prefix": ""}, "client_id_prefix:"),
        ({"quiet_above": "x", "quiet_below": "1"}, "quiet_above"),
        ({"quiet_above": "1", "quiet_below": "NaN"}, "quiet_above"),
    ],
)
async def test_wrong_requests_are_refused_by_name(postgres_dsn: str, fields: dict[str, str], said: str) -> None:
    async with opened(postgres_dsn, market()) as world:
        request = {"bot_uid": "a", "symbol": SYMBOL, "client_id_prefix": "oa"} | fields
        with pytest.raises(VenueError, match=said) as refused:
            await world.lockstep.advance(pb.AdvanceRequest(**request))  # type: ignore[arg-type]
        assert refused.value.failure.remedy is Remedy.FIX_REQUEST


async def test_at_the_end_every_bot_is_told_and_the_market_stands_still(postgres_dsn: str) -> None:
    async with opened(postgres_dsn, market()) as world:
        await world.play(player(), "a")
        end = await world.lockstep.advance(
            pb.AdvanceRequest(bot_uid="a", symbol=SYMBOL, client_id_prefix="oa", step=5760)
        )
        assert end.ended
        assert end.step == 5760
        account = await world.venue.account()
    async with opened(postgres_dsn, market()) as world:
        request = pb.AdvanceRequest(bot_uid="a", symbol=SYMBOL, client_id_prefix="oa")
        # It is told where the market stands, then that there is no more.
        while not (answer := await world.lockstep.advance(request)).ended:
            request.step = answer.step
        assert (answer.step, answer.price) == (end.step, end.price)
        assert await world.venue.account() == account
