-- Funding of perpetuals: one row a market and funding time, so that none is ever charged twice.
CREATE TABLE funding (
    account integer NOT NULL REFERENCES accounts,
    symbol  text    NOT NULL,
    due_us  bigint  NOT NULL, -- the funding time
    lots    bigint  NOT NULL, -- the position that it was reckoned on, signed
    price   bigint  NOT NULL,
    amount  numeric NOT NULL, -- paid; negative where received
    step    bigint  NOT NULL,
    PRIMARY KEY (account, symbol, due_us)
);
