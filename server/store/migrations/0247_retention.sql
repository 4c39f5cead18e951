-- Retention and erasure (EV-8, EV-9, PR-3). What was destroyed, when and on whose word stands in the leaves; these rows say what may still
-- happen, and the triggers below look here before anything of the log goes.

CREATE TABLE retention_rule (
  class TEXT PRIMARY KEY,
  years INTEGER NOT NULL CHECK (years BETWEEN 1 AND 100) -- full fiscal years after the one of creation
) STRICT, WITHOUT ROWID;

CREATE TABLE legal_hold (
  id          TEXT PRIMARY KEY,
  class       TEXT NOT NULL,                 -- '' = every class
  from_fy     INTEGER NOT NULL,
  to_fy       INTEGER NOT NULL CHECK (to_fy >= from_fy),
  until_day   TEXT NOT NULL CHECK (length(until_day) = 10), -- somebody looks then; it goes on blocking
  state       TEXT NOT NULL CHECK (state IN ('held', 'release_asked', 'released')),
  placed_by   TEXT NOT NULL,                 -- account
  placed_ms   INTEGER NOT NULL,              -- UTC ms
  placed_idx  INTEGER NOT NULL,              -- leaf; why stands in its opening
  asked_by    TEXT NOT NULL DEFAULT '',      -- who asked for the release
  asked_ms    INTEGER NOT NULL DEFAULT 0,
  released_by TEXT NOT NULL DEFAULT '',      -- another account
  released_ms INTEGER NOT NULL DEFAULT 0,
  CHECK (state <> 'released' OR released_by <> '' AND released_by <> asked_by)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER legal_hold_no_delete BEFORE DELETE ON legal_hold BEGIN SELECT RAISE(ABORT, 'legal_hold is append-only'); END;

CREATE TABLE disposal_run (
  id          TEXT PRIMARY KEY,
  class       TEXT NOT NULL,
  fiscal_year INTEGER NOT NULL,
  state       TEXT NOT NULL CHECK (state IN ('asked', 'approved', 'started', 'done', 'withdrawn')),
  count       INTEGER NOT NULL,              -- leaves, or people, when it was asked for
  asked_by    TEXT NOT NULL,                 -- account
  asked_ms    INTEGER NOT NULL,              -- UTC ms, as all below
  asked_idx   INTEGER NOT NULL,              -- leaf; the reason stands in its opening
  approved_by TEXT NOT NULL DEFAULT '',      -- another account
  approved_ms INTEGER NOT NULL DEFAULT 0,
  started_idx INTEGER NOT NULL DEFAULT -1,   -- leaf, before which nothing is destroyed
  at_idx      INTEGER NOT NULL DEFAULT 0,    -- leaves below it are done
  rows        INTEGER NOT NULL DEFAULT 0,    -- rows that went
  done_idx    INTEGER NOT NULL DEFAULT -1,
  done_ms     INTEGER NOT NULL DEFAULT 0,
  CHECK (state IN ('asked', 'withdrawn') OR approved_by <> '' AND approved_by <> asked_by),
  CHECK (state NOT IN ('started', 'done') OR started_idx >= 0)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX disposal_run_open ON disposal_run (class, fiscal_year) WHERE state IN ('asked', 'approved', 'started');
CREATE TRIGGER disposal_run_no_delete BEFORE DELETE ON disposal_run BEGIN SELECT RAISE(ABORT, 'disposal_run is append-only'); END;

-- Which leaves the open runs dispose of; gone when the run is done, the leaves say it for ever.
CREATE TABLE disposal_range (
  run      TEXT NOT NULL,
  from_idx INTEGER NOT NULL,
  to_idx   INTEGER NOT NULL CHECK (to_idx > from_idx), -- exclusive
  PRIMARY KEY (run, from_idx)
) STRICT, WITHOUT ROWID;

-- Leaves whose openings were erased on a decision.
CREATE TABLE erased (
  idx      INTEGER PRIMARY KEY,              -- the leaf
  leaf     INTEGER NOT NULL,                 -- the leaf that says so
  decision TEXT NOT NULL                     -- machine word: number of the decision
) STRICT;
CREATE TRIGGER erased_no_update BEFORE UPDATE ON erased BEGIN SELECT RAISE(ABORT, 'erased is append-only'); END;
CREATE TRIGGER erased_no_delete BEFORE DELETE ON erased BEGIN SELECT RAISE(ABORT, 'erased is append-only'); END;

-- A row of the log goes, or its body, only in a run that two persons wanted and that has begun, and only what that run names.
CREATE VIEW disposal_open AS
  SELECT id, started_idx FROM disposal_run WHERE state = 'started' AND started_idx >= 0 AND approved_by <> '' AND approved_by <> asked_by;

DROP TRIGGER log_leaf_no_update;
CREATE TRIGGER log_leaf_no_update BEFORE UPDATE ON log_leaf
  WHEN NEW.idx <> OLD.idx OR NEW.hashes <> OLD.hashes OR NEW.kind <> 'system' OR NOT EXISTS (
    SELECT 1 FROM disposal_open d JOIN disposal_range g ON g.run = d.id AND g.from_idx <= OLD.idx AND g.to_idx > OLD.idx
    WHERE NEW.body = CAST('{"dropped":' || d.started_idx || '}' AS BLOB) AND OLD.idx < d.started_idx)
  BEGIN SELECT RAISE(ABORT, 'log_leaf is append-only'); END;

DROP TRIGGER opening_no_delete;
CREATE TRIGGER opening_no_delete BEFORE DELETE ON opening
  WHEN NOT EXISTS (SELECT 1 FROM erased e WHERE e.idx = OLD.idx) AND NOT EXISTS (
    SELECT 1 FROM disposal_open d JOIN disposal_range g ON g.run = d.id AND g.from_idx <= OLD.idx AND g.to_idx > OLD.idx)
  BEGIN SELECT RAISE(ABORT, 'opening is append-only'); END;

DROP TRIGGER record_no_delete;
CREATE TRIGGER record_no_delete BEFORE DELETE ON record
  WHEN NOT EXISTS (SELECT 1 FROM disposal_open d JOIN disposal_range g ON g.run = d.id AND g.from_idx <= OLD.idx AND g.to_idx > OLD.idx)
  BEGIN SELECT RAISE(ABORT, 'record is append-only'); END;

DROP TRIGGER attempt_no_delete;
CREATE TRIGGER attempt_no_delete BEFORE DELETE ON attempt WHEN NOT EXISTS (SELECT 1 FROM disposal_open)
  BEGIN SELECT RAISE(ABORT, 'attempt is append-only'); END;
DROP TRIGGER attempt_leaf_no_delete;
CREATE TRIGGER attempt_leaf_no_delete BEFORE DELETE ON attempt_leaf WHEN NOT EXISTS (SELECT 1 FROM disposal_open)
  BEGIN SELECT RAISE(ABORT, 'attempt_leaf is append-only'); END;
DROP TRIGGER finding_no_delete;
CREATE TRIGGER finding_no_delete BEFORE DELETE ON finding
  WHEN NOT EXISTS (SELECT 1 FROM disposal_open d JOIN disposal_range g ON g.run = d.id AND g.from_idx <= OLD.idx AND g.to_idx > OLD.idx)
  BEGIN SELECT RAISE(ABORT, 'finding is append-only'); END;
DROP TRIGGER quarantine_no_delete;
CREATE TRIGGER quarantine_no_delete BEFORE DELETE ON quarantine
  WHEN NOT EXISTS (SELECT 1 FROM disposal_open d JOIN disposal_range g ON g.run = d.id AND g.from_idx <= OLD.idx AND g.to_idx > OLD.idx)
  BEGIN SELECT RAISE(ABORT, 'quarantine is append-only'); END;
DROP TRIGGER day_act_no_delete;
CREATE TRIGGER day_act_no_delete BEFORE DELETE ON day_act
  WHEN NOT EXISTS (SELECT 1 FROM disposal_open d JOIN disposal_range g ON g.run = d.id AND g.from_idx <= OLD.idx AND g.to_idx > OLD.idx)
  BEGIN SELECT RAISE(ABORT, 'day_act is append-only'); END;
DROP TRIGGER finding_act_no_delete;
CREATE TRIGGER finding_act_no_delete BEFORE DELETE ON finding_act
  WHEN NOT EXISTS (SELECT 1 FROM disposal_open d JOIN disposal_range g ON g.run = d.id AND g.from_idx <= OLD.idx AND g.to_idx > OLD.idx)
  BEGIN SELECT RAISE(ABORT, 'finding_act is append-only'); END;
DROP TRIGGER zone_act_no_delete;
CREATE TRIGGER zone_act_no_delete BEFORE DELETE ON zone_act
  WHEN NOT EXISTS (SELECT 1 FROM disposal_open d JOIN disposal_range g ON g.run = d.id AND g.from_idx <= OLD.idx AND g.to_idx > OLD.idx)
  BEGIN SELECT RAISE(ABORT, 'zone_act is append-only'); END;
DROP TRIGGER matter_no_delete;
CREATE TRIGGER matter_no_delete BEFORE DELETE ON matter
  WHEN NOT EXISTS (SELECT 1 FROM disposal_open d JOIN disposal_range g ON g.run = d.id AND g.from_idx <= OLD.idx AND g.to_idx > OLD.idx)
  BEGIN SELECT RAISE(ABORT, 'matter is append-only'); END;
