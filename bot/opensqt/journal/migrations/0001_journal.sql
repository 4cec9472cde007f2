-- Prices in ticks, quantities in lots, money in 10^-12 of the quote currency, times in microseconds since 1970 (exchange's clock).

-- One row a bot. A commit counts only while its epoch is the newest and it follows on the last one: that row is the fence.
CREATE TABLE bots (
    bot_uid    text PRIMARY KEY,
    namespace  text NOT NULL,
    name       text NOT NULL,
    symbol     text NOT NULL,
    epoch      bigint NOT NULL,
    last_seq   bigint NOT NULL DEFAULT 0,
    started_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);

-- The log, the one source of a bot's state. Never deleted, never changed.
-- json, not jsonb: stored as it was written, whatever an exchange puts into a message (jsonb refuses \u0000).
CREATE TABLE events (
    bot_uid     text NOT NULL,
    seq         bigint NOT NULL,
    epoch       bigint NOT NULL,
    time        bigint NOT NULL,
    event       json NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (bot_uid, seq)
);

-- The engine's whole state after the event `seq`: shortens recovery, can always be made again from the events.
CREATE TABLE snapshots (
    bot_uid     text NOT NULL,
    seq         bigint NOT NULL,
    epoch       bigint NOT NULL,
    snapshot    json NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (bot_uid, seq)
);

-- What was intended, committed before it was sent. Given out again, it is the same order under the same client id.
CREATE TABLE orders (
    bot_uid       text NOT NULL,
    client_id     text NOT NULL,
    side          text NOT NULL,
    price         bigint, -- null: a market order
    lots          bigint NOT NULL,
    reduce_only   boolean NOT NULL,
    time_in_force text NOT NULL,
    first_seq     bigint NOT NULL, -- the last event of the commit that first intended it
    last_seq      bigint NOT NULL, -- and of the one that last gave it out
    placements    integer NOT NULL DEFAULT 1,
    PRIMARY KEY (bot_uid, client_id)
) WITH (fillfactor = 90);
CREATE INDEX orders_by_seq ON orders (bot_uid, first_seq, client_id);

-- The furthest that the exchange has said of an order: news may come out of order, what has ended stays ended.
CREATE TABLE reports (
    bot_uid   text NOT NULL,
    client_id text NOT NULL,
    seq       bigint NOT NULL, -- the event that said so
    status    text NOT NULL,
    filled    bigint NOT NULL, -- lots, cumulative
    PRIMARY KEY (bot_uid, client_id)
) WITH (fillfactor = 70);

-- Trades, once each: the position is their sum.
CREATE TABLE fills (
    bot_uid   text NOT NULL,
    trade_id  text NOT NULL,
    client_id text NOT NULL,
    seq       bigint NOT NULL,
    time      bigint NOT NULL,
    price     bigint NOT NULL,
    lots      bigint NOT NULL,
    fee       numeric NOT NULL,
    maker     boolean NOT NULL,
    PRIMARY KEY (bot_uid, trade_id)
);
CREATE INDEX fills_by_seq ON fills (bot_uid, seq, trade_id);
