-- Where doors led and which zones there were, over time: registers are kept for years, and a room may move or go meanwhile (RR-1). Each row holds from since_ms
-- on until the next one; gone = 1: the door or zone was taken out, the rest is as it was last. What was before the first row is not known and taken as that row says.
CREATE TABLE door_past (
  door       TEXT NOT NULL,
  since_ms   INTEGER NOT NULL,                -- the server's clock, UTC ms
  gone       INTEGER NOT NULL CHECK (gone IN (0, 1)),
  name       TEXT NOT NULL,
  name_en    TEXT NOT NULL,
  gateway    TEXT NOT NULL,
  enter_zone TEXT NOT NULL,
  exit_zone  TEXT NOT NULL,                   -- '' = outside every zone
  PRIMARY KEY (door, since_ms)
) STRICT, WITHOUT ROWID;
CREATE TABLE zone_past (
  zone     TEXT NOT NULL,
  since_ms INTEGER NOT NULL,
  gone     INTEGER NOT NULL CHECK (gone IN (0, 1)),
  name     TEXT NOT NULL,
  name_en  TEXT NOT NULL,
  level    INTEGER NOT NULL,
  parent   TEXT NOT NULL,                     -- '' = none
  PRIMARY KEY (zone, since_ms)
) STRICT, WITHOUT ROWID;
INSERT INTO door_past (door, since_ms, gone, name, name_en, gateway, enter_zone, exit_zone)
  SELECT id, 0, 0, name, name_en, gateway, enter_zone, coalesce(exit_zone, '') FROM door;
INSERT INTO zone_past (zone, since_ms, gone, name, name_en, level, parent) SELECT id, 0, 0, name, name_en, level, parent FROM zone;
