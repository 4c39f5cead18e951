-- The first and last day on which a schedule holds, and dates that differ from its week (AD-5).
ALTER TABLE schedule ADD COLUMN valid_from TEXT NOT NULL DEFAULT '';
ALTER TABLE schedule ADD COLUMN valid_until TEXT NOT NULL DEFAULT '';

CREATE TABLE schedule_date (
  schedule TEXT NOT NULL REFERENCES schedule (id),
  day      TEXT NOT NULL CHECK (length(day) = 10),
  PRIMARY KEY (schedule, day)
) STRICT, WITHOUT ROWID;

-- A date without a window lets nobody in.
CREATE TABLE schedule_date_window (
  schedule TEXT NOT NULL,
  day      TEXT NOT NULL,
  n        INTEGER NOT NULL,
  from_s   INTEGER NOT NULL CHECK (from_s BETWEEN 0 AND 86399),
  to_s     INTEGER NOT NULL CHECK (to_s BETWEEN 1 AND 86400),
  PRIMARY KEY (schedule, day, n),
  FOREIGN KEY (schedule, day) REFERENCES schedule_date (schedule, day)
) STRICT, WITHOUT ROWID;
