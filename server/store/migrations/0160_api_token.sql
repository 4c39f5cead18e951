-- Tokens of the API. The token is nowhere: 256 random bits need no more than one SHA-256. A row is never deleted.
CREATE TABLE api_token (
  id         TEXT PRIMARY KEY,
  hash       BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
  account    TEXT NOT NULL,
  name       TEXT NOT NULL,
  roles      TEXT NOT NULL,                   -- the most it may do: stable names, a blank between them
  orders     INTEGER NOT NULL DEFAULT 0 CHECK (orders IN (0, 1)),
  created_ms INTEGER NOT NULL,
  expires_ms INTEGER NOT NULL,                -- exclusive
  used_day   TEXT NOT NULL DEFAULT '',        -- YYYY-MM-DD of the last use
  revoked_ms INTEGER                          -- NULL = in force
) STRICT, WITHOUT ROWID;
CREATE INDEX api_token_account ON api_token (account, created_ms);
