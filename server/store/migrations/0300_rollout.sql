-- Roll-outs of releases to gateways. The newest one counts; those before are kept to be looked at.
CREATE TABLE rollout (
  id         INTEGER PRIMARY KEY,
  number     INTEGER NOT NULL,                -- of the release, s since 1970
  version    TEXT NOT NULL,
  state      TEXT NOT NULL CHECK (state IN ('running', 'stopped', 'done')),
  cause      TEXT NOT NULL,                   -- why it is stopped, '' = it is not
  gateway    TEXT NOT NULL,                   -- of the cause, '' = none
  began_ms   INTEGER NOT NULL,                -- UTC ms, as all below
  moved_ms   INTEGER NOT NULL                 -- when it last went on
) STRICT;
CREATE TABLE rollout_gateway (
  rollout  INTEGER NOT NULL REFERENCES rollout (id),
  place    INTEGER NOT NULL,                  -- in the order of turns, from 0
  gateway  TEXT NOT NULL,
  stage    TEXT NOT NULL CHECK (stage IN ('waiting', 'turn', 'done', 'skipped', 'left_out')),
  tries    INTEGER NOT NULL,                  -- turns that it was given
  turn_ms  INTEGER NOT NULL,                  -- the last of them, 0 = none
  done_ms  INTEGER NOT NULL,                  -- 0 = it is not
  PRIMARY KEY (rollout, place)
) STRICT, WITHOUT ROWID;
