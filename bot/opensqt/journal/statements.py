"""The journal's SQL. Every write is one statement that stands or falls with the bot's row in `bots`: the fence.

The fence locks that row. Under READ COMMITTED an append that meets a take-over in flight waits for it, then sees the
new epoch and writes nothing; a take-over that meets an append waits for it, and so loads what it wrote. `last_seq`
makes the log gapless and a late duplicate of an append harmless.

An append finds rows by key alone: the fence through its primary key, the others as conflicts. So its plan cannot go
wrong while the tables are young and not analysed.
"""

from functools import cache

TAKE_EPOCH = """
INSERT INTO opensqt.bots AS bot (bot_uid, namespace, name, symbol, epoch)
VALUES ($1, $2, $3, $4, 1)
ON CONFLICT (bot_uid) DO UPDATE
SET epoch = bot.epoch + 1, namespace = excluded.namespace, name = excluded.name, started_at = now()
WHERE bot.symbol = excluded.symbol
RETURNING epoch, last_seq
"""

_LOGGED = """
WITH fence AS (
    UPDATE opensqt.bots SET last_seq = $3 + {count}
    WHERE bot_uid = $1 AND epoch = $2 AND last_seq = $3
    RETURNING bot_uid
), logged AS (
    INSERT INTO opensqt.events (bot_uid, seq, epoch, time, event, actions)
    SELECT bot_uid, $3 + row.number, $2, row.time, row.event, row.actions
    FROM fence, {events}
)"""

_PLACED = """
    INSERT INTO opensqt.orders AS known
        (bot_uid, client_id, side, price, lots, reduce_only, time_in_force, first_seq, last_seq)
    SELECT bot_uid, row.*, $3 + {count}, $3 + {count}
    FROM fence, {rows}
    ON CONFLICT (bot_uid, client_id) DO UPDATE SET last_seq = excluded.last_seq, placements = known.placements + 1
"""

_REPORTED = """
    INSERT INTO opensqt.reports AS known (bot_uid, client_id, seq, status, filled)
    SELECT bot_uid, row.* FROM fence, {rows}
    ON CONFLICT (bot_uid, client_id) DO UPDATE
    SET seq = excluded.seq, status = excluded.status, filled = greatest(known.filled, excluded.filled)
    WHERE known.status NOT IN ('Filled', 'Cancelled', 'Rejected', 'Expired')
        OR excluded.status IN ('Filled', 'Cancelled', 'Rejected', 'Expired')
"""

_FILLED = """
    INSERT INTO opensqt.fills (bot_uid, trade_id, client_id, seq, time, price, lots, fee, maker)
    SELECT bot_uid, row.* FROM fence, {rows}
    ON CONFLICT (bot_uid, trade_id) DO NOTHING
"""

PARTS: dict[str, tuple[tuple[str, ...], str]] = {
    "placed": (("text", "text", "bigint", "bigint", "boolean", "text"), _PLACED),
    "reported": (("text", "bigint", "text", "bigint"), _REPORTED),
    "filled": (("text", "text", "bigint", "bigint", "bigint", "bigint", "numeric", "boolean"), _FILLED),
}
"""What an append may write beside its events: the types of its columns, and how."""

_EVENTS = ("bigint", "json", "json")


@cache
def append(one_event: bool, parts: tuple[tuple[str, bool], ...]) -> str:
    """The append with these parts; each part that it has costs time, whether there is anything in it or not.

    What has one row only is written without arrays, which saves a tenth of the time; that is what the booleans say.
    Parameters: bot uid, epoch, last seq; times, events and their actions; the columns of each part.
    """
    if one_event:
        events = f"(VALUES ({_parameters(4, _EVENTS)}, 1)) AS row (time, event, actions, number)"
    else:
        events = f"unnest({_parameters(4, _EVENTS, '[]')}) WITH ORDINALITY AS row (time, event, actions, number)"
    count = "1" if one_event else "cardinality($5::json[])"
    statement, number = _LOGGED.format(events=events, count=count), 4 + len(_EVENTS)
    for part, one_row in parts:
        types, insert = PARTS[part]
        rows = f"(VALUES ({_parameters(number, types)}))" if one_row else f"unnest({_parameters(number, types, '[]')})"
        statement += f", {part} AS ({insert.format(rows=f'{rows} AS row', count=count)})"
        number += len(types)
    return f"{statement}\nSELECT 1 FROM fence"


def _parameters(first: int, types: tuple[str, ...], array: str = "") -> str:
    return ", ".join(f"${number}::{kind}{array}" for number, kind in enumerate(types, first))


BOT = "SELECT epoch, last_seq FROM opensqt.bots WHERE bot_uid = $1"

SAVE_SNAPSHOT = """
WITH fence AS (
    SELECT bot_uid FROM opensqt.bots WHERE bot_uid = $1 AND epoch = $2 AND last_seq >= $3 FOR SHARE
), saved AS (
    INSERT INTO opensqt.snapshots (bot_uid, seq, epoch, snapshot)
    SELECT bot_uid, $3, $2, $4::json FROM fence
    ON CONFLICT (bot_uid, seq) DO UPDATE SET epoch = excluded.epoch, snapshot = excluded.snapshot, recorded_at = now()
), pruned AS (
    DELETE FROM opensqt.snapshots WHERE bot_uid = (SELECT bot_uid FROM fence) AND seq <= (
        SELECT seq FROM opensqt.snapshots WHERE bot_uid = $1 AND seq <> $3 ORDER BY seq DESC OFFSET $5 LIMIT 1
    )
)
SELECT count(*) FROM fence
"""

NEWEST_SNAPSHOT = "SELECT seq, snapshot FROM opensqt.snapshots WHERE bot_uid = $1 ORDER BY seq DESC LIMIT 1"

SNAPSHOTS = "SELECT seq, snapshot FROM opensqt.snapshots WHERE bot_uid = $1 ORDER BY seq"

EVENTS = "SELECT seq, epoch, event, actions FROM opensqt.events WHERE bot_uid = $1 AND seq > $2 ORDER BY seq LIMIT $3"

_FILL = """
SELECT fill.seq, fill.time, fill.trade_id, fill.client_id, placed.side, fill.price, fill.lots, fill.fee, fill.maker
FROM opensqt.fills AS fill LEFT JOIN opensqt.orders AS placed USING (bot_uid, client_id)
WHERE fill.bot_uid = $1
"""

FILLS = f"{_FILL} AND (fill.seq, fill.trade_id) > ($2, $3) ORDER BY fill.seq, fill.trade_id LIMIT $4"

RECENT_FILLS = f"{_FILL} ORDER BY fill.seq DESC, fill.trade_id DESC LIMIT $2"

ORDERS = """
SELECT placed.first_seq AS placed_seq, placed.client_id, event.time, placed.side, placed.price, placed.lots,
    placed.reduce_only, placed.time_in_force, placed.placements, coalesce(report.filled, 0) AS filled,
    CASE WHEN report.seq > placed.last_seq THEN report.status ELSE 'Intended' END AS status
FROM opensqt.orders AS placed
LEFT JOIN opensqt.reports AS report USING (bot_uid, client_id)
LEFT JOIN opensqt.events AS event ON event.bot_uid = placed.bot_uid AND event.seq = placed.first_seq
WHERE placed.bot_uid = $1 AND (placed.first_seq, placed.client_id) > ($2, $3)
ORDER BY placed.first_seq, placed.client_id LIMIT $4
"""

BOTS = """
SELECT bot_uid, namespace, name, symbol, epoch, last_seq, started_at
FROM opensqt.bots ORDER BY namespace, name, started_at
"""
