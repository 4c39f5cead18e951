-- Who was told of what, and who was not yet. Plain tables: what is told is derived from findings, which the log covers;
-- acknowledgements, silences and escalations are action leaves too.
CREATE TABLE alert (
  id          INTEGER PRIMARY KEY,            -- leaf of the first finding
  kind        TEXT NOT NULL,
  severity    TEXT NOT NULL CHECK (severity IN ('low', 'medium', 'high')),
  gateway     TEXT NOT NULL,
  door        TEXT NOT NULL,
  route       TEXT NOT NULL,                  -- '' = the root
  count       INTEGER NOT NULL,               -- findings in it
  told        INTEGER NOT NULL,               -- of which somebody was told
  first_ms    INTEGER NOT NULL,               -- server time, UTC ms, as all below; 0 = not
  last_ms     INTEGER NOT NULL,
  last_idx    INTEGER NOT NULL,               -- leaf of the newest finding
  window_ms   INTEGER NOT NULL,               -- until then further findings join it
  held        TEXT NOT NULL,                  -- why it waits for the digest, '' = it does not
  level       INTEGER NOT NULL,               -- contacts told after the first
  escalate_ms INTEGER NOT NULL,
  acked_ms    INTEGER NOT NULL,
  acked_by    TEXT NOT NULL,                  -- account, '' = by taking the case, or not
  digest_ms   INTEGER NOT NULL,
  done        INTEGER NOT NULL CHECK (done IN (0, 1)),
  next_ms     INTEGER NOT NULL                -- when something may be due, 0 = never
) STRICT;
CREATE INDEX alert_open ON alert (next_ms) WHERE done = 0;

-- What is to be sent to whom. key and channel make the message's id, so that every copy of a message has the same.
CREATE TABLE alert_delivery (
  id       INTEGER PRIMARY KEY,
  key      TEXT NOT NULL,
  channel  TEXT NOT NULL,
  alert    INTEGER NOT NULL,                  -- 0 = of none: digest, canary, test
  what     TEXT NOT NULL,
  severity INTEGER NOT NULL,                  -- 0 low to 2 high: the severe first
  body     TEXT NOT NULL,                     -- JSON: the facts that are told; no name, no person, no room
  made_ms  INTEGER NOT NULL,
  due_ms   INTEGER NOT NULL,
  tries    INTEGER NOT NULL,
  state    TEXT NOT NULL CHECK (state IN ('waiting', 'sent', 'given_up')),
  last_ms  INTEGER NOT NULL,                  -- of the last try, 0 = none
  error    TEXT NOT NULL,                     -- of the last try, '' = none
  UNIQUE (key, channel)
) STRICT;
CREATE INDEX alert_delivery_due ON alert_delivery (channel, severity DESC, id) WHERE state = 'waiting';
CREATE INDEX alert_delivery_alert ON alert_delivery (alert) WHERE alert > 0;

CREATE TABLE alert_silence (
  idx      INTEGER PRIMARY KEY,               -- the action leaf; the reason stands in its opening
  kind     TEXT NOT NULL,                     -- '' = all
  gateway  TEXT NOT NULL,
  door     TEXT NOT NULL,
  from_ms  INTEGER NOT NULL,
  until_ms INTEGER NOT NULL,                  -- exclusive; moved forward when it is ended early
  account  TEXT NOT NULL,
  CHECK (door <> '' OR gateway <> ''),
  CHECK (until_ms - from_ms <= 28800000)
) STRICT;
