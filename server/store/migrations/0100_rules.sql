-- What the rules of a zone need of people, zones and grants (ADR 0027).
ALTER TABLE person ADD COLUMN kind TEXT NOT NULL DEFAULT '';            -- within the category, '' = not said
ALTER TABLE person ADD COLUMN training_until TEXT NOT NULL DEFAULT '';  -- last day, '' = never trained
ALTER TABLE person ADD COLUMN conditions INTEGER NOT NULL DEFAULT 0;    -- version acknowledged, 0 = none
ALTER TABLE person ADD COLUMN may_escort INTEGER NOT NULL DEFAULT 0 CHECK (may_escort IN (0, 1));

ALTER TABLE zone ADD COLUMN parent TEXT NOT NULL DEFAULT '';            -- '' = root
ALTER TABLE zone ADD COLUMN anti_passback TEXT NOT NULL DEFAULT 'off';
ALTER TABLE zone ADD COLUMN anti_passback_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE zone ADD COLUMN max_inside INTEGER NOT NULL DEFAULT 0;
ALTER TABLE zone ADD COLUMN min_inside INTEGER NOT NULL DEFAULT 0;
ALTER TABLE zone ADD COLUMN two_person_ms INTEGER NOT NULL DEFAULT 0;   -- 0 = one person is enough
ALTER TABLE zone ADD COLUMN two_person_always INTEGER NOT NULL DEFAULT 0 CHECK (two_person_always IN (0, 1));
ALTER TABLE zone ADD COLUMN staff_needed INTEGER NOT NULL DEFAULT 0 CHECK (staff_needed IN (0, 1));
ALTER TABLE zone ADD COLUMN escort TEXT NOT NULL DEFAULT 'none';
ALTER TABLE zone ADD COLUMN escort_ratio INTEGER NOT NULL DEFAULT 0;
ALTER TABLE zone ADD COLUMN escort_within_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE zone ADD COLUMN escort_grace_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE zone ADD COLUMN training TEXT NOT NULL DEFAULT 'off';
ALTER TABLE zone ADD COLUMN conditions INTEGER NOT NULL DEFAULT 0;
ALTER TABLE zone ADD COLUMN carry_in TEXT NOT NULL DEFAULT 'free';
ALTER TABLE zone ADD COLUMN basis TEXT NOT NULL DEFAULT '';             -- clause of the city's rules

ALTER TABLE door ADD COLUMN interlock TEXT NOT NULL DEFAULT '';         -- the other door of an airlock, '' = none

CREATE TABLE person_group (
  id      TEXT PRIMARY KEY,
  name    TEXT NOT NULL,
  name_en TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;
CREATE TABLE group_member (
  grp    TEXT NOT NULL REFERENCES person_group (id),
  person TEXT NOT NULL REFERENCES person (id),
  PRIMARY KEY (grp, person)
) STRICT, WITHOUT ROWID;

-- A grant is of a person or of a group.
CREATE TABLE grant_new (
  id          TEXT PRIMARY KEY,
  person      TEXT REFERENCES person (id),
  grp         TEXT REFERENCES person_group (id),
  zone        TEXT NOT NULL REFERENCES zone (id),
  schedule    TEXT NOT NULL REFERENCES schedule (id),
  valid_from  TEXT NOT NULL DEFAULT '',
  valid_until TEXT NOT NULL CHECK (length(valid_until) = 10), -- AD-6: no unlimited grants
  suspended   INTEGER NOT NULL DEFAULT 0 CHECK (suspended IN (0, 1)), -- not recertified in time (VR-5)
  basis       TEXT NOT NULL DEFAULT '',
  CHECK ((person IS NULL) <> (grp IS NULL))
) STRICT, WITHOUT ROWID;
INSERT INTO grant_new (id, person, zone, schedule, valid_from, valid_until)
  SELECT id, person, zone, schedule, valid_from, valid_until FROM grant_row;
DROP TABLE grant_row;
ALTER TABLE grant_new RENAME TO grant_row;
CREATE INDEX grant_person ON grant_row (person);
CREATE INDEX grant_zone ON grant_row (zone);

CREATE TABLE contract (
  id         TEXT PRIMARY KEY,
  name       TEXT NOT NULL DEFAULT '',
  company    TEXT NOT NULL,
  section    TEXT NOT NULL,                   -- the section that is responsible
  valid_from TEXT NOT NULL,
  valid_until TEXT NOT NULL,
  tier       INTEGER NOT NULL CHECK (tier BETWEEN 1 AND 9), -- 1 = the contractor itself, 2 = its subcontractor …
  approval   TEXT NOT NULL DEFAULT ''         -- of the written approval, needed from tier 2 on (VE-4)
) STRICT, WITHOUT ROWID;
CREATE TABLE contract_worker (
  contract TEXT NOT NULL REFERENCES contract (id),
  person   TEXT NOT NULL REFERENCES person (id),
  PRIMARY KEY (contract, person)
) STRICT, WITHOUT ROWID;

CREATE TABLE exception_measure (
  id          TEXT PRIMARY KEY,
  subject     TEXT NOT NULL,                  -- kind of thing it is about: zone, person, door, grant, contract, site
  subject_id  TEXT NOT NULL DEFAULT '',
  what        TEXT NOT NULL,                  -- the rule it sets aside
  reason      TEXT NOT NULL,
  approver    TEXT NOT NULL,
  valid_from  TEXT NOT NULL,
  valid_until TEXT NOT NULL,
  review      TEXT NOT NULL DEFAULT '',       -- day on which it is looked at again
  basis       TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;

CREATE TABLE entry_conditions (
  version    INTEGER PRIMARY KEY,
  text       TEXT NOT NULL,
  text_en    TEXT NOT NULL DEFAULT '',
  valid_from TEXT NOT NULL DEFAULT ''         -- first day on which it is shown
) STRICT;

-- Things that are counted at intervals (EQ-4).
CREATE TABLE inventory_item (
  id         TEXT PRIMARY KEY,
  kind       TEXT NOT NULL,                   -- key, card, badge, gateway, other
  name       TEXT NOT NULL,
  refers     TEXT NOT NULL DEFAULT '',        -- card, badge or gateway id that it is
  doors      TEXT NOT NULL DEFAULT '',        -- doors that a key opens, a blank between them
  place      TEXT NOT NULL DEFAULT '',
  owner      TEXT NOT NULL DEFAULT '',        -- section
  every_days INTEGER NOT NULL,                -- 0 = never counted
  state      TEXT NOT NULL CHECK (state IN ('present', 'missing', 'disposed')),
  counted_on TEXT NOT NULL DEFAULT '',
  proof      TEXT NOT NULL DEFAULT ''         -- of erasure or destruction, when disposed of
) STRICT, WITHOUT ROWID;

-- 生体情報登録管理簿 (PR-5): the template stays in the reader, this table has no place for one.
CREATE TABLE biometric_enrolment (
  person      TEXT NOT NULL REFERENCES person (id),
  reader      TEXT NOT NULL,
  reference   TEXT NOT NULL,                  -- the reader's own number of the enrolment
  consent_on  TEXT NOT NULL,
  fallback    TEXT NOT NULL CHECK (fallback IN ('card_pin', 'escort')),
  deleted_on  TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (person, reader)
) STRICT, WITHOUT ROWID;

-- Recertification (VR-5): who may enter a zone is confirmed person by person.
CREATE TABLE recertification (
  id        TEXT PRIMARY KEY,
  zone      TEXT NOT NULL REFERENCES zone (id),
  opened_on TEXT NOT NULL,
  due_on    TEXT NOT NULL,
  closed_on TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;
CREATE TABLE recertification_answer (
  round  TEXT NOT NULL REFERENCES recertification (id),
  person TEXT NOT NULL REFERENCES person (id),
  answer TEXT NOT NULL CHECK (answer IN ('open', 'keep', 'remove', 'suspended')),
  day    TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (round, person)
) STRICT, WITHOUT ROWID;
