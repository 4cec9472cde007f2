-- Spot: what fees of buys, taken in base currency, leave of a lot. In parts of 10^12 of one.
ALTER TABLE markets ADD COLUMN dust bigint NOT NULL DEFAULT 0;
ALTER TABLE fills ADD COLUMN taken numeric NOT NULL DEFAULT 0;
