-- Leaf that commits to a cosignature, so that a row that was taken out is missed; -1 = none yet. From then on the row stays as it is.
ALTER TABLE cosignature ADD COLUMN idx INTEGER NOT NULL DEFAULT -1;
CREATE INDEX cosignature_idx ON cosignature (idx);
