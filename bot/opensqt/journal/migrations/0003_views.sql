-- Orders and fills are read from the log itself: an append writes nothing else, and nothing can differ from the log.

-- A fill says its side from now on; earlier ones get that of their order.
UPDATE events SET event = (left(event::text, -1) || ',"side":"' || orders.side || '"}')::json
FROM orders
WHERE events.event::text LIKE '{"k":"OrderFilled/1",%' AND NOT events.event::text LIKE '%,"side":"%'
    AND orders.bot_uid = events.bot_uid AND orders.client_id = events.event->>'client_id';

DROP TABLE orders, reports, fills;

-- What follows goes by the form that the engine's codec has fixed. A kind is told by how its text begins, for `->>` fails
-- on what an exchange may have put into any of a value's messages (\u0000): it is used only where there is no message.

CREATE INDEX fills_by_seq ON events (bot_uid, seq) WHERE event::text LIKE '{"k":"OrderFilled/1",%';
CREATE INDEX fills_by_trade ON events (bot_uid, (event->>'trade_id'), seq) WHERE event::text LIKE '{"k":"OrderFilled/1",%';

-- Trades, once each: the position is their sum. (WITH, for rows could be deleted through a plainer view.)
CREATE VIEW fills AS
WITH told AS (
    SELECT * FROM events WHERE event::text LIKE '{"k":"OrderFilled/1",%'
)
SELECT bot_uid, event->>'trade_id' AS trade_id, event->>'client_id' AS client_id, seq, time, event->>'side' AS side,
    (event->>'price')::bigint AS price, (event->>'lots')::bigint AS lots, (event->>'fee')::numeric AS fee,
    (event->>'maker')::boolean AS maker
FROM told
WHERE seq = (
    SELECT min(seq) FROM events AS first
    WHERE first.event::text LIKE '{"k":"OrderFilled/1",%'
        AND first.bot_uid = told.bot_uid AND first.event->>'trade_id' = told.event->>'trade_id'
);

-- What was intended, whatever became of it: the furthest that the exchange has said. News may come out of order, what has
-- ended stays ended. Given out again, it is the same order under the same client id.
CREATE VIEW orders AS
WITH placed AS (
    SELECT bot_uid, place->>'client_id' AS client_id, place->>'side' AS side, (place->>'price')::bigint AS price,
        (place->>'lots')::bigint AS lots, (place->>'reduce_only')::boolean AS reduce_only,
        place->>'time_in_force' AS time_in_force,
        min(seq) AS first_seq, max(seq) AS last_seq, count(*)::integer AS placements
    FROM events, json_array_elements(actions) AS action,
        LATERAL (SELECT CASE WHEN action::text LIKE '{"k":"Place/1",%' THEN action END AS place) AS item
    WHERE actions::text LIKE '%{"k":"Place/1",%' AND place IS NOT NULL
    GROUP BY 1, 2, 3, 4, 5, 6, 7
), said AS (
    SELECT bot_uid, seq, substring(event::text FROM '"client_id":"([^"]*)"') AS client_id,
        CASE
            WHEN event::text LIKE '{"k":"OrderReported/1",%' THEN event->>'state'
            WHEN event::text LIKE '{"k":"OrderNotFound/1",%' THEN 'NotFound'
            ELSE 'PlaceFailed'
        END AS status,
        CASE WHEN event::text LIKE '{"k":"OrderReported/1",%' THEN (event->>'filled')::bigint ELSE 0 END AS filled
    FROM events
    WHERE event::text LIKE '{"k":"OrderReported/1",%' OR event::text LIKE '{"k":"OrderNotFound/1",%'
        OR event::text LIKE '{"k":"PlaceFailed/1",%'
), known AS (
    SELECT DISTINCT ON (bot_uid, client_id) bot_uid, client_id, seq, status,
        max(filled) OVER (PARTITION BY bot_uid, client_id) AS filled
    FROM said
    ORDER BY bot_uid, client_id, status IN ('Filled', 'Cancelled', 'Rejected', 'Expired') DESC, seq DESC
)
SELECT bot_uid, client_id, side, price, lots, reduce_only, time_in_force, first_seq, last_seq, placements,
    CASE WHEN known.seq > placed.last_seq THEN known.status ELSE 'Intended' END AS status,
    coalesce(known.filled, 0) AS filled
FROM placed LEFT JOIN known USING (bot_uid, client_id);
