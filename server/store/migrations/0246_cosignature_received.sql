-- When the server was shown a cosignature, by its own clock, UTC ms; 0 = before this was kept. at_ms is the witness's word.
ALTER TABLE cosignature ADD COLUMN received_ms INTEGER NOT NULL DEFAULT 0;
