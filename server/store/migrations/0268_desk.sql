-- Readers on desks, at which people sign in to the pages with staff card and PIN (RA-3), and the browsers that stand beside them.
CREATE TABLE desk (
  id         TEXT PRIMARY KEY,                -- as in the gateway's configuration; no door's
  gateway    TEXT NOT NULL,
  name       TEXT NOT NULL,                   -- where it stands
  created_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- A browser holds a random token; here is its hash. Nothing but a browser beside the desk can begin a sign-in there.
CREATE TABLE desk_browser (
  hash       BLOB PRIMARY KEY CHECK (length(hash) = 32),
  desk       TEXT NOT NULL,
  name       TEXT NOT NULL,
  bound_by   TEXT NOT NULL,                   -- account
  created_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX desk_browser_desk ON desk_browser (desk);

-- Whose card an account is signed in to with takes two persons, like its roles.
CREATE TABLE account_request_new (
  id         TEXT PRIMARY KEY,
  kind       TEXT NOT NULL CHECK (kind IN ('role', 'factors', 'person')),
  account    TEXT NOT NULL,                   -- whom it is for
  role       TEXT NOT NULL DEFAULT '',
  zone       TEXT NOT NULL DEFAULT '',
  until_ms   INTEGER,
  why        TEXT NOT NULL,
  asked_by   TEXT NOT NULL,                   -- account, '' = the directory's synchronisation
  asked_ms   INTEGER NOT NULL,
  state      TEXT NOT NULL CHECK (state IN ('asked', 'agreed', 'withdrawn')),
  decided_by TEXT NOT NULL DEFAULT '',
  decided_ms INTEGER,
  person     TEXT NOT NULL DEFAULT ''         -- of kind person: id in the directory
) STRICT, WITHOUT ROWID;
INSERT INTO account_request_new (id, kind, account, role, zone, until_ms, why, asked_by, asked_ms, state, decided_by, decided_ms)
  SELECT id, kind, account, role, zone, until_ms, why, asked_by, asked_ms, state, decided_by, decided_ms FROM account_request;
DROP TABLE account_request;
ALTER TABLE account_request_new RENAME TO account_request;
CREATE INDEX account_request_open ON account_request (asked_ms) WHERE state = 'asked';
