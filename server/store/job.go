package store

import (
	"fmt"
	"time"

	"monban/server/jobs"
)

const jobColumns = `job, due_ms, started_ms, ended_ms, tries, missed, state, note`

func scanJob(scan func(...any) error) (x jobs.Run, err error) {
	var due, started, ended int64
	err = scan(&x.Job, &due, &started, &ended, &x.Tries, &x.Missed, &x.State, &x.Note)
	x.Due, x.Started, x.Ended = time.UnixMilli(due), time.UnixMilli(started), timeOf(ended)
	return x, found(err)
}

// LastJobRun is the newest run of a job that was due at a moment or before it; ErrNotFound when there is none.
func (r Reader) LastJobRun(job string, until time.Time) (jobs.Run, error) {
	return scanJob(r.row(`SELECT `+jobColumns+` FROM job_run WHERE job = ? AND due_ms <= ? ORDER BY due_ms DESC LIMIT 1`, job, until.UnixMilli()).Scan)
}

// JobRuns lists runs, newest first.
func (r Reader) JobRuns(limit int) (out []jobs.Run, err error) {
	rows, err := r.query(`SELECT `+jobColumns+` FROM job_run WHERE state <> 'first' ORDER BY started_ms DESC, job LIMIT ?`, limit)
	if err != nil {
		return nil, fmt.Errorf("read runs of jobs: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		x, err := scanJob(rows.Scan)
		if err != nil {
			return nil, fmt.Errorf("read runs of jobs: %w", err)
		}
		out = append(out, x)
	}
	return out, rows.Err()
}

// NewestJobStart is when a job was begun last, by the clock of then; the zero time when none was.
func (r Reader) NewestJobStart() (at time.Time, err error) {
	var ms int64
	if err := r.row(`SELECT coalesce(max(started_ms), 0) FROM job_run`).Scan(&ms); err != nil {
		return at, fmt.Errorf("read runs of jobs: %w", err)
	}
	return timeOf(ms), nil
}

// PutJobRun stores a run as it stands; the job and its due time are its key.
func (tx *Tx) PutJobRun(x jobs.Run) error {
	_, err := tx.exec(`INSERT INTO job_run (`+jobColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (job, due_ms) DO UPDATE SET started_ms = excluded.started_ms, ended_ms = excluded.ended_ms, tries = excluded.tries, state = excluded.state, note = excluded.note`,
		x.Job, x.Due.UnixMilli(), x.Started.UnixMilli(), msOf(x.Ended), x.Tries, x.Missed, string(x.State), x.Note)
	if err != nil {
		return fmt.Errorf("store run of job %s: %w", x.Job, err)
	}
	return nil
}

// ForgetJobRuns removes what ended before a moment; the newest run of each job stays.
func (tx *Tx) ForgetJobRuns(before time.Time) error {
	_, err := tx.exec(`DELETE FROM job_run WHERE started_ms < ? AND due_ms < (SELECT max(due_ms) FROM job_run AS j WHERE j.job = job_run.job)`, before.UnixMilli())
	if err != nil {
		return fmt.Errorf("forget runs of jobs: %w", err)
	}
	return nil
}
