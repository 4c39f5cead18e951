-- Changes that wait for a second person (D27, ADR 0027), and transfers still to come (RA-5).
CREATE TABLE proposal (
  id          TEXT PRIMARY KEY CHECK (length(id) = 32),
  state       TEXT NOT NULL CHECK (state IN ('open', 'confirmed', 'withdrawn')),
  proposer    TEXT NOT NULL DEFAULT '',      -- account, '' = the command line
  proposed_ms INTEGER NOT NULL,
  reason      TEXT NOT NULL DEFAULT '',      -- '' once decided: it stands in the opening
  decider     TEXT NOT NULL DEFAULT '',
  decided_ms  INTEGER NOT NULL DEFAULT 0,
  idx         INTEGER NOT NULL,              -- leaf of its last step
  body        BLOB                           -- rows before and after; NULL once decided
) STRICT, WITHOUT ROWID;
CREATE INDEX proposal_time ON proposal (proposed_ms);

ALTER TABLE person_group ADD COLUMN section TEXT NOT NULL DEFAULT '';

CREATE TABLE transfer (
  person  TEXT PRIMARY KEY REFERENCES person (id),
  day     TEXT NOT NULL CHECK (length(day) = 10),
  section TEXT NOT NULL DEFAULT '',
  leave   INTEGER NOT NULL CHECK (leave IN (0, 1)),
  overlap INTEGER NOT NULL DEFAULT 0,
  joins   INTEGER NOT NULL CHECK (joins IN (0, 1))
) STRICT, WITHOUT ROWID;
