-- Where the comparisons of a day with the paper ledger are found (VR-6): the leaf says how they came out, this table only which leaves they are.
CREATE TABLE paper_compared (
  idx  INTEGER PRIMARY KEY REFERENCES log_leaf (idx),
  zone TEXT NOT NULL,
  day  TEXT NOT NULL                          -- YYYY-MM-DD
) STRICT;
CREATE INDEX paper_compared_day ON paper_compared (zone, day);
