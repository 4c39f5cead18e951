-- Which rights, groups and cards an account of their own holder wrote, proposed or agreed to (VR-1). The leaves of those changes say the
-- same; this finds them again when the holder enters.
CREATE TABLE own_right (
  person TEXT NOT NULL,
  noun   TEXT NOT NULL CHECK (noun IN ('grant', 'group', 'card')),
  id     TEXT NOT NULL,
  PRIMARY KEY (person, noun, id)
) STRICT, WITHOUT ROWID;
