-- What was done with one zone's day of the log: signed, countersigned, returned, opened again, added to; a month signed.
-- Every column stands in the action leaf too.
CREATE TABLE day_act (
  idx     INTEGER PRIMARY KEY,                                 -- the action leaf
  zone    TEXT NOT NULL,
  day     TEXT NOT NULL CHECK (length(day) IN (7, 10)),        -- YYYY-MM-DD, of a month YYYY-MM
  kind    TEXT NOT NULL,                                       -- the verb of the leaf
  upto    INTEGER NOT NULL CHECK (upto >= 0),                  -- size of the log that the page had shown
  account TEXT NOT NULL,
  at_ms   INTEGER NOT NULL                                     -- UTC ms
) STRICT;
CREATE INDEX day_act_day ON day_act (zone, day);
CREATE TRIGGER day_act_no_delete BEFORE DELETE ON day_act BEGIN SELECT RAISE(ABORT, 'day_act is append-only'); END;
CREATE TRIGGER day_act_no_update BEFORE UPDATE ON day_act BEGIN SELECT RAISE(ABORT, 'day_act is append-only'); END;
