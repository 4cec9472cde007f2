"""What the bot shows, and to whom when."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest
from prometheus_client import generate_latest

from opensqt.api.gridbot import GridBotSpec
from opensqt.api.gridbot_status import GridBotStatus
from opensqt.api.live import FIXED_FIELDS, fixed_differences
from opensqt.api.report import with_report
from opensqt.bot.v1 import bot_pb2 as pb
from opensqt.connector.venue import Account, Failure, Kline, Position, VenueFill, VenueOrder
from opensqt.engine.actions import OrderSide, Severity, TimeInForce
from opensqt.engine.config import EngineConfig
from opensqt.engine.engine import Engine
from opensqt.engine.events import Configured, Goal, OrderFilled, OrderState, PriceChanged, Remedy, Started
from opensqt.engine.market import to_money
from opensqt.runtime.board import StatusBoard
from opensqt.runtime.candle_feeds import Wanted, wanted_candles
from opensqt.runtime.clock import MarketClock, frozen_clock
from opensqt.runtime.metrics import Metrics
from opensqt.runtime.notices import Notices
from opensqt.runtime.probes import JOURNAL, Probes
from opensqt.runtime.status import status_of
from opensqt.runtime.translation import Translation
from tests.runtime.harness import PATIENCE, spec
from tests.runtime.simulated_venue import RULES, SYMBOL

TRANSLATION = Translation(RULES)
MARKET = TRANSLATION.market


def _trading() -> Engine:
    engine = Engine(MARKET, "uid")
    config = EngineConfig.from_spec(GridBotSpec.model_validate(spec()), MARKET)
    for event in (Started(1, 7), Configured(1, 3, Goal.RUN, config), PriceChanged(2, 400_000)):
        engine.on(event)
    return engine


def test_the_status_is_in_decimals() -> None:
    engine = _trading()
    entry = engine.live_orders()[0]
    engine.on(OrderFilled(3, entry, "t1", 399_000, 5, to_money(Decimal("0.0399")), True))
    status = status_of(engine.view(), MARKET)
    assert (status.epoch, status.generation, status.phase) == (7, 3, pb.PHASE_RUNNING)
    assert (status.position, status.average_entry_price, status.last_price) == ("0.005", "39900", "40000")
    assert (status.fees, status.volume, status.fills) == ("0.0399", "199.5", 1)
    assert Decimal(status.realised_pnl) + Decimal(status.unrealised_pnl) == Decimal("0.5") - Decimal("0.0399")
    limits = {limit.name: (limit.used, limit.limit) for limit in status.limits}
    assert limits["maxOpenOrders"][1] == "40"
    assert limits["maxPosition"][1] == "0.2"


def test_the_step_of_a_grid_spaced_by_volatility_is_shown() -> None:
    """From the engine to what `kubectl describe` prints: in quote currency, and none before there is one."""
    engine = Engine(MARKET, "uid")
    document = spec(grid={"spacing": {"atr": {"interval": "1m", "period": 2, "multiple": "1.5"}}})
    config = EngineConfig.from_spec(GridBotSpec.model_validate(document), MARKET)
    for event in (Started(1, 7), Configured(1, 3, Goal.RUN, config), PriceChanged(2, 400_000)):
        engine.on(event)
    assert status_of(engine.view(), MARKET).step == ""
    for minute in range(3):
        open_time = (minute + 1) * 60_000_000
        close, high, low = Decimal(40_000), Decimal("40020.5"), Decimal(39_980)
        kline = Kline(SYMBOL, open_time, close, high, low, close, Decimal(1), closed=True)
        engine.on(TRANSLATION.candle(kline, "1m", open_time + 60_000_000))
    status = status_of(engine.view(), MARKET)
    assert (status.step, status.average_true_range) == ("60.7", "40.5")
    shown = with_report(GridBotStatus(), status).to_json_object()["grid"]
    assert (shown["step"], shown["averageTrueRange"]) == ("60.7", "40.5")


def test_candles_are_wanted_for_the_volatility_of_the_bots_own_symbol() -> None:
    monitor = {"symbols": [SYMBOL, "ETH/USDT:USDT"], "interval": "1m", "recoveryThreshold": 1}
    grid = {"spacing": {"atr": {"interval": "1h", "period": 20}}}
    assert wanted_candles(GridBotSpec.model_validate(spec(grid=grid))) == {"1h": Wanted([SYMBOL], 42)}
    grid = {"spacing": {"atr": {"interval": "1m", "period": 20}}}
    both = wanted_candles(GridBotSpec.model_validate(spec(grid=grid, marketMonitor=monitor)))
    assert both == {"1m": Wanted([SYMBOL, "ETH/USDT:USDT"], 42, live=True)}


async def _told(watch: AsyncIterator[pb.Status]) -> pb.Status:
    return await asyncio.wait_for(anext(watch), PATIENCE)


async def test_what_is_urgent_is_told_at_once_and_numbers_later() -> None:
    probes = Probes()
    board = StatusBoard(probes)
    engine = _trading()
    board.attach(engine.view, MARKET)
    often, seldom = board.watch(0.0), board.watch(3600.0)
    await _told(often)
    await _told(seldom)
    engine.on(PriceChanged(3, 400_010))
    board.numbers_changed()
    assert (await _told(often)).last_price == "40001"
    late = asyncio.ensure_future(anext(seldom))
    await asyncio.sleep(0)
    assert not late.done()
    probes.healthy(JOURNAL)
    status = await asyncio.wait_for(late, PATIENCE)
    assert [probe.name for probe in status.probes if probe.healthy] == [JOURNAL]
    assert status.last_price == "40001"


async def test_a_number_that_changed_meanwhile_is_told_when_it_is_due() -> None:
    board = StatusBoard(Probes())
    engine = _trading()
    board.attach(engine.view, MARKET)
    watch = board.watch(0.2)
    loop = asyncio.get_running_loop()
    asked_at = loop.time()
    await _told(watch)
    engine.on(PriceChanged(3, 400_010))
    board.numbers_changed()
    assert (await _told(watch)).last_price == "40001"
    assert loop.time() - asked_at >= 0.19


async def test_before_there_is_an_engine_the_status_says_why() -> None:
    board = StatusBoard(Probes())
    watch = board.watch(3600.0)
    assert (await _told(watch)).phase == pb.PHASE_STARTING
    board.halted("UnknownSymbol", "spec.symbol: …")
    status = await _told(watch)
    assert (status.phase, status.reason) == (pb.PHASE_HALTED, "UnknownSymbol")
    assert [(one.reason, one.exits) for one in status.gate] == [("UnknownSymbol", True)]
    assert not board.ready


async def test_before_the_journal_is_read_no_number_is_measured() -> None:
    """A zero would look like one, and a counter that starts again is counted twice."""
    board, metrics = StatusBoard(Probes()), Metrics({"gridbot": "grid"})
    metrics.show(board, dict)
    early = generate_latest(metrics.registry).decode()
    assert 'opensqt_bot_ready{gridbot="grid"} 0.0' in early
    assert 'opensqt_bot_gate_closed{gridbot="grid",reason="Starting"} 1.0' in early
    later = ["position", "realised_pnl", "fills_total", "volume_total", "breaker_open", "open_orders", "limit_reached"]
    assert not [name for name in later if f"opensqt_bot_{name}{{" in early]
    board.attach(_trading().view, MARKET)
    known = generate_latest(metrics.registry).decode()
    assert all(f"opensqt_bot_{name}{{" in known for name in later)


async def test_notices_are_kept_and_followed() -> None:
    notices = Notices()
    notices.start(2)
    notices.add(Severity.NORMAL, "First", "")
    notices.add(Severity.WARNING, "Second", "")
    following = notices.after(0)
    first, second = await anext(following), await anext(following)
    assert (first.reason, second.reason) == ("First", "Second")
    third = asyncio.ensure_future(anext(following))
    await asyncio.sleep(0)
    notices.add(Severity.NORMAL, "Third", "")
    assert (await third).number > second.number > first.number
    assert [notice.reason async for notice in _take(notices.after(second.number), 1)] == ["Third"]
    newer = Notices()
    newer.start(3)
    newer.add(Severity.NORMAL, "Next", "")
    assert (await anext(newer.after(third.result().number))).reason == "Next", "a newer epoch's numbers go on"


async def _take(notices: AsyncIterator, number: int) -> AsyncIterator:  # type: ignore[type-arg]
    for _ in range(number):
        yield await anext(notices)


def test_the_clock_follows_the_exchange_and_never_goes_back() -> None:
    real = 100.0
    clock = MarketClock(lambda: real)
    assert clock.now() == 0
    clock.saw(1_000_000)
    real += 2
    assert clock.now() == 3_000_000
    clock.saw(2_000_000)
    assert clock.now() == 3_000_000
    clock.saw(600_000_000)
    real += 1
    assert clock.now() == 601_000_000
    frozen = frozen_clock()
    frozen.saw(5)
    assert frozen.now() == 5


def test_what_a_stream_must_have_told_by_now_is_a_matter_of_real_time_in_a_market_that_plays_fast_too() -> None:
    real, market = 100.0, 1_000_000_000
    clock = MarketClock(lambda: real)
    assert clock.told_by() == 0
    clock.saw(market)
    assert clock.told_by() == market - 2_500_000
    for _ in range(200):  # 600 times as fast, for 20 s
        real += 0.1
        market += 60_000_000
        clock.saw(market)
    assert market - 3 * 600_000_000 < clock.told_by() <= market - 2.5 * 600_000_000
    real += 10  # silence
    assert clock.told_by() == clock.now() - 2_500_000
    frozen = frozen_clock()
    for market in (10_000_000, 20_000_000):
        frozen.saw(market)
    assert frozen.told_by() == 17_500_000


@pytest.mark.parametrize(
    ("currency", "fee", "money"),
    [("USDT", "0.04", "0.04"), ("BTC", "0.000001", "0.04"), ("BNB", "0.0001", "0.04"), ("USDT", "-0.01", "-0.01")],
)
def test_fees_are_in_quote_currency(currency: str, fee: str, money: str) -> None:
    fill = VenueFill(
        symbol=SYMBOL, client_id="o", trade_id="t", side=OrderSide.BUY, price=Decimal(40000),
        quantity=Decimal("0.005"), fee=Decimal(fee), fee_currency=currency, maker=True, time_us=1,
    )  # fmt: skip
    assert TRANSLATION.fill(fill) == OrderFilled(
        1, "o", "t", 400_000, 5, to_money(Decimal(money)), True, side=fill.side
    )


def test_orders_positions_and_accounts_in_integers() -> None:
    order = VenueOrder(
        symbol=SYMBOL, client_id="o", venue_id="1", side=OrderSide.SELL, price=Decimal("40000.1"),
        quantity=Decimal("0.005"), filled=Decimal("0.002"), state=OrderState.CANCELLED, reduce_only=True,
        time_in_force=TimeInForce.POST_ONLY, time_us=9, failure=Failure(Remedy.WOULD_CROSS, "would take"),
    )  # fmt: skip
    reported = TRANSLATION.order(order)
    assert (reported.filled, reported.would_cross, reported.state) == (2, True, OrderState.CANCELLED)
    for quantity, lots in (("0.0025", 2), ("-0.0025", -2)):
        position = Position(SYMBOL, Decimal(quantity), Decimal(1), Decimal(0), 1, 1)
        assert TRANSLATION.position(position).lots == lots
    account = Account("USDT", Decimal("10.5"), Decimal(1), Decimal(1), 1)
    assert TRANSLATION.account(account).equity == to_money(Decimal("10.5"))


@pytest.mark.parametrize("path", sorted(FIXED_FIELDS))
def test_fixed_fields_are_fields(path: str) -> None:
    schema = GridBotSpec.model_json_schema(by_alias=True)
    definitions = schema["$defs"]
    for name in path.split("."):
        schema = schema["properties"][name]
        schema = definitions.get(schema.get("$ref", "").rpartition("/")[2], schema)


def test_what_a_bot_subscribes_to_cannot_change_live() -> None:
    old = GridBotSpec.model_validate(spec())
    monitor = {"symbols": ["ETH/USDT:USDT"], "recoveryThreshold": 1}
    assert fixed_differences(old, GridBotSpec.model_validate(spec(marketMonitor=monitor))) == ["spec.marketMonitor"]


def test_what_cannot_change_live_is_named() -> None:
    old = GridBotSpec.model_validate(spec())
    live = GridBotSpec.model_validate(
        spec(state="Paused", riskLimits={"maxOpenOrders": 1}, circuitBreaker={"maxConsecutiveLosses": 2})
        | {"grid": {**spec()["grid"], "lower": "10", "upper": "100000", "buyWindow": 3}}
    )
    assert fixed_differences(old, live) == []
    other = spec(leverage=3, order={"quoteSize": "1"})
    other["grid"] = {**other["grid"], "spacing": {"geometric": "1"}}
    assert fixed_differences(old, GridBotSpec.model_validate(other)) == [
        "spec.grid.spacing",
        "spec.leverage",
        "spec.order.quoteSize",
    ]
