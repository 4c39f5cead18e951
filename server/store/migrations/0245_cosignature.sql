-- What witnesses hold of the log: each row carries its own proof, the signatures in its note. Of a day one row a witness stays.
CREATE TABLE cosignature (
  witness TEXT NOT NULL,  -- name of the witness's key
  day TEXT NOT NULL,      -- YYYY-MM-DD UTC, of the cosignature
  origin TEXT NOT NULL,
  size INTEGER NOT NULL CHECK (size > 0),
  at_ms INTEGER NOT NULL, -- time in the cosignature, UTC ms
  vkey TEXT NOT NULL,     -- of the witness
  note TEXT NOT NULL,     -- checkpoint with the log's signature and the witness's
  PRIMARY KEY (witness, day, origin)
) STRICT;
