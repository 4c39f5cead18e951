-- What a time-stamping authority was asked for, and is still to answer: plain, nothing of the log.
CREATE TABLE timestamp_request (
  imprint BLOB PRIMARY KEY CHECK (length(imprint) = 32), -- SHA-256 of the note
  size INTEGER NOT NULL CHECK (size > 0),
  note TEXT NOT NULL,     -- signed checkpoint
  nonce BLOB NOT NULL,
  at_ms INTEGER NOT NULL  -- UTC ms
) STRICT;

-- Time stamps (RFC 3161) on checkpoints: each carries its own proof, and its leaf names its hash, so that one that is taken out is missed.
CREATE TABLE timestamp (
  idx INTEGER PRIMARY KEY, -- leaf of its import
  size INTEGER NOT NULL CHECK (size > 0),
  note TEXT NOT NULL,
  nonce BLOB NOT NULL,
  answer BLOB NOT NULL,    -- .tsr as it came
  stamp_ms INTEGER NOT NULL,    -- time in the stamp, the authority's clock, UTC ms
  received_ms INTEGER NOT NULL, -- of the import, this server's clock, UTC ms
  authority TEXT NOT NULL, -- subject of its certificate
  policy TEXT NOT NULL
) STRICT;
