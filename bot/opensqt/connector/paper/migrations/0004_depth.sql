-- Where orders fill in parts: the lots that can still trade at the last price, or a restart would give its volume twice.
ALTER TABLE markets ADD COLUMN depth bigint NOT NULL DEFAULT 0;
