-- How many persons an unlock from afar takes at a door (RA-2, D27).
ALTER TABLE door ADD COLUMN remote_unlock TEXT NOT NULL DEFAULT 'two' CHECK (remote_unlock IN ('off', 'two', 'one'));

-- Commands on their way (D13). Who asked, who agreed and why stand in the leaves; what came of it in the records
-- that carry the command's id as their attempt. This row only says what may still happen with it.
CREATE TABLE command (
  id            BLOB PRIMARY KEY CHECK (length(id) = 16),
  gateway       TEXT NOT NULL,
  door          TEXT NOT NULL,
  action        TEXT NOT NULL CHECK (action IN ('remote_unlock', 'rearm', 'self_test')),
  state         TEXT NOT NULL CHECK (state IN ('requested', 'withdrawn', 'sent', 'not_sent')),
  why           TEXT NOT NULL DEFAULT '',     -- not_sent: a machine word
  requested_by  TEXT NOT NULL,                -- account
  requested_ms  INTEGER NOT NULL,
  requested_idx INTEGER NOT NULL,             -- leaf; its opening has the reason
  ordered_by    TEXT NOT NULL DEFAULT '',     -- account that agreed; the asking one where one person is enough
  ordered_ms    INTEGER NOT NULL DEFAULT 0,
  ordered_idx   INTEGER NOT NULL DEFAULT 0,   -- leaf; committed before the command is signed
  confirm       INTEGER NOT NULL DEFAULT 0 CHECK (confirm IN (0, 1)), -- a second person has to look afterwards
  confirmed_by  TEXT NOT NULL DEFAULT '',
  confirmed_ms  INTEGER NOT NULL DEFAULT 0,
  settled       INTEGER NOT NULL DEFAULT 0 CHECK (settled IN (0, 1)) -- nothing more is looked for
) STRICT, WITHOUT ROWID;
CREATE INDEX command_time ON command (requested_ms);
CREATE INDEX command_open ON command (settled) WHERE settled = 0;
