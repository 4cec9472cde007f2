"""A bot against an exchange in the test's hands: real gRPC, real PostgreSQL."""

from decimal import Decimal

from opensqt.bot.v1 import bot_pb2 as pb
from opensqt.engine.actions import OrderSide

from tests.runtime.harness import bot, connector, environment, until
from tests.runtime.simulated_venue import SimulatedVenue


async def test_buys_below_and_sells_above(postgres_dsn: str) -> None:
    venue = SimulatedVenue("40000")
    async with connector(venue) as address, bot(environment(postgres_dsn), address) as running:
        await until(lambda: len(venue.live(OrderSide.BUY)) == 2)
        status = await running.phase(pb.PHASE_RUNNING)
        assert (status.epoch, status.generation, status.anchor_price) == (1, 1, "40000")
        venue.move("39850")
        await until(lambda: len(venue.live(OrderSide.SELL)) == 1)
        venue.move("40050")
        await until(lambda: venue.position == 0)

        async def told() -> bool:
            return (await running.status()).cycles == 1

        await until(told)
        status = await running.status()
        assert status.fills == 2
        assert Decimal(status.realised_pnl) == Decimal("0.005") * 100 - sum(fill.fee for fill in venue.trades)
        assert status.position == "0"
        snapshot = await running.stub.GetSnapshot(pb.GetSnapshotRequest(fills=10))
        assert [fill.trade_id for fill in snapshot.fills] == [fill.trade_id for fill in venue.trades]
