-- What officers declared about who is where (AD-9, AD-10, AD-13): a passback forgiven, a zone emptied, a PIN lockout
-- lifted. A row only says which action leaves these are; whom and why stands in the leaf and its opening.
CREATE TABLE zone_act (
  idx   INTEGER PRIMARY KEY,                 -- the action leaf
  at_ms INTEGER NOT NULL                     -- UTC ms
) STRICT;
CREATE INDEX zone_act_at ON zone_act (at_ms);
CREATE TRIGGER zone_act_no_delete BEFORE DELETE ON zone_act BEGIN SELECT RAISE(ABORT, 'zone_act is append-only'); END;
CREATE TRIGGER zone_act_no_update BEFORE UPDATE ON zone_act BEGIN SELECT RAISE(ABORT, 'zone_act is append-only'); END;
