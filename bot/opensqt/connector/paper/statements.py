"""The SQL of the paper exchange's books, and rows as the columns of arrays that it takes."""

from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from opensqt.connector.paper.account import Holding
from opensqt.connector.paper.orders import PaperFill, PaperOrder

if TYPE_CHECKING:
    from opensqt.connector.paper.books import Commit

TAKE = """
INSERT INTO paper.accounts (uid, epoch, balance) VALUES ($1, 1, $2)
ON CONFLICT (uid) DO UPDATE SET epoch = accounts.epoch + 1 RETURNING *"""
TAKE_MARKET = """
INSERT INTO paper.markets (account, symbol, tick_size, lot_size) VALUES ($1, $2, $3, $4)
ON CONFLICT (account, symbol) DO UPDATE SET symbol = excluded.symbol RETURNING *"""
ACCOUNT = "SELECT epoch, sequence FROM paper.accounts WHERE id = $1"
ALL_IDS = "SELECT client_id FROM paper.orders WHERE account = $1"
OPEN_ORDERS = "SELECT * FROM paper.orders WHERE account = $1 AND state = 'Open' ORDER BY number"
ORDER = "SELECT * FROM paper.orders WHERE account = $1 AND client_id = $2 AND symbol = $3"
ORDERS = "SELECT * FROM paper.orders WHERE account = $1 AND client_id = ANY($2::text[])"
KNOWN = "SELECT client_id FROM paper.orders WHERE account = $1 AND client_id = ANY($2::text[])"
FILLS_OF_ORDER = "SELECT * FROM paper.fills WHERE account = $1 AND client_id = $2 ORDER BY trade"
FILLS_SINCE = "SELECT * FROM paper.fills WHERE account = $1 AND symbol = $2 AND time_us >= $3 ORDER BY trade"
FILLS_AFTER_STEP = """
SELECT * FROM paper.fills
WHERE account = $1 AND symbol = $2 AND step > $3 AND starts_with(client_id, $4) ORDER BY trade"""

_OWN = """
WITH own AS (
    UPDATE paper.accounts SET sequence = $3, step = $4, time_us = $5, balance = $6, orders = $7, trades = $8
    WHERE id = $1 AND epoch = $2 AND sequence = $3 - 1 RETURNING id)"""
_MARKETS = """
, moved AS (
    UPDATE paper.markets m SET time_us = u.time_us, last = u.last, lots = u.lots, cost = u.cost, leverage = u.leverage
    FROM own, unnest({}::text[], {}::bigint[], {}::bigint[], {}::bigint[], {}::numeric[], {}::integer[])
        AS u (symbol, time_us, last, lots, cost, leverage)
    WHERE m.account = own.id AND m.symbol = u.symbol)"""
_PLACED = """
, placed AS (
    INSERT INTO paper.orders (account, client_id, symbol, number, side, price, lots, filled, state, reduce_only,
        time_in_force, time_us, step, reason)
    SELECT own.id, u.* FROM own, unnest({}::text[], {}::text[], {}::bigint[], {}::text[], {}::bigint[], {}::bigint[],
        {}::bigint[], {}::text[], {}::boolean[], {}::text[], {}::bigint[], {}::bigint[], {}::text[]) AS u)"""
_CHANGED = """
, changed AS (
    UPDATE paper.orders o SET filled = u.filled, state = u.state, time_us = u.time_us, step = u.step, reason = u.reason
    FROM own, unnest({}::text[], {}::bigint[], {}::text[], {}::bigint[], {}::bigint[], {}::text[])
        AS u (client_id, filled, state, time_us, step, reason)
    WHERE o.account = own.id AND o.client_id = u.client_id)"""
_FILLS = """
, filled AS (
    INSERT INTO paper.fills (account, trade, symbol, client_id, side, price, lots, fee, maker, time_us, step)
    SELECT own.id, u.* FROM own, unnest({}::bigint[], {}::text[], {}::text[], {}::text[], {}::bigint[], {}::bigint[],
        {}::numeric[], {}::boolean[], {}::bigint[], {}::bigint[]) AS u)"""
_DONE = "\nSELECT count(*) FROM own"

Columns = tuple[list[Any], ...]


def commit(account: int, epoch: int, sequence: int, rows: "Commit") -> tuple[str, list[Any]]:
    """One statement that writes all rows if the epoch is ours and the sequence the next one; it returns 1, else 0."""
    query = _OWN
    arguments: list[Any] = [account, epoch, sequence, *rows.account]
    for part, columns in (
        (_MARKETS, rows.markets),
        (_PLACED, rows.placed),
        (_CHANGED, rows.changed),
        (_FILLS, rows.fills),
    ):
        if columns:
            first = len(arguments) + 1
            query += part.format(*(f"${number}" for number in range(first, first + len(columns))))
            arguments += columns
    return query + _DONE, arguments


def _columns(rows: Iterable[tuple[Any, ...]]) -> Columns:
    """Columns of rows; nothing at all where there is no row."""
    return tuple(list(column) for column in zip(*rows, strict=True))


def market_rows(moved: Iterable[tuple[Holding, int]]) -> Columns:
    return _columns(
        (market.instrument.symbol, time_us, market.last, market.lots, Decimal(market.cost), market.leverage)
        for market, time_us in moved
    )


def placed_rows(orders: Iterable[PaperOrder]) -> Columns:
    return _columns(
        (
            order.client_id,
            order.instrument.symbol,
            order.number,
            order.side,
            order.price,
            order.lots,
            order.filled,
            order.state,
            order.reduce_only,
            order.time_in_force,
            order.time_us,
            order.step,
            order.reason,
        )
        for order in orders
    )


def changed_rows(orders: Iterable[PaperOrder]) -> Columns:
    return _columns(
        (order.client_id, order.filled, order.state, order.time_us, order.step, order.reason) for order in orders
    )


def fill_rows(fills: Iterable[PaperFill]) -> Columns:
    return _columns(
        (
            fill.trade,
            fill.instrument.symbol,
            fill.client_id,
            fill.side,
            fill.price,
            fill.lots,
            Decimal(fill.fee),
            fill.maker,
            fill.time_us,
            fill.step,
        )
        for fill in fills
    )
