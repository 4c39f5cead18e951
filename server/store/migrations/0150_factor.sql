-- How an account proves who is there (RA-3). Secrets are not in the clear: a passkey is a public key, a one-time-code
-- secret is sealed under a key outside the database, recovery codes are hashes.
ALTER TABLE account ADD COLUMN source TEXT NOT NULL DEFAULT '' CHECK (source IN ('', 'oidc', 'ldap')); -- who checks the password

CREATE TABLE passkey (
  credential BLOB PRIMARY KEY,                -- the authenticator's id of it
  account    TEXT NOT NULL,
  name       TEXT NOT NULL,                   -- as its owner calls it
  rp         TEXT NOT NULL,                   -- host name it was made for
  data       BLOB NOT NULL,                   -- public key, flags, as JSON
  sign_count INTEGER NOT NULL DEFAULT 0,
  stopped    INTEGER NOT NULL DEFAULT 0 CHECK (stopped IN (0, 1)), -- its counter went back: perhaps a copy
  created_ms INTEGER NOT NULL,
  used_ms    INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX passkey_account ON passkey (account);

CREATE TABLE totp (
  account    TEXT PRIMARY KEY,
  secret     BLOB NOT NULL,                   -- sealed, bound to the account
  last_step  INTEGER NOT NULL,                -- newest step that was used; no code of it or before is good again
  created_ms INTEGER NOT NULL,
  used_ms    INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE recovery_code (
  account TEXT NOT NULL,
  hash    BLOB NOT NULL CHECK (length(hash) = 32),
  used_ms INTEGER,
  PRIMARY KEY (account, hash)
) STRICT, WITHOUT ROWID;

-- Who an account is at another place that signs people in. The subject never changes there, a name may.
CREATE TABLE external_identity (
  issuer    TEXT NOT NULL,
  subject   TEXT NOT NULL,
  account   TEXT NOT NULL,
  linked_ms INTEGER NOT NULL,
  PRIMARY KEY (issuer, subject)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX external_account ON external_identity (issuer, account);

-- What adds rights to an account waits here for a second person (RA-2).
CREATE TABLE account_request (
  id         TEXT PRIMARY KEY,
  kind       TEXT NOT NULL CHECK (kind IN ('role', 'factors')),
  account    TEXT NOT NULL,                   -- whom it is for
  role       TEXT NOT NULL DEFAULT '',
  zone       TEXT NOT NULL DEFAULT '',
  until_ms   INTEGER,
  why        TEXT NOT NULL,
  asked_by   TEXT NOT NULL,                   -- account, '' = the directory's synchronisation
  asked_ms   INTEGER NOT NULL,
  state      TEXT NOT NULL CHECK (state IN ('asked', 'agreed', 'withdrawn')),
  decided_by TEXT NOT NULL DEFAULT '',
  decided_ms INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX account_request_open ON account_request (asked_ms) WHERE state = 'asked';
