"""The SQL of the paper exchange's books, and rows as the columns of arrays that it takes."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from opensqt.connector.paper.account import Holding
from opensqt.connector.paper.funding import PaperFunding
from opensqt.connector.paper.orders import PaperFill, PaperOrder

if TYPE_CHECKING:
    from opensqt.connector.paper.books import Commit

TAKE = """
INSERT INTO paper.accounts (uid, epoch, balance, trades) VALUES ($1, 1, $2, $3)
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
FUNDING_SINCE = "SELECT * FROM paper.funding WHERE account = $1 AND symbol = $2 AND due_us >= $3 ORDER BY due_us"
FILLS_AFTER_STEP = """
SELECT * FROM paper.fills
WHERE account = $1 AND symbol = $2 AND step > $3 AND starts_with(client_id, $4) ORDER BY trade"""

_OWN = """
WITH own AS (
    UPDATE paper.accounts SET sequence = $3, step = $4, time_us = $5, balance = $6, orders = $7, trades = $8
    WHERE id = $1 AND epoch = $2 AND sequence = $3 - 1 RETURNING id)"""
_PLACE = """
WITH own AS (
    UPDATE paper.accounts SET step = $4, time_us = $5 WHERE id = $1 AND epoch = $2 AND sequence = $3 RETURNING id)"""
_MARKETS = """
, moved AS (
    UPDATE paper.markets m SET time_us = u.time_us, last = u.last, lots = u.lots, cost = u.cost, leverage = u.leverage,
        dust = u.dust, depth = u.depth
    FROM own, {} AS u (symbol, time_us, last, lots, cost, leverage, dust, depth)
    WHERE m.account = own.id AND m.symbol = u.symbol)"""
_PLACED = """
, placed AS (
    INSERT INTO paper.orders (account, client_id, symbol, number, side, price, lots, filled, state, reduce_only,
        time_in_force, time_us, step, reason)
    SELECT own.id, u.* FROM own, {} AS u)"""
_CHANGED = """
, changed AS (
    UPDATE paper.orders o SET filled = u.filled, state = u.state, time_us = u.time_us, step = u.step, reason = u.reason
    FROM own, {} AS u (client_id, filled, state, time_us, step, reason)
    WHERE o.account = own.id AND o.client_id = u.client_id)"""
_FILLS = """
, filled AS (
    INSERT INTO paper.fills (account, trade, symbol, client_id, side, price, lots, fee, maker, time_us, step, taken)
    SELECT own.id, u.* FROM own, {} AS u)"""
_FUNDING = """
, funded AS (
    INSERT INTO paper.funding (account, symbol, due_us, lots, price, amount, step)
    SELECT own.id, u.* FROM own, {} AS u)"""
_DONE = "\nSELECT count(*) FROM own"
_MARKET_TYPES = ("text", "bigint", "bigint", "bigint", "numeric", "integer", "bigint", "bigint")
_PLACED_TYPES = (
    "text", "text", "bigint", "text", "bigint", "bigint", "bigint", "text", "boolean", "text", "bigint", "bigint",
    "text",
)  # fmt: skip
_CHANGED_TYPES = ("text", "bigint", "text", "bigint", "bigint", "text")
_FILL_TYPES = (
    "bigint", "text", "text", "text", "bigint", "bigint", "numeric", "boolean", "bigint", "bigint", "numeric",
)  # fmt: skip
_FUNDING_TYPES = ("text", "bigint", "bigint", "bigint", "numeric", "bigint")

Columns = tuple[str, ...]
"""Each a PostgreSQL array in its text form: several times faster than having asyncpg encode element by element."""


def commit(account: int, epoch: int, sequence: int, rows: "Commit") -> tuple[str, list[Any]]:
    """One statement that writes all rows if the epoch is ours and the sequence the next one; it returns 1, else 0."""
    query = _OWN
    arguments: list[Any] = [account, epoch, sequence, *rows.account]
    for part, types, columns in (
        (_MARKETS, _MARKET_TYPES, rows.markets),
        (_PLACED, _PLACED_TYPES, rows.placed),
        (_CHANGED, _CHANGED_TYPES, rows.changed),
        (_FILLS, _FILL_TYPES, rows.fills),
        (_FUNDING, _FUNDING_TYPES, rows.funding),
    ):
        query += _part(part, types, columns, arguments)
    return query + _DONE, arguments


def place(account: int, epoch: int, sequence: int, rows: "Commit") -> tuple[str, list[Any]]:
    """One statement that writes the markets' places if epoch and sequence are ours; it returns 1, else 0."""
    step, time_us, *_ = rows.account
    arguments: list[Any] = [account, epoch, sequence, step, time_us]
    return _PLACE + _part(_MARKETS, _MARKET_TYPES, rows.markets, arguments) + _DONE, arguments


def _part(template: str, types: tuple[str, ...], columns: Columns, arguments: list[Any]) -> str:
    """A part of a statement whose columns are appended to the arguments; nothing where there are no rows."""
    if not columns:
        return ""
    numbered = enumerate(types, len(arguments) + 1)
    arguments += columns
    return template.format(f"unnest({', '.join(f'${number}::text::{kind}[]' for number, kind in numbered)})")


def market_rows(moved: Iterable[tuple[Holding, int]]) -> Columns:
    rows = list(moved)
    return _arrays(
        _texts([market.instrument.symbol for market, _ in rows]),
        _numbers([time_us for _, time_us in rows]),
        _numbers([market.last for market, _ in rows]),
        _numbers([market.lots for market, _ in rows]),
        _numbers([market.cost for market, _ in rows]),
        _numbers([market.leverage for market, _ in rows]),
        _numbers([market.dust for market, _ in rows]),
        _numbers([market.depth for market, _ in rows]),
    )


def placed_rows(orders: Iterable[PaperOrder]) -> Columns:
    rows = list(orders)
    return _arrays(
        _texts([order.client_id for order in rows]),
        _texts([order.instrument.symbol for order in rows]),
        _numbers([order.number for order in rows]),
        _texts([order.side for order in rows]),
        _numbers(["NULL" if order.price is None else order.price for order in rows]),
        _numbers([order.lots for order in rows]),
        _numbers([order.filled for order in rows]),
        _texts([order.state for order in rows]),
        _numbers([order.reduce_only for order in rows]),
        _texts([order.time_in_force for order in rows]),
        _numbers([order.time_us for order in rows]),
        _numbers([order.step for order in rows]),
        _texts([order.reason for order in rows]),
    )


def changed_rows(orders: Iterable[PaperOrder]) -> Columns:
    rows = list(orders)
    return _arrays(
        _texts([order.client_id for order in rows]),
        _numbers([order.filled for order in rows]),
        _texts([order.state for order in rows]),
        _numbers([order.time_us for order in rows]),
        _numbers([order.step for order in rows]),
        _texts([order.reason for order in rows]),
    )


def fill_rows(fills: Iterable[PaperFill]) -> Columns:
    rows = list(fills)
    return _arrays(
        _numbers([fill.trade for fill in rows]),
        _texts([fill.instrument.symbol for fill in rows]),
        _texts([fill.client_id for fill in rows]),
        _texts([fill.side for fill in rows]),
        _numbers([fill.price for fill in rows]),
        _numbers([fill.lots for fill in rows]),
        _numbers([fill.fee for fill in rows]),
        _numbers([fill.maker for fill in rows]),
        _numbers([fill.time_us for fill in rows]),
        _numbers([fill.step for fill in rows]),
        _numbers([fill.taken for fill in rows]),
    )


def funding_rows(payments: Iterable[PaperFunding]) -> Columns:
    rows = list(payments)
    return _arrays(
        _texts([payment.instrument.symbol for payment in rows]),
        _numbers([payment.due_us for payment in rows]),
        _numbers([payment.lots for payment in rows]),
        _numbers([payment.price for payment in rows]),
        _numbers([payment.amount for payment in rows]),
        _numbers([payment.step for payment in rows]),
    )


def _arrays(*columns: str) -> Columns:
    """The columns; nothing at all where there is no row."""
    return () if columns[0] == "{}" else columns


def _texts(values: list[str]) -> str:
    """Of texts without quotes and backslashes: client ids, symbols and our own words."""
    joined = '","'.join(values)
    return f'{{"{joined}"}}' if values else "{}"


def _numbers(values: Iterable[object]) -> str:
    return f"{{{','.join(map(str, values))}}}"
