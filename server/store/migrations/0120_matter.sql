-- Matters (案件): visits, standing permits, temporary cards, suspended cards, emergency entries, carry sessions, key
-- loans, purposes stated afterwards. What a matter says, with every name, stands in the encrypted opening of the action
-- leaf idx; this row says which leaf is the newest and what jobs look for (ADR 0028).
CREATE TABLE matter (
  id        TEXT PRIMARY KEY,                 -- kind-fiscal year-number
  kind      TEXT NOT NULL,
  state     TEXT NOT NULL,
  open      INTEGER NOT NULL CHECK (open IN (0, 1)), -- something is still to come
  zone      TEXT NOT NULL DEFAULT '',
  doors     TEXT NOT NULL DEFAULT '',         -- door ids with a blank between them
  from_ms   INTEGER NOT NULL,                 -- span in which it counts, UTC ms
  until_ms  INTEGER NOT NULL,                 -- exclusive; 0 = while it is open
  first_idx INTEGER NOT NULL,                 -- leaf that began it
  idx       INTEGER NOT NULL UNIQUE           -- leaf whose opening says how it stands
) STRICT, WITHOUT ROWID;
CREATE INDEX matter_open ON matter (kind, from_ms) WHERE open = 1;
CREATE INDEX matter_time ON matter (kind, from_ms);
CREATE TRIGGER matter_no_delete BEFORE DELETE ON matter BEGIN SELECT RAISE(ABORT, 'matter is append-only'); END;

-- Badges (名札) and temporary cards that are lent. To whom stands in the matters.
CREATE TABLE badge (
  id          TEXT PRIMARY KEY,               -- inventory number
  label       TEXT NOT NULL UNIQUE,           -- what is printed on it
  kind        TEXT NOT NULL CHECK (kind IN ('visitor', 'temporary')),
  look        TEXT NOT NULL DEFAULT '',       -- colour or form that tells it from a staff card
  card_ref    BLOB UNIQUE CHECK (length(card_ref) = 32), -- NULL = a plain badge without a card
  key_version INTEGER NOT NULL DEFAULT 0,
  masked      TEXT NOT NULL DEFAULT '',
  format      TEXT NOT NULL DEFAULT '',
  assurance   TEXT NOT NULL DEFAULT '',
  status      TEXT NOT NULL CHECK (status IN ('active', 'lost', 'retired'))
) STRICT, WITHOUT ROWID;
