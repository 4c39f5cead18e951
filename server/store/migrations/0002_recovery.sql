-- Recovery cards (AD-18): which door guards the server, which cards open a door on the gateway alone, and how a
-- gateway keeps its keys (D18).
ALTER TABLE door ADD COLUMN guards_server INTEGER NOT NULL DEFAULT 0 CHECK (guards_server IN (0, 1));
ALTER TABLE door ADD COLUMN recovery TEXT NOT NULL DEFAULT '';    -- card ids, sorted, a blank between them
ALTER TABLE gateway ADD COLUMN key_mode TEXT NOT NULL DEFAULT '' CHECK (key_mode IN ('', 'A', 'B', 'C', 'D'));
