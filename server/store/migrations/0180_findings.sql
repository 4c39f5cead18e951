-- What the rules over time need of the findings that there are (VR-1). A finding is told once for one cause, and a flood of one
-- kind at one place is counted.
CREATE INDEX finding_place ON finding (kind, gateway, door, at_ms);

-- What is counted and not yet told: one row for a kind and place, gone when the finding that says how many is in the log.
CREATE TABLE finding_more (
  kind     TEXT NOT NULL,
  gateway  TEXT NOT NULL,
  door     TEXT NOT NULL,
  detail   TEXT NOT NULL,
  severity TEXT NOT NULL,
  count    INTEGER NOT NULL CHECK (count >= 1),
  cause    INTEGER NOT NULL,                 -- leaf of the last one counted, -1 = none
  at_ms    INTEGER NOT NULL,                 -- when it happened, UTC ms
  since_ms INTEGER NOT NULL,                 -- the server's clock at the first one counted
  due_ms   INTEGER NOT NULL,                 -- when it is told
  PRIMARY KEY (kind, gateway, door, detail)
) STRICT, WITHOUT ROWID;
