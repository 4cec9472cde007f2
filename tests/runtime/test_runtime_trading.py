"""A bot against an exchange in the test's hands: real gRPC, real PostgreSQL."""

from decimal import Decimal

import grpc
import pytest

from opensqt.bot.v1 import bot_pb2 as pb
from opensqt.connector.venue import VenueFill, VenueOrder
from opensqt.engine.actions import OrderSide
from opensqt.exchange.v1 import exchange_pb2
from tests.runtime.harness import UID, bot, connector, environment, until
from tests.runtime.simulated_venue import SimulatedVenue


async def test_buys_below_and_sells_above(postgres_dsn: str) -> None:
    venue = SimulatedVenue("40000")
    async with connector(venue) as address, bot(environment(postgres_dsn), address) as running:
        await until(lambda: len(venue.live(OrderSide.BUY)) == 2)
        status = await running.phase(pb.PHASE_RUNNING)
        assert (status.epoch, status.generation, status.anchor_price) == (1, 1, "40000")
        venue.move("39850")
        await until(lambda: len(venue.live(OrderSide.SELL)) == 1)
        (exit_order,) = venue.live(OrderSide.SELL)
        await running.orders_known(len(venue.live(OrderSide.BUY)) + 1)
        snapshot = await running.stub.GetSnapshot(pb.GetSnapshotRequest())
        shown = next(order for order in snapshot.orders if order.client_id == exit_order.client_id)
        assert (shown.side, shown.price, shown.quantity) == (exchange_pb2.SIDE_SELL, "40000", "0.005")
        assert len(snapshot.orders) == len(snapshot.slots)
        venue.move("40050")
        await until(lambda: venue.position == 0)
        status = await running.when(lambda status: status.cycles == 1)
        assert status.fills == 2
        assert status.position == "0"
        assert Decimal(status.realised_pnl) == Decimal("0.005") * 100 - sum(fill.fee for fill in venue.trades)
        snapshot = await running.stub.GetSnapshot(pb.GetSnapshotRequest(fills=10))
        assert [fill.trade_id for fill in snapshot.fills] == [fill.trade_id for fill in venue.trades]
        assert all(probe.healthy for probe in snapshot.status.probes)


async def test_a_restart_goes_on_with_the_orders_in_the_market(postgres_dsn: str) -> None:
    venue = SimulatedVenue("40000")
    async with connector(venue) as address:
        async with bot(environment(postgres_dsn), address):
            await until(lambda: len(venue.live(OrderSide.BUY)) == 2)
            venue.move("39850")
            await until(lambda: venue.live(OrderSide.SELL))
            before = list(venue.accepted)
        venue.move("40050")  # sells while nobody looks
        async with bot(environment(postgres_dsn), address) as again:
            status = await again.when(lambda status: status.cycles == 1)
            assert (status.epoch, status.fills, status.position) == (2, 2, "0")
            snapshot = await again.stub.GetSnapshot(pb.GetSnapshotRequest(fills=10))
            assert [fill.trade_id for fill in snapshot.fills] == [fill.trade_id for fill in venue.trades]
    assert len(set(venue.placements)) == len(venue.placements)
    assert set(before) <= set(venue.accepted)


async def test_a_restart_with_many_orders_asks_for_them_in_one_list(postgres_dsn: str) -> None:
    """What the list has is known by it, but for what was filled in part: that and what is not there is asked for."""
    venue = SimulatedVenue("40000")
    asked: list[str] = []
    look_up = venue.order

    async def order(symbol: str, client_id: str) -> tuple[VenueOrder, list[VenueFill]]:
        asked.append(client_id)
        return await look_up(symbol, client_id)

    venue.order = order  # type: ignore[method-assign]
    grid = {"spacing": {"arithmetic": "100"}, "buyWindow": 30, "sellWindow": 30}
    async with connector(venue) as address:
        async with bot(environment(postgres_dsn, grid=grid), address) as first:
            await first.orders_known(29)
            nearest = sorted(venue.orders.values(), key=lambda order: order.price or 0)[-2:]
        asked.clear()
        venue.fill_part(str(nearest[0].price), "0.001")
        venue.move("39890")  # fills the nearest while nobody looks
        async with bot(environment(postgres_dsn, grid=grid), address) as again:
            status = await again.when(lambda status: status.fills == 2)
            await again.when(lambda status: status.open_sells == 1)
            assert Decimal(status.position) == nearest[1].quantity + Decimal("0.001")
    assert set(asked) == {order.client_id for order in nearest}
    assert len(set(venue.placements)) == len(venue.placements)


async def test_goals_are_taken_live(postgres_dsn: str) -> None:
    venue = SimulatedVenue("40000")
    async with connector(venue) as address, bot(environment(postgres_dsn), address) as running:
        await until(lambda: len(venue.live(OrderSide.BUY)) == 2)
        venue.move("39850")
        await until(lambda: venue.live(OrderSide.SELL))
        assert (await running.configure(pb.GOAL_PAUSE, generation=2)).generation == 2
        await until(lambda: not venue.live(OrderSide.BUY))
        await running.phase(pb.PHASE_PAUSED)
        assert venue.live(OrderSide.SELL), "exits stay in the market"
        await running.configure(pb.GOAL_CLOSE, generation=3)
        status = await running.phase(pb.PHASE_STOPPED)
        assert status.position == "0"
        assert venue.position == 0
        assert not venue.live(OrderSide.BUY)
        assert not venue.live(OrderSide.SELL)


async def test_a_goal_outlives_the_instance_that_was_told(postgres_dsn: str) -> None:
    venue = SimulatedVenue("40000")
    async with connector(venue) as address:
        async with bot(environment(postgres_dsn), address) as running:
            await until(lambda: venue.live(OrderSide.BUY))
            await running.configure(pb.GOAL_STOP, generation=2)
            await running.phase(pb.PHASE_STOPPED)
        async with bot(environment(postgres_dsn), address) as again:
            status = await again.phase(pb.PHASE_STOPPED)
            assert (status.epoch, status.generation) == (2, 2)
            assert not venue.live(OrderSide.BUY)


async def test_limits_are_taken_live(postgres_dsn: str) -> None:
    venue = SimulatedVenue("40000")
    async with connector(venue) as address, bot(environment(postgres_dsn), address) as running:
        await until(lambda: len(venue.live(OrderSide.BUY)) == 2)
        await running.configure(pb.GOAL_RUN, generation=2, riskLimits={"maxPosition": "0.005"})
        await until(lambda: len(venue.live(OrderSide.BUY)) == 1)
        status = await running.status()
        assert [limit.limit for limit in status.limits if limit.name == "maxPosition"] == ["0.005"]


@pytest.mark.parametrize(
    ("asked", "code", "words"),
    [
        ({"generation": 3, "uid": "another"}, grpc.StatusCode.FAILED_PRECONDITION, ["bot_uid", UID]),
        ({"generation": 1}, grpc.StatusCode.FAILED_PRECONDITION, ["generation", "older"]),
        ({"generation": 3, "order": {"quoteSize": "0"}}, grpc.StatusCode.INVALID_ARGUMENT, ["spec.order.quoteSize"]),
        ({"generation": 3, "riskLimits": {"maxOpen": 1}}, grpc.StatusCode.INVALID_ARGUMENT, ["riskLimits.maxOpen"]),
        ({"generation": 3, "order": {"quoteSize": "300"}}, grpc.StatusCode.FAILED_PRECONDITION, ["order.quoteSize"]),
        ({"generation": 3, "symbol": "ETH/USDT:USDT"}, grpc.StatusCode.FAILED_PRECONDITION, ["spec.symbol"]),
    ],
)
async def test_a_wrong_configuration_is_refused_by_name(
    postgres_dsn: str, asked: dict[str, object], code: grpc.StatusCode, words: list[str]
) -> None:
    venue = SimulatedVenue("40000")
    async with connector(venue) as address, bot(environment(postgres_dsn, generation=2), address) as running:
        await until(lambda: venue.live(OrderSide.BUY))
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await running.configure(pb.GOAL_RUN, **asked)  # type: ignore[arg-type]
        assert refused.value.code() is code
        assert all(word in (refused.value.details() or "") for word in words), refused.value.details()
        assert (await running.status()).generation == 2


async def test_an_unknown_symbol_halts_with_what_there_is(postgres_dsn: str) -> None:
    venue = SimulatedVenue()
    env = environment(postgres_dsn, symbol="ETH/USDT:USDT")
    async with connector(venue) as address, bot(env, address) as running:
        status = await running.phase(pb.PHASE_HALTED)
        assert status.reason == "UnknownSymbol"
        assert all(word in status.message for word in ("spec.symbol", "ETH/USDT:USDT", "BTC/USDT:USDT"))
        # Nothing was ever placed, so the bot may be deleted although it cannot trade.
        answer = await running.configure(pb.GOAL_STOP, generation=2, symbol="ETH/USDT:USDT")
        assert (answer.phase, answer.generation) == (pb.PHASE_STOPPED, 2)


async def test_complaint_14_hedge_mode_halts_and_says_what_to_do(postgres_dsn: str) -> None:
    venue = SimulatedVenue()
    venue.hedged = True
    async with connector(venue) as address, bot(environment(postgres_dsn), address) as running:
        status = await running.phase(pb.PHASE_HALTED)
        assert (status.reason, "switch its position mode to one-way" in status.message) == ("PrepareRefused", True)
        venue.hedged = False
        await running.phase(pb.PHASE_RUNNING)


async def test_a_refused_leverage_halts_by_name(postgres_dsn: str) -> None:
    venue = SimulatedVenue()
    env = environment(postgres_dsn, leverage=75, riskLimits={"maxLeverage": 100})
    async with connector(venue) as address, bot(env, address) as running:
        status = await running.phase(pb.PHASE_HALTED)
        assert (status.reason, "spec.leverage" in status.message) == ("PrepareRefused", True)
        assert not venue.placements
