-- Requests by a person about one record (PR-3): use is suspended first (利用停止), erasure only if another person decides so.
CREATE TABLE erasure_request (
  id         TEXT PRIMARY KEY,
  attempt    BLOB NOT NULL CHECK (length(attempt) = 16),
  state      TEXT NOT NULL CHECK (state IN ('restricted', 'erased', 'lifted')),
  decision   TEXT NOT NULL DEFAULT '',       -- machine word: number of the decision
  asked_by   TEXT NOT NULL,                  -- account
  asked_ms   INTEGER NOT NULL,               -- UTC ms
  asked_idx  INTEGER NOT NULL,               -- leaf; the reason stands in its opening
  decided_by TEXT NOT NULL DEFAULT '',       -- another account
  decided_ms INTEGER NOT NULL DEFAULT 0,
  CHECK (state = 'restricted' OR decided_by <> '' AND decided_by <> asked_by AND decision <> '')
) STRICT, WITHOUT ROWID;
CREATE TRIGGER erasure_request_no_delete BEFORE DELETE ON erasure_request BEGIN SELECT RAISE(ABORT, 'erasure_request is append-only'); END;

-- Leaves whose openings pages do not show while a request is open.
CREATE TABLE restricted_leaf (
  idx     INTEGER PRIMARY KEY,
  request TEXT NOT NULL
) STRICT;
