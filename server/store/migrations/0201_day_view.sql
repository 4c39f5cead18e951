-- When an account last looked at a zone's day, so that the page can mark what is new since. That somebody looked stands in the log.
CREATE TABLE day_view (
  account TEXT NOT NULL,
  zone    TEXT NOT NULL,
  day     TEXT NOT NULL CHECK (length(day) = 10),
  size    INTEGER NOT NULL,                  -- of the log
  at_ms   INTEGER NOT NULL,                  -- UTC ms
  PRIMARY KEY (account, zone, day)
) STRICT, WITHOUT ROWID;
