-- The first schema. Times are UTC milliseconds, days are site-zone dates YYYY-MM-DD, identifiers are
-- text, digests and references are blobs. docs/log-format.md lists which columns `verify` covers.

------------------------------------------------------------------------------ the log

-- One row per leaf. hashes: this leaf's RFC 6962 hash, then the roots of the subtrees it completes.
CREATE TABLE log_leaf (
  idx    INTEGER PRIMARY KEY CHECK (idx >= 0),
  kind   TEXT NOT NULL CHECK (kind IN ('record', 'decision', 'action', 'system')),
  body   BLOB NOT NULL CHECK (length(body) BETWEEN 2 AND 16384),
  hashes BLOB NOT NULL CHECK (length(hashes) % 32 = 0 AND length(hashes) >= 32)
) STRICT;

-- What a leaf commits to, encrypted. Dies with the key of (fiscal_year, class).
CREATE TABLE opening (
  idx         INTEGER PRIMARY KEY REFERENCES log_leaf (idx),
  fiscal_year INTEGER NOT NULL CHECK (fiscal_year BETWEEN 1970 AND 9999),
  class       TEXT NOT NULL CHECK (class IN ('register', 'action', 'violation', 'system')),
  row_key     BLOB NOT NULL CHECK (length(row_key) = 60),
  ciphertext  BLOB NOT NULL CHECK (length(ciphertext) BETWEEN 48 AND 20000),
  person_ref  BLOB CHECK (length(person_ref) = 16)
) STRICT;

-- Signed checkpoints, newest last.
CREATE TABLE checkpoint (
  size INTEGER PRIMARY KEY CHECK (size > 0),
  note TEXT NOT NULL
) STRICT;

-- One row per gateway record (I2).
CREATE TABLE record (
  gateway TEXT NOT NULL,
  epoch   BLOB NOT NULL CHECK (length(epoch) = 16),
  seq     INTEGER NOT NULL CHECK (seq >= 1),
  idx     INTEGER NOT NULL,
  hash    BLOB NOT NULL CHECK (length(hash) = 32),
  PRIMARY KEY (gateway, epoch, seq)
) STRICT, WITHOUT ROWID;

-- How far the records of an outbox reach without a gap (I3). What an ack says is read from here.
CREATE TABLE gateway_chain (
  gateway   TEXT NOT NULL,
  epoch     BLOB NOT NULL CHECK (length(epoch) = 16),
  watermark INTEGER NOT NULL CHECK (watermark >= 0),
  hash      BLOB NOT NULL CHECK (length(hash) = 32),
  idx       INTEGER NOT NULL, -- leaf that moved it last
  PRIMARY KEY (gateway, epoch)
) STRICT, WITHOUT ROWID;

-- One line per attempt (D15): a fold over the leaves that carry its id (server/attempt).
CREATE TABLE attempt (
  first_idx    INTEGER PRIMARY KEY,          -- first leaf
  attempt      BLOB NOT NULL UNIQUE CHECK (length(attempt) = 16),
  last_idx     INTEGER NOT NULL,             -- last leaf
  decision_idx INTEGER CHECK (decision_idx >= 0), -- the server's decision
  opening_idx  INTEGER CHECK (opening_idx >= 0), -- leaf whose opening says who
  day          TEXT NOT NULL CHECK (length(day) = 10), -- frozen when the first leaf came (D21)
  gateway      TEXT NOT NULL,
  door         TEXT NOT NULL,
  side         TEXT NOT NULL,
  outcome      TEXT NOT NULL,                -- '' while nothing is decided
  reason       TEXT NOT NULL,
  failed       TEXT NOT NULL,                -- names of the failed checks, joined by +
  decided_by   TEXT NOT NULL,
  policy       INTEGER NOT NULL,
  from_ms      INTEGER NOT NULL,             -- occurred interval
  to_ms        INTEGER NOT NULL,
  received_ms  INTEGER NOT NULL,
  passage      TEXT NOT NULL,                -- '', entry, exit, no_entry, lapsed, forced_open, …
  passed_ms    INTEGER CHECK (passed_ms <> 0),
  closed_ms    INTEGER CHECK (closed_ms <> 0),
  person_ref   BLOB CHECK (length(person_ref) = 16),
  flags        INTEGER NOT NULL
) STRICT;
CREATE INDEX attempt_day ON attempt (day);

-- The leaves of an attempt after its first one.
CREATE TABLE attempt_leaf (
  first_idx INTEGER NOT NULL,
  idx       INTEGER NOT NULL,
  PRIMARY KEY (first_idx, idx)
) STRICT, WITHOUT ROWID;

-- One row per finding leaf; status moves with the action leaves that name it.
CREATE TABLE finding (
  idx        INTEGER PRIMARY KEY,
  kind       TEXT NOT NULL,
  severity   TEXT NOT NULL CHECK (severity IN ('low', 'medium', 'high')),
  gateway    TEXT NOT NULL,
  door       TEXT NOT NULL,
  attempt    BLOB CHECK (length(attempt) = 16),
  cause      INTEGER CHECK (cause >= 0),     -- leaf that shows it
  detail     TEXT NOT NULL,                  -- machine word
  at_ms      INTEGER NOT NULL,
  day        TEXT NOT NULL CHECK (length(day) = 10),
  status     TEXT NOT NULL CHECK (status IN ('open', 'in_review', 'closed')),
  status_idx INTEGER NOT NULL                -- leaf that set the status
) STRICT;
CREATE INDEX finding_open ON finding (idx) WHERE status <> 'closed';
CREATE INDEX finding_attempt ON finding (attempt) WHERE attempt IS NOT NULL;

-- Records whose key exists with other bytes (D20): kept, never in the chain.
CREATE TABLE quarantine (
  idx     INTEGER PRIMARY KEY,
  gateway TEXT NOT NULL,
  epoch   BLOB NOT NULL CHECK (length(epoch) = 16),
  seq     INTEGER NOT NULL,
  body    BLOB NOT NULL
) STRICT;

-- Was a gateway heard (I10)? state: alive, dead.
CREATE TABLE coverage (
  idx     INTEGER PRIMARY KEY,
  gateway TEXT NOT NULL,
  from_ms INTEGER NOT NULL,
  to_ms   INTEGER NOT NULL,
  state   TEXT NOT NULL CHECK (state IN ('alive', 'dead')),
  heard   INTEGER NOT NULL
) STRICT;
CREATE INDEX coverage_gateway ON coverage (gateway, to_ms);

-- Compiled policies, content-addressed (D16); a policy_hash leaf commits to each.
CREATE TABLE policy_version (
  idx     INTEGER PRIMARY KEY,               -- its policy_hash leaf
  gateway TEXT NOT NULL,                     -- '' = the site policy of the server itself
  part    TEXT NOT NULL CHECK (part IN ('rules', 'modes', 'state')),
  version INTEGER NOT NULL CHECK (version >= 1),
  sum     BLOB NOT NULL CHECK (length(sum) = 32), -- SHA-256 of bytes
  bytes   BLOB NOT NULL,
  UNIQUE (gateway, part, version)
) STRICT;

CREATE TRIGGER log_leaf_no_update BEFORE UPDATE ON log_leaf BEGIN SELECT RAISE(ABORT, 'log_leaf is append-only'); END;
CREATE TRIGGER log_leaf_no_delete BEFORE DELETE ON log_leaf BEGIN SELECT RAISE(ABORT, 'log_leaf is append-only'); END;
CREATE TRIGGER opening_no_update BEFORE UPDATE ON opening BEGIN SELECT RAISE(ABORT, 'opening is append-only'); END;
CREATE TRIGGER opening_no_delete BEFORE DELETE ON opening BEGIN SELECT RAISE(ABORT, 'opening is append-only'); END;
CREATE TRIGGER checkpoint_no_update BEFORE UPDATE ON checkpoint BEGIN SELECT RAISE(ABORT, 'checkpoint is append-only'); END;
CREATE TRIGGER checkpoint_no_delete BEFORE DELETE ON checkpoint BEGIN SELECT RAISE(ABORT, 'checkpoint is append-only'); END;
CREATE TRIGGER record_no_update BEFORE UPDATE ON record BEGIN SELECT RAISE(ABORT, 'record is append-only'); END;
CREATE TRIGGER record_no_delete BEFORE DELETE ON record BEGIN SELECT RAISE(ABORT, 'record is append-only'); END;
CREATE TRIGGER gateway_chain_no_back BEFORE UPDATE ON gateway_chain
  WHEN NEW.gateway <> OLD.gateway OR NEW.epoch <> OLD.epoch OR NEW.watermark < OLD.watermark
  BEGIN SELECT RAISE(ABORT, 'a watermark never goes back'); END;
CREATE TRIGGER gateway_chain_no_delete BEFORE DELETE ON gateway_chain BEGIN SELECT RAISE(ABORT, 'gateway_chain is append-only'); END;
CREATE TRIGGER attempt_frozen BEFORE UPDATE ON attempt
  WHEN NEW.first_idx <> OLD.first_idx OR NEW.attempt <> OLD.attempt OR NEW.day <> OLD.day OR NEW.last_idx < OLD.last_idx
  BEGIN SELECT RAISE(ABORT, 'the identity and day of an attempt are frozen'); END;
CREATE TRIGGER attempt_no_delete BEFORE DELETE ON attempt BEGIN SELECT RAISE(ABORT, 'attempt is append-only'); END;
CREATE TRIGGER attempt_leaf_no_update BEFORE UPDATE ON attempt_leaf BEGIN SELECT RAISE(ABORT, 'attempt_leaf is append-only'); END;
CREATE TRIGGER attempt_leaf_no_delete BEFORE DELETE ON attempt_leaf BEGIN SELECT RAISE(ABORT, 'attempt_leaf is append-only'); END;
CREATE TRIGGER finding_frozen BEFORE UPDATE OF idx, kind, severity, gateway, door, attempt, cause, detail, at_ms, day ON finding
  BEGIN SELECT RAISE(ABORT, 'of a finding only the status moves'); END;
CREATE TRIGGER finding_no_delete BEFORE DELETE ON finding BEGIN SELECT RAISE(ABORT, 'finding is append-only'); END;
CREATE TRIGGER quarantine_no_update BEFORE UPDATE ON quarantine BEGIN SELECT RAISE(ABORT, 'quarantine is append-only'); END;
CREATE TRIGGER quarantine_no_delete BEFORE DELETE ON quarantine BEGIN SELECT RAISE(ABORT, 'quarantine is append-only'); END;
CREATE TRIGGER coverage_no_update BEFORE UPDATE ON coverage BEGIN SELECT RAISE(ABORT, 'coverage is append-only'); END;
CREATE TRIGGER coverage_no_delete BEFORE DELETE ON coverage BEGIN SELECT RAISE(ABORT, 'coverage is append-only'); END;
CREATE TRIGGER policy_version_no_update BEFORE UPDATE ON policy_version BEGIN SELECT RAISE(ABORT, 'policy_version is append-only'); END;
CREATE TRIGGER policy_version_no_delete BEFORE DELETE ON policy_version BEGIN SELECT RAISE(ABORT, 'policy_version is append-only'); END;

------------------------------------------------------------------------------ the directory

CREATE TABLE person (
  id             TEXT PRIMARY KEY,
  name           TEXT NOT NULL,
  name_reduced   TEXT NOT NULL DEFAULT '',
  kana           TEXT NOT NULL DEFAULT '',
  romaji         TEXT NOT NULL DEFAULT '',
  section        TEXT NOT NULL DEFAULT '',
  company        TEXT NOT NULL DEFAULT '',
  category       TEXT NOT NULL CHECK (category IN ('staff', 'contractor', 'visitor')),
  active         INTEGER NOT NULL CHECK (active IN (0, 1)),
  valid_from     TEXT NOT NULL DEFAULT '',   -- first day, '' = always was
  valid_until    TEXT NOT NULL DEFAULT '',   -- last day, '' = until further notice
  contract_from  TEXT NOT NULL DEFAULT '',
  contract_until TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;

CREATE TABLE credential (
  id          TEXT PRIMARY KEY,              -- inventory number on the sleeve
  person      TEXT NOT NULL REFERENCES person (id),
  card_ref    BLOB NOT NULL UNIQUE CHECK (length(card_ref) = 32),
  key_version INTEGER NOT NULL CHECK (key_version >= 1),
  masked      TEXT NOT NULL,
  format      TEXT NOT NULL DEFAULT '',
  assurance   TEXT NOT NULL,
  status      TEXT NOT NULL CHECK (status IN ('unset', 'active', 'suspended', 'lost', 'revoked')),
  valid_from  TEXT NOT NULL DEFAULT '',
  valid_until TEXT NOT NULL DEFAULT '',
  pin_ref     BLOB CHECK (length(pin_ref) = 32),
  duress_ref  BLOB CHECK (length(duress_ref) = 32)
) STRICT, WITHOUT ROWID;
CREATE INDEX credential_person ON credential (person);

CREATE TABLE zone (
  id                     TEXT PRIMARY KEY,
  name                   TEXT NOT NULL,
  name_en                TEXT NOT NULL DEFAULT '',
  level                  INTEGER NOT NULL CHECK (level BETWEEN 1 AND 3),
  min_assurance          TEXT NOT NULL DEFAULT '',
  pin_always             INTEGER NOT NULL DEFAULT 0 CHECK (pin_always IN (0, 1)),
  offline_grant_and_flag INTEGER NOT NULL DEFAULT 0 CHECK (offline_grant_and_flag IN (0, 1))
) STRICT, WITHOUT ROWID;

CREATE TABLE gateway (
  id   TEXT PRIMARY KEY,
  name TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;

CREATE TABLE door (
  id         TEXT PRIMARY KEY,
  name       TEXT NOT NULL,
  name_en    TEXT NOT NULL DEFAULT '',
  gateway    TEXT NOT NULL REFERENCES gateway (id),
  enter_zone TEXT NOT NULL REFERENCES zone (id),
  exit_zone  TEXT REFERENCES zone (id),      -- NULL = outside every zone
  kind       TEXT NOT NULL CHECK (kind IN ('observe', 'controlled')),
  sensing    TEXT NOT NULL CHECK (sensing IN ('none', 'reader', 'button', 'handle')),
  offline    TEXT NOT NULL DEFAULT 'deny' CHECK (offline IN ('deny', 'cached', 'cached_pin')),
  max_age_ms INTEGER NOT NULL CHECK (max_age_ms > 0),
  mode       TEXT NOT NULL DEFAULT 'normal' CHECK (mode IN ('normal', 'locked', 'lockdown'))
) STRICT, WITHOUT ROWID;

CREATE TABLE schedule (
  id      TEXT PRIMARY KEY,
  name    TEXT NOT NULL,
  name_en TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;

CREATE TABLE schedule_window (
  schedule TEXT NOT NULL REFERENCES schedule (id),
  n        INTEGER NOT NULL,
  days     INTEGER NOT NULL CHECK (days BETWEEN 1 AND 255), -- bit 0 Monday … 6 Sunday, 7 closed days
  from_s   INTEGER NOT NULL CHECK (from_s BETWEEN 0 AND 86399),
  to_s     INTEGER NOT NULL CHECK (to_s BETWEEN 1 AND 86400),
  PRIMARY KEY (schedule, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE grant_row (
  id          TEXT PRIMARY KEY,
  person      TEXT NOT NULL REFERENCES person (id),
  zone        TEXT NOT NULL REFERENCES zone (id),
  schedule    TEXT NOT NULL REFERENCES schedule (id),
  valid_from  TEXT NOT NULL DEFAULT '',
  valid_until TEXT NOT NULL CHECK (length(valid_until) = 10) -- AD-6: no unlimited grants
) STRICT, WITHOUT ROWID;
CREATE INDEX grant_person ON grant_row (person);
CREATE INDEX grant_zone ON grant_row (zone);

CREATE TABLE closed_day (
  day  TEXT PRIMARY KEY CHECK (length(day) = 10),
  name TEXT NOT NULL
) STRICT, WITHOUT ROWID;

------------------------------------------------------------------------------ people at the pages

CREATE TABLE account (
  id            TEXT PRIMARY KEY,            -- opaque, random
  login         TEXT NOT NULL COLLATE NOCASE UNIQUE,
  full_name     TEXT NOT NULL DEFAULT '',
  person        TEXT NOT NULL DEFAULT '',    -- directory person id, '' = none
  password_hash TEXT NOT NULL,               -- PHC string
  must_change   INTEGER NOT NULL DEFAULT 0 CHECK (must_change IN (0, 1)),
  language      TEXT NOT NULL DEFAULT '',
  suspended     INTEGER NOT NULL DEFAULT 0 CHECK (suspended IN (0, 1)),
  suspended_why TEXT NOT NULL DEFAULT '',
  created_ms    INTEGER NOT NULL,
  last_login_ms INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE role_assignment (
  account  TEXT NOT NULL REFERENCES account (id),
  role     TEXT NOT NULL,
  zone     TEXT NOT NULL DEFAULT '',         -- '' = the whole site
  from_ms  INTEGER NOT NULL,
  until_ms INTEGER,                          -- NULL = until further notice
  deputy   INTEGER NOT NULL DEFAULT 0 CHECK (deputy IN (0, 1)),
  PRIMARY KEY (account, role, zone, from_ms)
) STRICT, WITHOUT ROWID;

CREATE TABLE session (
  token_hash TEXT PRIMARY KEY,               -- of the cookie's token; the token is nowhere
  account    TEXT NOT NULL,
  data       BLOB NOT NULL,
  created_ms INTEGER NOT NULL,
  seen_ms    INTEGER NOT NULL,
  expires_ms INTEGER NOT NULL,
  address    TEXT NOT NULL DEFAULT '',
  agent      TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;
CREATE INDEX session_account ON session (account);
CREATE INDEX session_expiry ON session (expires_ms);

CREATE TABLE setup_code (
  hash       BLOB PRIMARY KEY CHECK (length(hash) = 32),
  expires_ms INTEGER NOT NULL,
  used_ms    INTEGER                         -- NULL = unused
) STRICT, WITHOUT ROWID;

CREATE TABLE setting (
  key   TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
