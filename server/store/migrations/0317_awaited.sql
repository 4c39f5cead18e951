-- What waits for records of a gateway that is away, or for an escort to follow: told, or found in order, the row goes (VR-1). Leaves hold all of it; what the server
-- has in memory about it is made of these rows when it starts.
CREATE TABLE awaited (
  attempt BLOB NOT NULL CHECK (length(attempt) = 16),
  kind    TEXT NOT NULL,                      -- of the finding that it would be
  gateway TEXT NOT NULL,                      -- that told of it
  door    TEXT NOT NULL,
  zone    TEXT NOT NULL,                      -- that is left, or entered
  at_ms   INTEGER NOT NULL,                   -- when it happened, UTC ms
  leaf    INTEGER NOT NULL,                   -- that says so
  PRIMARY KEY (attempt, kind)
) STRICT, WITHOUT ROWID;
