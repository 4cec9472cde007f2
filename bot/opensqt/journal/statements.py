"""The journal's SQL. Every write is one statement that stands or falls with the bot's row in `bots`: the fence.

The fence locks that row. Under READ COMMITTED an append that meets a take-over in flight waits for it, then sees the
new epoch and writes nothing; a take-over that meets an append waits for it, and so loads what it wrote. `last_seq`
makes the log gapless and a late duplicate of an append harmless.
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
    UPDATE opensqt.bots SET last_seq = $3 + cardinality($5::json[])
    WHERE bot_uid = $1 AND epoch = $2 AND last_seq = $3
    RETURNING bot_uid
), logged AS (
    INSERT INTO opensqt.events (bot_uid, seq, epoch, time, event)
    SELECT bot_uid, $3 + row.number, $2, row.time, row.event
    FROM fence, unnest($4::bigint[], $5::json[]) WITH ORDINALITY AS row (time, event, number)
), placed AS (
    INSERT INTO opensqt.orders AS known
        (bot_uid, client_id, side, price, lots, reduce_only, time_in_force, filled, status, placed_seq)
    SELECT bot_uid, row.client_id, row.side, row.price, row.lots, row.reduce_only, row.time_in_force, row.filled,
        'Intended', $3 + cardinality($5::json[])
    FROM fence, unnest($6::text[], $7::text[], $8::bigint[], $9::bigint[], $10::boolean[], $11::text[], $12::bigint[])
        AS row (client_id, side, price, lots, reduce_only, time_in_force, filled)
    ON CONFLICT (bot_uid, client_id) DO UPDATE SET
        status = 'Intended', filled = greatest(known.filled, excluded.filled), placements = known.placements + 1
), reported AS (
    UPDATE opensqt.orders AS known SET status = row.status, filled = greatest(known.filled, row.filled)
    FROM fence, unnest($13::text[], $14::text[], $15::bigint[]) AS row (client_id, status, filled)
    WHERE known.bot_uid = fence.bot_uid AND known.client_id = row.client_id
        AND (known.status NOT IN ('Filled', 'Cancelled', 'Rejected', 'Expired')
            OR row.status IN ('Filled', 'Cancelled', 'Rejected', 'Expired'))
), filled AS (
    INSERT INTO opensqt.fills (bot_uid, trade_id, client_id, seq, time, price, lots, fee, maker)
    SELECT bot_uid, row.*
    FROM fence, unnest($16::text[], $17::text[], $18::bigint[], $19::bigint[], $20::bigint[], $21::bigint[],
        $22::numeric[], $23::boolean[]) AS row (trade_id, client_id, seq, time, price, lots, fee, maker)
    ON CONFLICT (bot_uid, trade_id) DO NOTHING
)
SELECT count(*) FROM fence
"""

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

EVENTS = "SELECT seq, epoch, event FROM opensqt.events WHERE bot_uid = $1 AND seq > $2 ORDER BY seq LIMIT $3"

_FILL = """
SELECT fill.seq, fill.time, fill.trade_id, fill.client_id, placed.side, fill.price, fill.lots, fill.fee, fill.maker
FROM opensqt.fills AS fill LEFT JOIN opensqt.orders AS placed USING (bot_uid, client_id)
WHERE fill.bot_uid = $1
"""

FILLS = f"{_FILL} AND (fill.seq, fill.trade_id) > ($2, $3) ORDER BY fill.seq, fill.trade_id LIMIT $4"

RECENT_FILLS = f"{_FILL} ORDER BY fill.seq DESC, fill.trade_id DESC LIMIT $2"

ORDERS = """
SELECT placed.placed_seq, placed.client_id, event.time, placed.side, placed.price, placed.lots, placed.reduce_only,
    placed.time_in_force, placed.status, placed.filled, placed.placements
FROM opensqt.orders AS placed
LEFT JOIN opensqt.events AS event ON event.bot_uid = placed.bot_uid AND event.seq = placed.placed_seq
WHERE placed.bot_uid = $1 AND (placed.placed_seq, placed.client_id) > ($2, $3)
ORDER BY placed.placed_seq, placed.client_id LIMIT $4
"""

BOTS = """
SELECT bot_uid, namespace, name, symbol, epoch, last_seq, started_at
FROM opensqt.bots ORDER BY namespace, name, started_at
"""
