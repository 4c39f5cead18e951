-- Things away for repair, gateways outside of the building (M14, M15), and places that are looked at once a year (M2, M11). The table is made
-- anew: a CHECK cannot be changed.
CREATE TABLE inventory_next (
  id         TEXT PRIMARY KEY,
  kind       TEXT NOT NULL,                   -- key, card, badge, gateway, place, other
  name       TEXT NOT NULL,
  refers     TEXT NOT NULL DEFAULT '',        -- card, badge, gateway or zone id that it is
  doors      TEXT NOT NULL DEFAULT '',        -- doors that a key opens, a blank between them
  place      TEXT NOT NULL DEFAULT '',
  owner      TEXT NOT NULL DEFAULT '',        -- section
  every_days INTEGER NOT NULL,                -- 0 = never counted
  state      TEXT NOT NULL CHECK (state IN ('present', 'missing', 'repair', 'disposed')),
  counted_on TEXT NOT NULL DEFAULT '',
  proof      TEXT NOT NULL DEFAULT '',        -- of erasure or destruction, when disposed of; of erasure or confidentiality, while away for repair
  remote     INTEGER NOT NULL DEFAULT 0,      -- 1 = stands outside of the organisation's buildings
  approval   TEXT NOT NULL DEFAULT ''         -- who approved that, when
) STRICT, WITHOUT ROWID;
INSERT INTO inventory_next (id, kind, name, refers, doors, place, owner, every_days, state, counted_on, proof)
  SELECT id, kind, name, refers, doors, place, owner, every_days, state, counted_on, proof FROM inventory_item;
DROP TABLE inventory_item;
ALTER TABLE inventory_next RENAME TO inventory_item;
