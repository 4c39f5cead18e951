-- What people did with findings: taken, given to somebody, noted, closed with a verdict, opened again. Every column stands in the
-- action leaf too; the words and to whom it was given stand in its opening.
CREATE TABLE finding_act (
  idx     INTEGER PRIMARY KEY,   -- the action leaf
  finding INTEGER NOT NULL,      -- leaf of the finding
  kind    TEXT NOT NULL,         -- the verb of the leaf
  account TEXT NOT NULL,
  at_ms   INTEGER NOT NULL       -- UTC ms
) STRICT;
CREATE INDEX finding_act_finding ON finding_act (finding);
CREATE TRIGGER finding_act_no_delete BEFORE DELETE ON finding_act BEGIN SELECT RAISE(ABORT, 'finding_act is append-only'); END;
CREATE TRIGGER finding_act_no_update BEFORE UPDATE ON finding_act BEGIN SELECT RAISE(ABORT, 'finding_act is append-only'); END;
