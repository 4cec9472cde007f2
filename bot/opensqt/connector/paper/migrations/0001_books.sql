-- The books of the paper exchange. Prices are in ticks, quantities in lots, money in 10^-12 of the quote currency,
-- times in microseconds of the market; `step` counts the prices that the account has seen.

CREATE TABLE accounts (
    id       integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    uid      text    NOT NULL UNIQUE,    -- the ExchangeConnector's
    epoch    bigint  NOT NULL,           -- taken by each new instance: an older one can commit nothing more
    sequence bigint  NOT NULL DEFAULT 0, -- counts the commits, so that one in doubt is never repeated
    step     bigint  NOT NULL DEFAULT 0,
    time_us  bigint  NOT NULL DEFAULT 0,
    balance  numeric NOT NULL,
    orders   bigint  NOT NULL DEFAULT 0,
    trades   bigint  NOT NULL DEFAULT 0
);

CREATE TABLE markets (
    account   integer NOT NULL REFERENCES accounts,
    symbol    text    NOT NULL,
    tick_size numeric NOT NULL,
    lot_size  numeric NOT NULL,
    time_us   bigint  NOT NULL DEFAULT 0, -- the place in the data: time of the last price played, 0 before any
    last      bigint  NOT NULL DEFAULT 0,
    lots      bigint  NOT NULL DEFAULT 0,
    cost      numeric NOT NULL DEFAULT 0, -- ticks x lots, signed as the position
    leverage  integer NOT NULL DEFAULT 1,
    PRIMARY KEY (account, symbol)
);

CREATE TABLE orders (
    account       integer NOT NULL REFERENCES accounts,
    client_id     text    NOT NULL COLLATE "C",
    symbol        text    NOT NULL,
    number        bigint  NOT NULL,
    side          text    NOT NULL,
    price         bigint,                 -- null for a market order
    lots          bigint  NOT NULL,
    filled        bigint  NOT NULL,
    state         text    NOT NULL,
    reduce_only   boolean NOT NULL,
    time_in_force text    NOT NULL,
    time_us       bigint  NOT NULL,
    step          bigint  NOT NULL,       -- of the last change
    reason        text    NOT NULL,
    PRIMARY KEY (account, client_id)
) WITH (fillfactor = 85);

CREATE TABLE fills (
    account   integer NOT NULL REFERENCES accounts,
    trade     bigint  NOT NULL,
    symbol    text    NOT NULL,
    client_id text    NOT NULL COLLATE "C",
    side      text    NOT NULL,
    price     bigint  NOT NULL,
    lots      bigint  NOT NULL,
    fee       numeric NOT NULL,
    maker     boolean NOT NULL,
    time_us   bigint  NOT NULL,
    step      bigint  NOT NULL,
    PRIMARY KEY (account, trade)
);
CREATE INDEX fills_by_order ON fills (account, client_id);
CREATE INDEX fills_by_time ON fills (account, symbol, time_us);
