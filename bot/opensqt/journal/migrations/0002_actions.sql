-- What the engine wanted when it was told the event: a list, often empty. Null in a log from before this migration.
-- With it a replay can be compared with what was decided, and orders that were sent stand even where it decides otherwise.
ALTER TABLE events ADD COLUMN actions json;
