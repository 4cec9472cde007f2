"""The journal's SQL. Every write is one statement that stands or falls with the bot's row in `bots`: the fence.

The fence locks that row. Under READ COMMITTED an append that meets a take-over in flight waits for it, then sees the
new epoch and writes nothing; a take-over that meets an append waits for it, and so loads what it wrote. `last_seq`
makes the log gapless and a late duplicate of an append harmless.

An append writes the log alone: orders and fills are views of it. It finds one row by key, the fence, so its plan
cannot go wrong while the tables are young and not analysed.
"""

TAKE_EPOCH = """
INSERT INTO opensqt.bots AS bot (bot_uid, namespace, name, symbol, epoch)
VALUES ($1, $2, $3, $4, 1)
ON CONFLICT (bot_uid) DO UPDATE
SET epoch = bot.epoch + 1, namespace = excluded.namespace, name = excluded.name, started_at = now()
WHERE bot.symbol = excluded.symbol
RETURNING epoch, last_seq
"""

APPEND = """
WITH fence AS (
    UPDATE opensqt.bots SET last_seq = $3 + cardinality($4::bigint[])
    WHERE bot_uid = $1 AND epoch = $2 AND last_seq = $3
    RETURNING bot_uid
), logged AS (
    INSERT INTO opensqt.events (bot_uid, seq, epoch, time, event, actions)
    SELECT bot_uid, $3 + row.number, $2, row.time, row.event, row.actions
    FROM fence, ROWS FROM (
        unnest($4::bigint[]), json_array_elements($5::json), json_array_elements($6::json)
    ) WITH ORDINALITY AS row (time, event, actions, number)
)
SELECT 1 FROM fence
"""
"""Parameters: bot uid, epoch, last seq; times, events and their actions, the latter two as JSON arrays."""

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

FILLS = """
SELECT seq, time, trade_id, client_id, side, price, lots, fee, maker FROM opensqt.fills
WHERE bot_uid = $1 AND seq > $2 ORDER BY seq LIMIT $3
"""

RECENT_FILLS = """
SELECT seq, time, trade_id, client_id, side, price, lots, fee, maker FROM opensqt.fills
WHERE bot_uid = $1 ORDER BY seq DESC LIMIT $2
"""

BOTS = """
SELECT bot_uid, namespace, name, symbol, epoch, last_seq, started_at
FROM opensqt.bots ORDER BY namespace, name, started_at
"""
