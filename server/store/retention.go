package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"monban/firmware/calendar"
	"monban/server/entrylog"
	"monban/server/keystore"
)

// RetentionYears gives the periods that the site has set, full fiscal years by class; the others have their defaults.
func (r Reader) RetentionYears() (map[entrylog.Class]int, error) {
	rows, err := r.query(`SELECT class, years FROM retention_rule`)
	if err != nil {
		return nil, fmt.Errorf("read retention: %w", err)
	}
	defer rows.Close()
	out := map[entrylog.Class]int{}
	for rows.Next() {
		var c entrylog.Class
		var n int
		if err := rows.Scan(&c, &n); err != nil {
			return nil, fmt.Errorf("read retention: %w", err)
		}
		out[c] = n
	}
	return out, rows.Err()
}

// SetRetentionYears sets a class's period; the caller writes the leaf.
func (tx *Tx) SetRetentionYears(c entrylog.Class, years int) error {
	_, err := tx.exec(`INSERT INTO retention_rule (class, years) VALUES (?, ?) ON CONFLICT (class) DO UPDATE SET years = excluded.years`, string(c), years)
	if err != nil {
		return fmt.Errorf("set retention of %s: %w", c, err)
	}
	return nil
}

// States of a hold.
const (
	HoldInForce      = "held"
	HoldReleaseAsked = "release_asked" // in force until another person agrees
	HoldReleased     = "released"
)

// Hold is a legal hold.
type Hold struct {
	ID           string
	Class        entrylog.Class // "" = every class
	FromFY, ToFY int            // fiscal years, both included
	Until        string         // YYYY-MM-DD
	State        string
	PlacedBy     string // account
	PlacedMS     int64  // UTC ms
	PlacedIdx    int64  // leaf; its opening says why
	AskedBy      string
	AskedMS      int64
	ReleasedBy   string
	ReleasedMS   int64
}

const holdColumns = `id, class, from_fy, to_fy, until_day, state, placed_by, placed_ms, placed_idx, asked_by, asked_ms, released_by, released_ms`

func scanHold(scan func(...any) error) (h Hold, err error) {
	err = scan(&h.ID, &h.Class, &h.FromFY, &h.ToFY, &h.Until, &h.State, &h.PlacedBy, &h.PlacedMS, &h.PlacedIdx, &h.AskedBy, &h.AskedMS, &h.ReleasedBy, &h.ReleasedMS)
	return h, found(err)
}

// Hold reads one; ErrNotFound.
func (r Reader) Hold(id string) (Hold, error) {
	return scanHold(r.row(`SELECT `+holdColumns+` FROM legal_hold WHERE id = ?`, id).Scan)
}

// Holds lists all, those in force first.
func (r Reader) Holds() ([]Hold, error) {
	rows, err := r.query(`SELECT ` + holdColumns + ` FROM legal_hold ORDER BY state = 'released', placed_ms, id`)
	if err != nil {
		return nil, fmt.Errorf("read holds: %w", err)
	}
	defer rows.Close()
	var out []Hold
	for rows.Next() {
		h, err := scanHold(rows.Scan)
		if err != nil {
			return nil, fmt.Errorf("read holds: %w", err)
		}
		out = append(out, h)
	}
	return out, rows.Err()
}

// PutHold writes a hold; the caller writes the leaf.
func (tx *Tx) PutHold(h Hold) error {
	_, err := tx.exec(`INSERT INTO legal_hold (`+holdColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET state = excluded.state, asked_by = excluded.asked_by, asked_ms = excluded.asked_ms,
		released_by = excluded.released_by, released_ms = excluded.released_ms`,
		h.ID, string(h.Class), h.FromFY, h.ToFY, h.Until, h.State, h.PlacedBy, h.PlacedMS, h.PlacedIdx, h.AskedBy, h.AskedMS, h.ReleasedBy, h.ReleasedMS)
	if err != nil {
		return fmt.Errorf("write hold: %w", err)
	}
	return nil
}

// held reports whether a hold in force names a class and year: the store's own look, right before anything is destroyed.
func (r Reader) held(c entrylog.Class, year int) (id string, err error) {
	err = r.row(`SELECT coalesce(min(id), '') FROM legal_hold WHERE state <> 'released' AND class IN ('', ?) AND from_fy <= ? AND to_fy >= ?`, string(c), year, year).Scan(&id)
	return id, err
}

// Held is the id of a hold in force that names a class and year, "" = none.
func (r Reader) Held(c entrylog.Class, year int) (id string, err error) { return r.held(c, year) }

// PeriodCount is how much there is of a class and fiscal year: openings, and of findings and quarantined records, which have none, the leaves.
type PeriodCount struct {
	Class entrylog.Class
	Year  int
	Count int64
}

// Periods counts what there is by class and fiscal year of zone. It reads the whole table of openings' keys.
func (r Reader) Periods(zone *time.Location) ([]PeriodCount, error) {
	n := map[keystore.Period]int64{}
	rows, err := r.query(`SELECT class, fiscal_year, count(*) FROM opening WHERE class <> 'violation' GROUP BY fiscal_year, class`)
	if err != nil {
		return nil, fmt.Errorf("count openings: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var p keystore.Period
		var count int64
		if err := rows.Scan(&p.Class, &p.FiscalYear, &count); err != nil {
			return nil, fmt.Errorf("count openings: %w", err)
		}
		n[p] = count
	}
	if err := errors.Join(rows.Err(), r.violations(zone, n)); err != nil {
		return nil, fmt.Errorf("count openings: %w", err)
	}
	var out []PeriodCount
	for p, count := range n {
		out = append(out, PeriodCount{p.Class, p.FiscalYear, count})
	}
	slices.SortFunc(out, func(a, b PeriodCount) int { return cmp.Or(cmp.Compare(a.Year, b.Year), cmp.Compare(a.Class, b.Class)) })
	return out, nil
}

// violations adds the leaves of class violation.
func (r Reader) violations(zone *time.Location, n map[keystore.Period]int64) error {
	days, err := r.query(`SELECT day, count(*) FROM finding GROUP BY day`)
	if err != nil {
		return err
	}
	defer days.Close()
	for days.Next() {
		var day string
		var count int64
		if err := days.Scan(&day, &count); err != nil {
			return err
		}
		d, err := calendar.ParseDate(day)
		if err != nil {
			return fmt.Errorf("finding of day %q: %w: run monban-server verify", day, err)
		}
		n[keystore.Period{FiscalYear: int(d.FiscalYear()), Class: entrylog.ClassViolation}] += count
	}
	leaves, err := r.query(`SELECT l.idx, l.body FROM quarantine q JOIN log_leaf l ON l.idx = q.idx`)
	if err != nil {
		return errors.Join(days.Err(), err)
	}
	defer leaves.Close()
	for leaves.Next() {
		var idx int64
		var body []byte
		if err := leaves.Scan(&idx, &body); err != nil {
			return err
		}
		p, err := entrylog.Parse(body)
		if err != nil {
			return fmt.Errorf("leaf %d: %w: run monban-server verify", idx, err)
		}
		n[keystore.Period{FiscalYear: entrylog.FiscalYear(p.AtMS(), zone), Class: entrylog.ClassViolation}]++
	}
	return errors.Join(days.Err(), leaves.Err())
}

// OpenMatterPeriods counts, by class and fiscal year of zone, the matters that are still open and whose newest step is of it.
func (r Reader) OpenMatterPeriods(zone *time.Location) (map[keystore.Period]int64, error) {
	rows, err := r.query(`SELECT l.idx, l.body FROM matter m JOIN log_leaf l ON l.idx = m.idx WHERE m.open = 1`)
	if err != nil {
		return nil, fmt.Errorf("count open matters: %w", err)
	}
	defer rows.Close()
	out := map[keystore.Period]int64{}
	for rows.Next() {
		var idx int64
		var body []byte
		if err := rows.Scan(&idx, &body); err != nil {
			return nil, fmt.Errorf("count open matters: %w", err)
		}
		if _, gone := entrylog.DroppedBy(body); gone {
			continue
		}
		p, err := entrylog.Parse(body)
		if err != nil {
			return nil, fmt.Errorf("leaf %d: %w: run monban-server verify", idx, err)
		}
		out[keystore.Period{Class: p.Class(), FiscalYear: entrylog.FiscalYear(p.AtMS(), zone)}]++
	}
	return out, rows.Err()
}

// ErrOpenCases says that a class and year has something that nobody has closed: it waits.
var ErrOpenCases = errors.New("still open")

// OpenFindingPeriods adds to n, by class and fiscal year of zone, the findings that are not closed: each with its own year, and with each year in which something
// was done about it.
func (r Reader) OpenFindingPeriods(zone *time.Location, n map[keystore.Period]int64) error {
	rows, err := r.query(`SELECT idx, at_ms, 'violation' FROM finding WHERE status <> 'closed'
		UNION ALL SELECT f.idx, a.at_ms, 'action' FROM finding f JOIN finding_act a ON a.finding = f.idx WHERE f.status <> 'closed'`)
	if err != nil {
		return fmt.Errorf("count open findings: %w", err)
	}
	defer rows.Close()
	type once struct {
		idx int64
		p   keystore.Period
	}
	met := map[once]bool{}
	for rows.Next() {
		var idx, at int64
		var p keystore.Period
		if err := rows.Scan(&idx, &at, &p.Class); err != nil {
			return fmt.Errorf("count open findings: %w", err)
		}
		p.FiscalYear = entrylog.FiscalYear(at, zone)
		if !met[once{idx, p}] {
			met[once{idx, p}] = true
			n[p]++
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("count open findings: %w", err)
	}
	return nil
}

// States of a run.
const (
	RunAsked     = "asked"
	RunApproved  = "approved"
	RunStarted   = "started"
	RunDone      = "done"
	RunWithdrawn = "withdrawn"
)

// DisposalRun is one run: a class and fiscal year that is destroyed.
type DisposalRun struct {
	ID         string
	Class      entrylog.Class
	Year       int
	State      string
	Count      int64 // leaves, or people, when it was asked for
	AskedBy    string
	AskedMS    int64 // UTC ms
	AskedIdx   int64 // leaf; the reason stands in its opening
	ApprovedBy string
	ApprovedMS int64
	Started    int64 // leaf, -1 = not yet
	At         int64 // leaves below it are done
	Rows       int64 // rows that went
	Done       int64 // leaf, -1 = not yet
	DoneMS     int64
}

const runColumns = `id, class, fiscal_year, state, count, asked_by, asked_ms, asked_idx, approved_by, approved_ms, started_idx, at_idx, rows, done_idx, done_ms`

func scanRun(scan func(...any) error) (d DisposalRun, err error) {
	err = scan(&d.ID, &d.Class, &d.Year, &d.State, &d.Count, &d.AskedBy, &d.AskedMS, &d.AskedIdx, &d.ApprovedBy, &d.ApprovedMS, &d.Started, &d.At, &d.Rows, &d.Done, &d.DoneMS)
	return d, found(err)
}

// DisposalRun reads one; ErrNotFound.
func (r Reader) DisposalRun(id string) (DisposalRun, error) {
	return scanRun(r.row(`SELECT `+runColumns+` FROM disposal_run WHERE id = ?`, id).Scan)
}

// DisposalRuns lists all, the newest first.
func (r Reader) DisposalRuns() ([]DisposalRun, error) {
	rows, err := r.query(`SELECT ` + runColumns + ` FROM disposal_run ORDER BY asked_ms DESC, id DESC`)
	if err != nil {
		return nil, fmt.Errorf("read disposal runs: %w", err)
	}
	defer rows.Close()
	var out []DisposalRun
	for rows.Next() {
		d, err := scanRun(rows.Scan)
		if err != nil {
			return nil, fmt.Errorf("read disposal runs: %w", err)
		}
		out = append(out, d)
	}
	return out, rows.Err()
}

// AddDisposalRun writes a new run; the caller writes the leaf. ErrExists when the id is given already, or another run of the class and year is open.
func (tx *Tx) AddDisposalRun(d DisposalRun) error {
	_, err := tx.exec(`INSERT INTO disposal_run (`+runColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		d.ID, string(d.Class), d.Year, d.State, d.Count, d.AskedBy, d.AskedMS, d.AskedIdx, d.ApprovedBy, d.ApprovedMS, d.Started, d.At, d.Rows, d.Done, d.DoneMS)
	if err != nil {
		return fmt.Errorf("write disposal run: %w", unique(err))
	}
	return nil
}

// PutDisposalRun writes how a run stands that is there; the caller writes the leaf. What it is of and who asked for it never change.
func (tx *Tx) PutDisposalRun(d DisposalRun) error {
	res, err := tx.exec(`UPDATE disposal_run SET state = ?, approved_by = ?, approved_ms = ?, started_idx = ?, at_idx = ?, rows = ?, done_idx = ?, done_ms = ?
		WHERE id = ? AND class = ? AND fiscal_year = ? AND asked_by = ?`,
		d.State, d.ApprovedBy, d.ApprovedMS, d.Started, d.At, d.Rows, d.Done, d.DoneMS, d.ID, string(d.Class), d.Year, d.AskedBy)
	if err != nil {
		return fmt.Errorf("write disposal run: %w", unique(err))
	}
	n, err := res.RowsAffected()
	if err == nil && n != 1 {
		err = ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("write disposal run %s: %w", d.ID, err)
	}
	return nil
}

// Disposed reports whether the log says that a run is done, as its row does, and no opening of its class and year is left: destroying their key
// again destroys nothing.
func (r Reader) Disposed(d DisposalRun) (bool, error) {
	started, err := r.systemLeaf(d.Started)
	if err != nil {
		return false, err
	}
	done, err := r.systemLeaf(d.Done)
	year := fmt.Sprint(d.Year)
	if err != nil || started.Name != entrylog.SystemDisposalStarted || started.Value("run") != d.ID || started.Value("class") != string(d.Class) || started.Value("fiscal_year") != year ||
		done.Name != entrylog.SystemDisposalDone || done.Value("started") != fmt.Sprint(d.Started) {
		return false, err
	}
	var left bool
	err = r.row(`SELECT EXISTS (SELECT 1 FROM opening WHERE class = ? AND fiscal_year = ?)`, string(d.Class), d.Year).Scan(&left)
	return !left, err
}

// systemLeaf reads a system leaf; the zero one when there is none of that index.
func (r Reader) systemLeaf(idx int64) (y entrylog.System, err error) {
	var body []byte
	if err := found(r.row(`SELECT body FROM log_leaf WHERE idx = ?`, idx).Scan(&body)); err != nil {
		if errors.Is(err, ErrNotFound) {
			err = nil
		}
		return y, err
	}
	if y, err = entrylog.ParseSystem(body); err != nil { // of another kind
		return entrylog.System{}, nil //nolint:nilerr // it says nothing of a run
	}
	return y, nil
}

// whyNone says why a leaf has no opening: ErrErased when it had one that was erased or disposed of, else ErrNotFound.
func (r Reader) whyNone(idx int64) error {
	_, err := r.ErasedBy(idx)
	if err == nil {
		return ErrErased
	}
	if !errors.Is(err, ErrNotFound) {
		return err
	}
	var body []byte
	if err := r.row(`SELECT body FROM log_leaf WHERE idx = ?`, idx).Scan(&body); err != nil {
		return found(err)
	}
	if _, gone := entrylog.DroppedBy(body); gone {
		return ErrErased
	}
	return ErrNotFound
}

// whyNoKey says why a class and year has no key: ErrErased when a leaf says that a run destroys it, else ErrKeyMissing.
func (r Reader) whyNoKey(p keystore.Period) error {
	rows, err := r.query(`SELECT started_idx FROM disposal_run WHERE class = ? AND fiscal_year = ? AND state IN ('started', 'done')`, string(p.Class), p.FiscalYear)
	if err != nil {
		return fmt.Errorf("read disposal runs: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var started int64
		if err := rows.Scan(&started); err != nil {
			return fmt.Errorf("read disposal runs: %w", err)
		}
		y, err := r.systemLeaf(started)
		if err != nil {
			return err
		}
		if y.Name == entrylog.SystemDisposalStarted && y.Value("class") == string(p.Class) && y.Value("fiscal_year") == fmt.Sprint(p.FiscalYear) {
			return ErrErased
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read disposal runs: %w", err)
	}
	return ErrKeyMissing
}

// keyless reports whether openings of some leaves have no key, though no leaf says that it was destroyed.
func (r Reader) keyless(from, to int64) (bool, error) {
	rows, err := r.query(`SELECT DISTINCT fiscal_year, class FROM opening WHERE idx >= ? AND idx < ?`, from, to)
	if err != nil {
		return false, fmt.Errorf("read openings: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var p keystore.Period
		if err := rows.Scan(&p.FiscalYear, &p.Class); err != nil {
			return false, fmt.Errorf("read openings: %w", err)
		}
		if r.keys.Has(p) {
			continue
		}
		if err := r.whyNoKey(p); errors.Is(err, ErrKeyMissing) {
			return true, nil
		} else if !errors.Is(err, ErrErased) {
			return false, err
		}
	}
	return false, rows.Err()
}

// erasedByLeaf reports whether a leaf says that another one's opening was erased.
func (r Reader) erasedByLeaf(idx int64) (bool, error) {
	var leaf int64
	if err := r.row(`SELECT leaf FROM erased WHERE idx = ?`, idx).Scan(&leaf); err != nil {
		if err = found(err); errors.Is(err, ErrNotFound) {
			err = nil
		}
		return false, err
	}
	y, err := r.systemLeaf(leaf)
	return y.Name == entrylog.SystemErased && y.Value("index") == fmt.Sprint(idx), err
}

// ErasedBy gives the decision by which a leaf's opening was erased; ErrNotFound when it was not.
func (r Reader) ErasedBy(idx int64) (decision string, err error) {
	err = r.row(`SELECT decision FROM erased WHERE idx = ?`, idx).Scan(&decision)
	return decision, found(err)
}

// disposalsBehind gives how many leaves a bundle of a part of the log has to cover so that the disposals are in it which took bodies
// from that part; 0 when none did.
func (r Reader) disposalsBehind(from, to int64) (size int64, err error) {
	var some bool
	err = r.row(`SELECT EXISTS (SELECT 1 FROM log_leaf WHERE idx >= ? AND idx < ? AND kind = 'system' AND substr(body, 1, 11) = x'7b2264726f70706564223a')`, from, to).Scan(&some)
	if err != nil || !some {
		return 0, err
	}
	err = r.row(`SELECT max(CASE state WHEN 'started' THEN (SELECT max(idx) FROM log_leaf) ELSE done_idx END) + 1 FROM disposal_run WHERE started_idx >= ?`, from).Scan(&size)
	return size, err
}

// finishRetention compares the rows of runs and erasures with the leaves that they name.
func (c *check) finishRetention() error {
	runs := map[int64]string{}
	for _, d := range c.log.Disposals() {
		state := RunStarted
		if d.Done >= 0 {
			state = RunDone
		}
		runs[d.Started] = fmt.Sprintf("%s %s %d %s %s %s %d", d.Run, d.Class, d.Year, d.Asked, d.Approved, state, d.Done)
	}
	err := c.eachRow(`SELECT started_idx, id || ' ' || class || ' ' || fiscal_year || ' ' || asked_by || ' ' || approved_by || ' ' || state || ' ' || done_idx
		FROM disposal_run WHERE state IN ('started', 'done')`, func(started int64, have string) {
		if runs[started] != have {
			c.res.Add("disposal_run", key(started), "is not what the leaves say")
		}
		delete(runs, started)
	})
	if err != nil {
		return err
	}
	for started := range runs {
		c.res.Add("disposal_run", key(started), "the row is missing")
	}
	return c.eachRow(`SELECT idx, decision FROM erased`, func(idx int64, decision string) {
		if got, ok := c.log.ErasedBy(idx); !ok || got != decision {
			c.res.Add("erased", key(idx), "is not what a leaf says")
		}
	})
}

func (c *check) eachRow(query string, fn func(int64, string)) error {
	rows, err := c.tx.QueryContext(c.ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var n int64
		var text string
		if err := rows.Scan(&n, &text); err != nil {
			return err
		}
		fn(n, text)
	}
	return rows.Err()
}

// droppedLeaf takes a leaf without a body. Nothing may stand beside it.
func (c *check) droppedLeaf(idx int64, kind string, hashes []byte, started int64, opening bool) {
	c.log.Dropped(idx, hashes, started)
	if kind != string(entrylog.KindSystem) {
		c.res.Add("log_leaf", key(idx), "kind column says %q of a leaf without a body", kind)
	}
	if opening {
		c.openings++
		c.res.Add("opening", key(idx), "is there, though its leaf was disposed of")
	}
}

// ErrStillRead says that somebody reads an old state of the database for long: what was deleted is still in its write-ahead log.
var ErrStillRead = errors.New("a reader holds an old state (export, check): the write-ahead log could not be emptied")

// Pause between two tries to empty the write-ahead log, and how long one may wait for readers while it holds the writer.
const (
	truncatePause  = 2 * time.Second
	truncateWaitMS = 250
)

// Compact writes the database file anew without what was deleted: deleted rows are nowhere in it then, once EmptyWAL has followed.
// It holds the writer for as long as copying the file takes; doors decide alone meanwhile.
func (s *Store) Compact(ctx context.Context) error {
	err := s.alone(ctx, func() error {
		_, err := s.conn.conn.ExecContext(ctx, "VACUUM") // not prepared: one that is kept would be in its own way
		return err
	})
	if err != nil {
		return fmt.Errorf("database %s: compact: %w", s.path, oneLine(err))
	}
	return nil
}

// EmptyWAL empties the write-ahead log. Readers that look at the old state have to end first: it tries so often, with a turn of the writer for each
// and a pause between, and then gives ErrStillRead.
func (s *Store) EmptyWAL(ctx context.Context, tries int) error {
	for n := 1; ; n++ {
		var empty bool
		err := s.alone(ctx, func() (err error) { empty, err = s.truncateWAL(ctx); return err })
		if err == nil && !empty && n >= tries {
			err = ErrStillRead
		}
		if err != nil {
			return fmt.Errorf("database %s: compact: %w", s.path, oneLine(err))
		}
		if empty {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(truncatePause):
		}
	}
}

// truncateWAL is one try to empty the write-ahead log.
func (s *Store) truncateWAL(ctx context.Context) (empty bool, err error) {
	if _, err := s.conn.conn.ExecContext(ctx, fmt.Sprintf("PRAGMA busy_timeout = %d", truncateWaitMS)); err != nil {
		return false, err
	}
	var busy, log, moved sql.NullInt64
	err = s.conn.conn.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &log, &moved)
	_, back := s.conn.conn.ExecContext(context.WithoutCancel(ctx), fmt.Sprintf("PRAGMA busy_timeout = %d", busyTimeoutMS))
	return busy.Int64 == 0, errors.Join(err, back)
}
