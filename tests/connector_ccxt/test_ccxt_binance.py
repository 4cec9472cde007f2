"""The venue through real ccxt, HTTP and WebSocket against a Binance of our own on loopback."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from typing import TypeVar

import pytest

from opensqt.connector.venue import (
    Failure,
    Gap,
    NewOrder,
    OrderUpdate,
    Price,
    Venue,
    VenueError,
    VenueFill,
    VenueOrder,
)
from opensqt.engine.actions import OrderSide, TimeInForce
from opensqt.engine.events import OrderState, Remedy
from tests.connector_ccxt.binance_face import BinanceFace, Fault

SYMBOL = "BTC/USDT:USDT"
Item = TypeVar("Item")


def order(
    client_id: str,
    price: str | None = "49000",
    quantity: str = "0.01",
    *,
    side: OrderSide = OrderSide.BUY,
    reduce_only: bool = False,
    force: TimeInForce = TimeInForce.POST_ONLY,
) -> NewOrder:
    return NewOrder(
        SYMBOL, client_id, side, None if price is None else Decimal(price), Decimal(quantity), reduce_only, force
    )


def failed(result: VenueOrder | Failure) -> Failure:
    assert isinstance(result, Failure), result
    return result


def ok(result: VenueOrder | Failure) -> VenueOrder:
    assert isinstance(result, VenueOrder), result
    return result


async def following(stream: AsyncIterator[Item], seconds: float = 15.0) -> Item:
    async with asyncio.timeout(seconds):
        return await anext(stream)


async def test_symbols_have_exact_rules(venue: Venue) -> None:
    (rules,) = await venue.symbols([SYMBOL])
    assert (rules.tick_size, rules.lot_size, rules.min_quantity) == (Decimal("0.1"), Decimal("0.001"), Decimal("0.001"))
    assert (rules.min_notional, rules.max_leverage, rules.base, rules.quote) == (Decimal(5), 125, "BTC", "USDT")
    assert [rule.symbol for rule in await venue.symbols([])] == [SYMBOL, "ETH/USDT:USDT"]


async def test_an_unknown_symbol_is_named(venue: Venue) -> None:
    with pytest.raises(VenueError, match="DOGE/USDT") as error:
        await venue.symbols(["DOGE/USDT"])
    assert error.value.failure.remedy is Remedy.FIX_REQUEST


async def test_account_tells_equity_and_free_margin_apart(venue: Venue) -> None:
    account = await venue.account()
    assert (account.equity, account.wallet_balance, account.available) == (
        Decimal("10002.5"),
        Decimal("10000.5"),
        Decimal("9000.25"),
    )


async def test_a_placed_order_is_looked_up_by_client_id(venue: Venue, face: BinanceFace) -> None:
    placed = ok((await venue.place([order("o1")]))[0])
    assert (placed.state, placed.filled, placed.price) == (OrderState.OPEN, Decimal(0), Decimal(49000))
    assert face.sent("POST", "/fapi/v1/order")[0].params["timeInForce"] == "GTX"
    found, fills = await venue.order(SYMBOL, "o1")
    assert found.client_id == "o1"
    assert found.time_in_force is TimeInForce.POST_ONLY
    assert fills == []
    assert [open_order.client_id for open_order in await venue.open_orders(SYMBOL)] == ["o1"]


async def test_fills_come_with_client_id_fee_and_side(venue: Venue, face: BinanceFace) -> None:
    await venue.place([order("o1")])
    await face.fill("o1", "0.004")
    await face.fill("o1", "0.006")
    found, fills = await venue.order(SYMBOL, "o1")
    assert (found.state, found.filled) == (OrderState.FILLED, Decimal("0.01"))
    assert [fill.quantity for fill in fills] == [Decimal("0.004"), Decimal("0.006")]
    assert fills[0].fee == Decimal("0.0392")
    assert (fills[0].fee_currency, fills[0].maker, fills[0].side) == ("USDT", True, OrderSide.BUY)
    since = await venue.fills(SYMBOL, fills[0].time_us)
    assert [(fill.client_id, fill.trade_id) for fill in since] == [("o1", fill.trade_id) for fill in fills]


async def test_fills_of_orders_that_were_placed_by_an_earlier_process(
    venue: Venue, unopened: Venue, face: BinanceFace
) -> None:
    """Binance's trades carry no client id: the order is looked up by its number."""
    await venue.place([order("o1")])
    await face.fill("o1", "0.01", tell=False)
    venue._fills._client_ids.clear()  # type: ignore[attr-defined] # what a new process knows
    (fill,) = await venue.fills(SYMBOL, face.trades[0]["time"] * 1000)
    assert fill.client_id == "o1"


async def test_every_fill_comes_though_the_pages_are_full(venue: Venue, face: BinanceFace) -> None:
    now = face._now()
    await venue.place([order("o1", quantity="0.2")])
    for number in range(25):
        await face.fill("o1", "0.001", tell=False)
        face.trades[-1]["time"] = now - 20 * 24 * 3600 * 1000 + number * 3_600_000
    dialect = venue._fills._dialect  # type: ignore[attr-defined]
    dialect.profile = replace(dialect.profile, fills_page=4)
    fills = await venue.fills(SYMBOL, (now - 30 * 24 * 3600 * 1000) * 1000)
    assert len({fill.trade_id for fill in fills}) == 25
    assert [fill.time_us for fill in fills] == sorted(fill.time_us for fill in fills)


async def test_a_batch_is_answered_item_by_item(venue: Venue, face: BinanceFace) -> None:
    await venue.place([order("dup")])
    face.margin = Decimal(1000)
    results = await venue.place(
        [
            order("a"),
            order("dup"),
            order("b", "50001"),
            order("c", quantity="0.1"),
            order("d", "4000", "0.001"),
        ]
    )
    assert ok(results[0]).client_id == "a"
    assert [failed(result).remedy for result in results[1:]] == [
        Remedy.DUPLICATE,
        Remedy.WOULD_CROSS,
        Remedy.INSUFFICIENT_MARGIN,
        Remedy.FIX_REQUEST,
    ]
    assert [failed(result).venue_code for result in results[1:]] == ["-4116", "-5022", "-2019", "-4164"]
    assert len(face.sent("POST", "/fapi/v1/batchOrders")) == 1


async def test_exits_and_entries_of_one_call_go_in_requests_of_their_own(venue: Venue, face: BinanceFace) -> None:
    exits = [order(f"x{number}", "51000", side=OrderSide.SELL, reduce_only=True) for number in range(2)]
    results = await venue.place([order("e0"), exits[0], order("e1"), exits[1]])
    assert [ok(result).client_id for result in results] == ["e0", "x0", "e1", "x1"]
    assert len(face.sent("POST", "/fapi/v1/batchOrders")) == 2


async def test_orders_off_the_tick_or_lot_are_never_sent(venue: Venue, face: BinanceFace) -> None:
    results = await venue.place(
        [order("a", "49000.05"), order("b", quantity="0.0015"), order("bad-id"), order("c", "0")]
    )
    assert [failed(result).remedy for result in results] == [Remedy.FIX_REQUEST] * 4
    assert "tick" in failed(results[0]).message
    assert "lot" in failed(results[1]).message
    assert face.orders == {}


async def test_too_many_orders_are_refused(venue: Venue) -> None:
    with pytest.raises(VenueError, match="at most 5"):
        await venue.place([order(f"o{number}") for number in range(6)])


@pytest.mark.parametrize(
    ("fault", "remedy"),
    [
        (
            Fault(
                "POST",
                "/fapi/v1/order",
                503,
                {"code": -1007, "msg": "Timeout waiting for response from backend server."},
            ),
            Remedy.LOOK_UP,
        ),
        (Fault("POST", "/fapi/v1/order", 502, "<html>bad gateway</html>"), Remedy.LOOK_UP),
        (Fault("POST", "/fapi/v1/order", hang_up=True, carry_out=True), Remedy.LOOK_UP),
        (
            Fault("POST", "/fapi/v1/order", 400, {"code": -1021, "msg": "Timestamp for this request is outside."}),
            Remedy.RETRY,
        ),
        (Fault("POST", "/fapi/v1/order", 400, {"code": -9999, "msg": "A code of tomorrow."}), Remedy.FIX_REQUEST),
        (
            Fault("POST", "/fapi/v1/order", 400, {"code": -4088, "msg": "User can not place order currently."}),
            Remedy.HALT,
        ),
    ],
)
async def test_what_a_failed_placement_means(venue: Venue, face: BinanceFace, fault: Fault, remedy: Remedy) -> None:
    face.faults.append(fault)
    (result,) = await venue.place([order("o1")])
    assert failed(result).remedy is remedy, result
    assert len(face.sent("POST", "/fapi/v1/order")) == 1, "a placement is never repeated"


async def test_an_order_that_arrived_though_the_answer_was_lost_is_found(venue: Venue, face: BinanceFace) -> None:
    face.faults.append(Fault("POST", "/fapi/v1/order", hang_up=True, carry_out=True))
    assert failed((await venue.place([order("o1")]))[0]).remedy is Remedy.LOOK_UP
    found, _ = await venue.order(SYMBOL, "o1")
    assert found.state is OrderState.OPEN


async def test_an_unreachable_exchange_has_taken_nothing(venue: Venue, face: BinanceFace) -> None:
    await face.stop()
    (result,) = await venue.place([order("o1")])
    assert failed(result).remedy is Remedy.RETRY


async def test_a_rate_limit_holds_everybody_back(venue: Venue, face: BinanceFace) -> None:
    face.faults.append(
        Fault("POST", "/fapi/v1/order", 429, {"code": -1003, "msg": "Too many requests."}, {"Retry-After": "30"})
    )
    (result,) = await venue.place([order("o1")])
    assert (failed(result).remedy, failed(result).retry_after_ms) == (Remedy.BACK_OFF, 30_000)
    before = len(face.requests)
    (blocked,) = await venue.cancel(SYMBOL, ["o1"])
    assert failed(blocked).remedy is Remedy.BACK_OFF
    assert 0 < failed(blocked).retry_after_ms <= 30_001
    assert len(face.requests) == before
    assert (venue.health().ready, venue.health().reason) == (False, "RateLimited")


async def test_a_ban_is_waited_out_to_its_end(venue: Venue, face: BinanceFace) -> None:
    until = face._now() + 90_000
    message = f"Way too many requests; IP banned until {until}. Please use the websocket for live updates."
    face.faults.append(Fault("POST", "/fapi/v1/order", 418, {"code": -1003, "msg": message}))
    (result,) = await venue.place([order("o1")])
    assert 80_000 < failed(result).retry_after_ms <= 90_000


async def test_a_cancel_answers_with_what_was_filled_before(venue: Venue, face: BinanceFace) -> None:
    await venue.place([order("o1")])
    await face.fill("o1", "0.003")
    (cancelled,) = await venue.cancel(SYMBOL, ["o1"])
    assert (ok(cancelled).state, ok(cancelled).filled) == (OrderState.CANCELLED, Decimal("0.003"))
    (again,) = await venue.cancel(SYMBOL, ["o1"])
    assert failed(again).remedy is Remedy.UNKNOWN_ORDER


async def test_a_batch_of_cancels_is_answered_item_by_item(venue: Venue, face: BinanceFace) -> None:
    await venue.place([order("o1"), order("o2")])
    results = await venue.cancel(SYMBOL, ["o1", "gone", "o2"])
    assert [ok(results[0]).client_id, ok(results[2]).client_id] == ["o1", "o2"]
    assert failed(results[1]).remedy is Remedy.UNKNOWN_ORDER
    assert len(face.sent("DELETE", "/fapi/v1/batchOrders")) == 1


async def test_an_unknown_order_is_told_from_a_failed_look_up(venue: Venue, face: BinanceFace) -> None:
    with pytest.raises(VenueError) as error:
        await venue.order(SYMBOL, "never")
    assert error.value.failure.remedy is Remedy.UNKNOWN_ORDER
    await venue.place([order("o1")])
    face.faults.append(Fault("GET", "/fapi/v1/order", 502, "<html></html>"))
    found, _ = await venue.order(SYMBOL, "o1")
    assert found.client_id == "o1", "a read is repeated"


async def test_prepare_sets_leverage_and_refuses_hedge_mode(venue: Venue, face: BinanceFace) -> None:
    await venue.prepare(SYMBOL, 7)
    assert face.leverage == {"BTCUSDT": 7}
    face.hedged = True
    with pytest.raises(VenueError, match="one-way") as error:
        await venue.prepare(SYMBOL, 7)
    assert error.value.failure.remedy is Remedy.FIX_REQUEST


async def test_positions_are_signed_and_flat_ones_are_told(venue: Venue, face: BinanceFace) -> None:
    (flat,) = await venue.positions([SYMBOL])
    assert flat.quantity == 0
    await venue.place([order("s", "51000", side=OrderSide.SELL)])
    await face.fill("s", "0.01")
    (short,) = await venue.positions([SYMBOL])
    assert (short.quantity, short.leverage, short.entry_price) == (Decimal("-0.010"), 5, Decimal("49000.0"))


async def test_the_order_stream_brings_orders_and_fills(venue: Venue, face: BinanceFace) -> None:
    stream = venue.watch_orders([SYMBOL])
    first = asyncio.ensure_future(following(stream))
    await face.until(lambda: bool(face.private))
    await venue.place([order("o1")])
    got = [await first]
    await face.fill("o1", "0.004")
    await face.fill("o1", "0.006")
    while sum(isinstance(item, VenueFill) for item in got) < 2 or ok_orders(got)[-1].state is not OrderState.FILLED:
        got.append(await following(stream))
    fills = [item for item in got if isinstance(item, VenueFill)]
    assert [(fill.client_id, fill.quantity, fill.fee) for fill in fills] == [
        ("o1", Decimal("0.004"), Decimal("0.0392")),
        ("o1", Decimal("0.006"), Decimal("0.0588")),
    ]
    assert ok_orders(got)[-1].filled == Decimal("0.01")
    await stream.aclose()  # type: ignore[attr-defined]


def ok_orders(items: list[OrderUpdate | Gap]) -> list[VenueOrder]:
    return [item for item in items if isinstance(item, VenueOrder)]


async def test_a_broken_stream_shows_a_gap_and_goes_on(venue: Venue, face: BinanceFace) -> None:
    stream = venue.watch_prices([SYMBOL])
    first = asyncio.ensure_future(following(stream))
    await face.until(lambda: any("btcusdt@miniTicker" in names for names in face.public.values()))
    await face.tick("50000.5")
    price = await first
    assert isinstance(price, Price)
    assert (price.last, price.symbol) == (Decimal("50000.5"), SYMBOL)
    await face.hang_up()
    assert isinstance(await following(stream), Gap)
    again = asyncio.ensure_future(following(stream))
    await face.until(lambda: any("btcusdt@miniTicker" in names for names in face.public.values()))
    await face.tick("50001")
    item = await again
    while isinstance(item, Gap):
        item = await following(stream)
    assert isinstance(item, Price)
    assert item.last == Decimal(50001)
    await stream.aclose()  # type: ignore[attr-defined]


async def test_candles_are_told_once_more_when_they_are_closed(venue: Venue, face: BinanceFace) -> None:
    stream = venue.watch_klines([SYMBOL], "1m")
    first = asyncio.ensure_future(following(stream))
    await face.until(lambda: any("btcusdt@kline_1m" in names for names in face.public.values()))
    await face.candle(60_000, "50010", closed=False)
    candle = await first
    assert not isinstance(candle, Gap)
    assert (candle.close, candle.closed, candle.open_time_us) == (Decimal(50010), False, 60_000_000)
    await face.candle(120_000, "50020", closed=False)
    finished, begun = await following(stream), await following(stream)
    assert not isinstance(finished, Gap)
    assert not isinstance(begun, Gap)
    assert (finished.open_time_us, finished.closed, begun.open_time_us, begun.closed) == (
        60_000_000,
        True,
        120_000_000,
        False,
    )
    await stream.aclose()  # type: ignore[attr-defined]


async def test_a_fill_that_the_stream_kept_to_itself_is_found(
    venue: Venue, face: BinanceFace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("opensqt.connector.ccxt_venue.streams.AUDIT_SECONDS", 0.2)
    monkeypatch.setattr("opensqt.connector.ccxt_venue.streams.LATE_US", 300_000)
    stream = venue.watch_orders([SYMBOL])
    first = asyncio.ensure_future(following(stream))
    await face.until(lambda: bool(face.private))
    face.mute = True
    await venue.place([order("o1")])
    await face.fill("o1", "0.01")
    fill = await first
    assert isinstance(fill, VenueFill)
    assert (fill.client_id, fill.quantity) == ("o1", Decimal("0.01"))
    await stream.aclose()  # type: ignore[attr-defined]


async def test_the_account_stream_starts_with_the_account(venue: Venue) -> None:
    stream = venue.watch_account()
    account = await following(stream)
    assert not isinstance(account, Gap)
    assert account.equity == Decimal("10002.5")
    await stream.aclose()  # type: ignore[attr-defined]
