"""What a bot does when its surroundings fail: journal, connector, streams, answers."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import grpc
import pytest

from opensqt.api.gridbot_status import GridBotStatus
from opensqt.api.report import with_report
from opensqt.bot.v1 import bot_pb2 as pb
from opensqt.connector import client
from opensqt.connector.venue import Failure, FundingPayment, NewOrder, Position, VenueError, VenueHealth
from opensqt.engine.actions import OrderSide
from opensqt.engine.events import OrderState, Remedy
from opensqt.journal.embedded import EmbeddedPostgres
from opensqt.runtime import clock, feeds, missed_funding, reconciliation
from tests.runtime.harness import PATIENCE, bot, connector, environment, until
from tests.runtime.simulated_venue import SimulatedVenue


async def test_nothing_is_placed_while_the_database_is_away(tmp_path: Path) -> None:
    venue = SimulatedVenue("40000")
    server = EmbeddedPostgres(tmp_path / "postgres", settings={"fsync": "off"})
    async with server, connector(venue) as address, bot(environment(server.dsn), address) as running:
        await until(lambda: len(venue.live(OrderSide.BUY)) == 2)
        placed = list(venue.placements)
        await server.stop()
        venue.move("39850")  # fills the upper buy: an exit and another entry are due
        probe = await running.probe("Journal", healthy=False)
        assert probe.reason == "Unreachable"
        venue.move("39750")
        assert venue.placements == placed
        await server.start()
        await running.probe("Journal", healthy=True)
        await until(lambda: len(venue.live(OrderSide.SELL)) == 2)
        status = await running.when(lambda status: status.fills == 2)
        assert status.position == "0.01"
    assert len(set(venue.placements)) == len(venue.placements)


async def test_fills_that_cannot_be_read_are_not_left_out_silently(tmp_path: Path) -> None:
    venue = SimulatedVenue("40000")
    server = EmbeddedPostgres(tmp_path / "postgres", settings={"fsync": "off"})
    async with server, connector(venue) as address:
        async with bot(environment(server.dsn), address) as first:
            await until(lambda: len(venue.live(OrderSide.BUY)) == 2)
            venue.move("39850")
            await first.when(lambda status: status.fills == 1)
        async with bot(environment(server.dsn), address) as second:
            await second.phase(pb.PHASE_RUNNING)
            snapshot = await second.stub.GetSnapshot(pb.GetSnapshotRequest(fills=10))
            assert [fill.trade_id for fill in snapshot.fills] == ["t1"]
            await server.stop()
            with pytest.raises(grpc.aio.AioRpcError) as failed:
                await second.stub.GetSnapshot(pb.GetSnapshotRequest(fills=10))
            assert failed.value.code() is grpc.StatusCode.UNAVAILABLE
            assert (await second.status()).fills == 1
            await server.start()


async def test_a_bot_waits_for_its_database(tmp_path: Path) -> None:
    venue = SimulatedVenue("40000")
    server = EmbeddedPostgres(tmp_path / "postgres", settings={"fsync": "off"})
    async with server:
        dsn = server.dsn
    async with connector(venue) as address, bot(environment(dsn), address) as running:
        status = await running.when(lambda status: status.reason == "JournalUnreachable")
        assert status.phase == pb.PHASE_STARTING
        async with server:
            await running.phase(pb.PHASE_RUNNING)
            await until(lambda: venue.live(OrderSide.BUY))
            running.process.stop()
            await running.ended


async def test_a_wrong_database_says_so(postgres_dsn: str) -> None:
    venue = SimulatedVenue("40000")
    async with connector(venue) as address, bot(environment(postgres_dsn.replace("test_", "no_")), address) as running:
        status = await running.phase(pb.PHASE_HALTED)
        assert status.reason == "JournalMisconfigured"
        assert "no_" in status.message


async def test_a_bot_waits_for_its_connector_and_says_why(postgres_dsn: str) -> None:
    venue = SimulatedVenue("40000")
    venue.ready = VenueHealth(False, "WrongCredentials", "the key is wrong")
    async with connector(venue) as address, bot(environment(postgres_dsn), address) as running:
        status = await running.when(lambda status: status.reason == "ConnectorNotReady")
        assert status.message == "WrongCredentials: the key is wrong"
        venue.say(VenueHealth(True, "Ready", ""))
        await running.phase(pb.PHASE_RUNNING)


async def test_the_feeds_heal_when_the_connector_is_back(postgres_dsn: str) -> None:
    venue = SimulatedVenue("40000")
    async with connector(venue) as address:
        running_bot = bot(environment(postgres_dsn), address)
        running = await running_bot.__aenter__()
        await until(lambda: len(venue.live(OrderSide.BUY)) == 2)
    try:
        await running.probe("OrderFeed", healthy=False)
        await running.probe("PriceFeed", healthy=False)
        venue.move("39850")  # nobody tells
        async with connector(venue, address):
            await running.probe("OrderFeed", healthy=True)
            status = await running.when(lambda status: status.fills == 1)
            assert status.position == "0.005"
            await until(lambda: venue.live(OrderSide.SELL))
    finally:
        await running_bot.__aexit__(None, None, None)


async def test_a_gap_in_the_stream_is_made_up_for(postgres_dsn: str) -> None:
    venue = SimulatedVenue("40000")
    async with connector(venue) as address, bot(environment(postgres_dsn), address) as running:
        await until(lambda: len(venue.live(OrderSide.BUY)) == 2)
        await running.probe("OrderFeed", healthy=True)
        venue.hide = True
        venue.move("39850")
        venue.hide = False
        venue.gap("orders")
        status = await running.when(lambda status: status.fills == 1)
        assert status.position == "0.005"
        await until(lambda: venue.live(OrderSide.SELL))


async def test_funding_that_cannot_be_read_delays_nothing_else(
    postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    venue = SimulatedVenue("40000")
    asked = 0

    async def fail(_symbol: str, _since: int) -> list[FundingPayment]:
        nonlocal asked
        asked += 1
        raise VenueError(Failure(Remedy.FIX_REQUEST, "no funding today"))

    async with connector(venue) as address, bot(environment(postgres_dsn), address) as running:
        await running.orders_known(2)
        venue.move("39850")
        await running.when(lambda status: status.fills == 1)
        monkeypatch.setattr(venue, "funding", fail)
        venue.hide = True
        venue.fund("1.5")
        venue.hide = False
        venue.gap("orders")
        await until(lambda: asked > 1)
        venue.move("39750")
        await running.when(lambda status: status.fills == 2)
        await until(lambda: len(venue.live(OrderSide.SELL)) == 2)
        venue.time_us += 1
        venue.fund("0.25")  # and this one is told
        await running.when(lambda status: status.funding == "0.25")
        monkeypatch.delattr(venue, "funding")
        await running.when(lambda status: status.funding == "1.75")
        assert (await running.reasons_until("FundingKnown")).count("FundingUnknown") == 1


def filled(count: int) -> Callable[[pb.Status], bool]:
    return lambda status: status.fills == count


@pytest.mark.parametrize("rest", [0.2, missed_funding.REST])
async def test_many_gaps_ask_for_funding_once_in_a_while(
    postgres_dsn: str, monkeypatch: pytest.MonkeyPatch, rest: float
) -> None:
    """The rate budget is wanted for orders then."""
    monkeypatch.setattr(missed_funding, "REST", rest)
    venue = SimulatedVenue("40000")
    asked: list[int] = []
    answer = venue.funding

    async def count(symbol: str, since_us: int) -> list[FundingPayment]:
        asked.append(since_us)
        return await answer(symbol, since_us)

    monkeypatch.setattr(venue, "funding", count)
    async with connector(venue) as address, bot(environment(postgres_dsn), address) as running:
        await running.orders_known(2)
        venue.move("39850")
        await running.when(lambda status: status.fills == 1)
        for price, fills in (("39750", 2), ("39650", 3), ("39550", 4)):
            venue.hide = True
            venue.time_us += 1
            venue.fund("0.5")
            venue.move(price)
            venue.hide = False
            venue.gap("orders")
            await running.when(filled(fills))
            await until(lambda: asked)
        if rest < 1:
            await running.when(lambda status: status.funding == "1.5")
        else:
            assert len(asked) == 1


async def test_complaint_4_a_lost_message_without_a_gap_is_found_by_comparing(
    postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciliation, "EVERY", 0.2)
    monkeypatch.setattr(clock, "STREAM_SECONDS", 0)
    venue = SimulatedVenue("40000")
    async with connector(venue) as address, bot(environment(postgres_dsn), address) as running:
        await running.orders_known(2)
        venue.hide = True
        venue.fill_part("39900", "0.002")
        status = await running.when(lambda status: status.fills == 1)
        assert status.position == "0.002"
        (found,) = status.reconciliation.newest
        assert (found.kind, found.resolution) == ("MissedFill", "Booked")
        shown = with_report(GridBotStatus(), status).to_json_object()["reconciliation"]
        assert shown["counts"] == [{"kind": "MissedFill", "count": 1}]
        assert [one["kind"] for one in shown["newest"]] == ["MissedFill"]
        await running.when(lambda status: status.reconciliation.last_run_us > 0)


async def test_comparisons_that_keep_failing_are_told(postgres_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciliation, "EVERY", 0.05)
    venue = SimulatedVenue("40000")
    async with connector(venue) as address, bot(environment(postgres_dsn), address) as running:
        await running.when(lambda status: status.reconciliation.last_run_us > 0)

        async def fail(_symbols: Sequence[str]) -> list[Position]:
            raise VenueError(Failure(Remedy.RETRY, "no positions today"))

        monkeypatch.setattr(venue, "positions", fail)
        status = await running.when(lambda status: status.reconciliation.failing_since_us > 0)
        assert "no positions today" in status.reconciliation.message
        monkeypatch.delattr(venue, "positions")
        await running.when(lambda status: not status.reconciliation.failing_since_us)
        assert (await running.reasons_until("ComparedAgain")).count("NotCompared") == 1


async def test_a_fill_that_comes_after_the_order_was_over_is_found_by_comparing(
    postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciliation, "EVERY", 0.2)
    venue = SimulatedVenue("40000")
    async with connector(venue) as address, bot(environment(postgres_dsn), address) as running:
        await running.orders_known(2)
        upper = max(venue.live(OrderSide.BUY), key=lambda order: order.price or 0)
        venue.end(upper.client_id)
        await until(lambda: len(venue.accepted) == 3)  # the slot has another order by now
        venue.hide = True
        venue.fill_late(upper.client_id, "0.002")
        status = await running.when(lambda status: status.fills == 1)
        assert status.position == "0.002"


async def test_an_order_that_lives_on_after_the_bot_has_stopped_is_found_by_comparing_and_cancelled(
    postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciliation, "EVERY", 0.2)
    venue = SimulatedVenue("40000")
    async with connector(venue) as address, bot(environment(postgres_dsn), address) as running:
        await running.orders_known(2)
        await running.configure(pb.GOAL_STOP, generation=2)
        await running.phase(pb.PHASE_STOPPED)
        risen = venue.rise(venue.accepted[0])
        await until(lambda: venue.orders[risen.client_id].state is OrderState.CANCELLED)
        status = await running.when(lambda status: len(status.reconciliation.newest) == 1)
        assert [(one.kind, one.resolution) for one in status.reconciliation.newest] == [("ReturnedOrder", "Cancelled")]


async def test_complaint_2_a_refusal_of_an_order_that_is_there_is_not_believed(postgres_dsn: str) -> None:
    venue = SimulatedVenue("40000")
    venue.hide = True
    venue.refuses_what_it_keeps = True
    async with connector(venue) as address, bot(environment(postgres_dsn), address) as running:
        await running.orders_known(2)
        assert len(venue.accepted) == len(venue.placements) == 2


async def test_complaint_03_a_stream_that_is_alive_but_brings_no_prices_is_noticed(postgres_dsn: str) -> None:
    venue = SimulatedVenue("40000")
    limits = {"riskLimits": {"maxPriceAgeSeconds": 5, "maxPosition": "0.2"}}
    env = environment(postgres_dsn, changes=limits)
    async with connector(venue) as address, bot(env, address) as running:
        await running.phase(pb.PHASE_RUNNING)
        probe = await running.probe("PriceFeed", healthy=False)
        assert (probe.reason, "maxPriceAgeSeconds" in probe.message) == ("Stale", True)
        status = await running.when(lambda status: status.reason == "FeedLost")
        assert [one.reason for one in status.gate][:1] == ["FeedLost"]
        venue.move("40001")
        await running.probe("PriceFeed", healthy=True)
        await running.when(lambda status: not status.gate)


async def test_complaint_03_a_silent_stream_is_noticed(postgres_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "SILENCE", 0.3)  # below the server's heartbeat
    venue = SimulatedVenue("40000")
    async with connector(venue) as address, bot(environment(postgres_dsn), address) as running:
        probe = await running.probe("PriceFeed", healthy=False)
        await until(lambda: probe)
        probe = (await running.when(lambda s: any(p.reason == "Silent" for p in s.probes))).probes[2]
        assert probe.name == "PriceFeed"


@pytest.mark.parametrize("remedy", [Remedy.LOOK_UP, Remedy.DUPLICATE, Remedy.RETRY])
async def test_an_accepted_order_of_unknown_outcome_is_not_placed_again(postgres_dsn: str, remedy: Remedy) -> None:
    venue = SimulatedVenue("40000")

    def lose_answer(_orders: Sequence[NewOrder]) -> None:
        venue.after_place = lambda _orders: None
        raise VenueError(Failure(remedy, "the answer was lost"))

    venue.after_place = lose_answer
    async with connector(venue) as address, bot(environment(postgres_dsn), address) as running:
        await running.orders_known(2)
        assert len(venue.live(OrderSide.BUY)) == 2
        assert len(venue.accepted) == 2
        if remedy is not Remedy.RETRY:
            assert len(venue.placements) == 2
        venue.move("39850")
        status = await running.when(lambda status: status.fills == 1)
        assert status.position == "0.005"


async def test_a_placement_that_never_arrived_is_placed_under_its_id(postgres_dsn: str) -> None:
    venue = SimulatedVenue("40000")

    def lose_request(_orders: Sequence[NewOrder]) -> None:
        venue.before_place = lambda _orders: None
        raise VenueError(Failure(Remedy.LOOK_UP, "nobody knows"))

    venue.before_place = lose_request
    async with connector(venue) as address, bot(environment(postgres_dsn), address):
        await until(lambda: len(venue.live(OrderSide.BUY)) == 2)
        assert len(venue.placements) == 4
        assert len(set(venue.placements)) == 2


async def test_an_order_that_the_exchange_has_lost_does_not_block_its_level_for_ever(postgres_dsn: str) -> None:
    venue = SimulatedVenue("40000")
    async with connector(venue) as address, bot(environment(postgres_dsn), address) as running:
        await until(lambda: len(venue.live(OrderSide.BUY)) == 2)
        lost = max(venue.live(OrderSide.BUY), key=lambda order: order.price or 0)
        del venue.orders[lost.client_id]
        venue.gap("orders")  # everything is looked up

        def replaced() -> bool:
            _pass(venue, 20)
            return lost.price in {order.price for order in venue.live(OrderSide.BUY)}

        await until(replaced)
        assert venue.placements.count(lost.client_id) == 1
        assert (await running.status()).fills == 0


async def test_fills_of_an_order_that_the_exchange_denies_are_found_and_counted(postgres_dsn: str) -> None:
    venue = SimulatedVenue("40000")
    async with connector(venue) as address, bot(environment(postgres_dsn), address) as running:
        await until(lambda: len(venue.live(OrderSide.BUY)) == 2)
        venue.hide = True
        venue.move("39850")
        (fill,) = venue.trades
        del venue.orders[fill.client_id]
        venue.hide = False
        venue.gap("orders")

        async def seen() -> bool:
            _pass(venue, 20)
            return (await running.status()).fills == 1

        await until(seen)
        await until(lambda: len(venue.live(OrderSide.SELL)) == 1)


def _pass(venue: SimulatedVenue, seconds: int) -> None:
    """Market time goes on, the price stays."""
    venue.time_us += seconds * 1_000_000
    venue.move(venue.last)


async def test_a_call_that_hangs_is_looked_up(postgres_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "DEADLINE", 0.5)
    venue = SimulatedVenue("40000")
    forever = asyncio.Event()

    async def hang(_orders: Sequence[NewOrder]) -> None:
        venue.after_place = lambda _orders: None
        await forever.wait()

    venue.after_place = hang
    async with connector(venue) as address, bot(environment(postgres_dsn), address) as running:
        await running.orders_known(2)
        assert len(venue.accepted) == len(venue.placements) == 2


async def test_a_newer_instance_ends_the_older(postgres_dsn: str) -> None:
    venue = SimulatedVenue("40000")
    env = environment(postgres_dsn)
    async with connector(venue) as address, bot(env, address) as older:
        await until(lambda: len(venue.live(OrderSide.BUY)) == 2)
        async with bot(env, address) as newer:
            await newer.phase(pb.PHASE_RUNNING)
            venue.move("39850")
            async with asyncio.timeout(PATIENCE):
                assert await asyncio.shield(older.ended) == 3
            await until(lambda: venue.live(OrderSide.SELL))
    assert len(set(venue.placements)) == len(venue.placements)
