-- Runs of the server's regular jobs: one row for each time a job was due and looked at. A job that is due is begun once.
CREATE TABLE job_run (
  job        TEXT NOT NULL,
  due_ms     INTEGER NOT NULL,                -- UTC ms, as all below
  started_ms INTEGER NOT NULL,
  ended_ms   INTEGER NOT NULL,                -- 0 = it runs, or the server ended under it
  tries      INTEGER NOT NULL,
  missed     INTEGER NOT NULL,                -- earlier times it was due and the server was not there
  state      TEXT NOT NULL CHECK (state IN ('first', 'running', 'done', 'failed')),
  note       TEXT NOT NULL,                   -- what came of it, or the error
  PRIMARY KEY (job, due_ms)
) STRICT, WITHOUT ROWID;
