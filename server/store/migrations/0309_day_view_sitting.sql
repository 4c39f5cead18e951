-- The newest look of all: what is new on a page is told against the look before the sitting, which one reload does not move.
ALTER TABLE day_view ADD COLUMN last_size INTEGER NOT NULL DEFAULT 0;  -- of the log
ALTER TABLE day_view ADD COLUMN last_ms INTEGER NOT NULL DEFAULT 0;    -- UTC ms
UPDATE day_view SET last_size = size, last_ms = at_ms;
