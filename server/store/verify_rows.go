package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"time"

	"monban/firmware/door"
	"monban/server/attempt"
	"monban/server/entrylog"
	"monban/server/keystore"
	"monban/server/logcheck"
)

// line is an attempt while its leaves are being read.
type line struct {
	want   attempt.Row // folded so far
	stored attempt.Row
	has    bool    // stored is there
	leaves []int64 // stored rows of attempt_leaf not yet met
}

type quarantined struct {
	gateway string
	epoch   []byte
	seq     int64
	body    []byte
}

type policyRow struct {
	gateway, part string
	version       int64
	sum, bytes    []byte
}

type findingState struct {
	Status    string
	Idx       int64
	RowStatus string
	RowIdx    int64
	RowSeen   bool
}

// check is one run of verify: it reads the leaves once, in order, folds them and compares what they
// give with the rows that pages and reports read. Memory holds only what is open: attempts that go
// on, a page of records per chain, findings' statuses.
type check struct {
	ctx  context.Context
	tx   *sql.Tx
	keys *keystore.KeyStore
	zone *time.Location
	res  *entrylog.Result
	rep  *logcheck.Report
	tell func(done, of int64) // nil = nobody
	fold attempt.Fold
	log  *logcheck.Check

	leaves      *sql.Rows
	checkpoints *cursor[string]
	attempts    *cursor[attempt.Row]
	following   *cursor[int64]
	findings    *cursor[attempt.Finding]
	quarantine  *cursor[quarantined]
	coverage    *cursor[attempt.Coverage]
	policies    *cursor[policyRow]
	days        *cursor[DayAct]
	cases       *cursor[FindingAct]
	zoneActs    *cursor[int64]
	cosigned    *cursor[cosigned]
	stamps      *cursor[stamped]

	open     map[[16]byte]*line
	records  map[logcheck.ChainKey]*chainRows
	status   map[int64]*findingState
	matters  matterCheck
	openings int64
	years    yearCache
	keyless  map[keystore.Period]int64 // first opening of a class and year that has no key

	stateOf   string               // what a state of this check is of
	save      func(string, []byte) // nil = nobody keeps states
	saveEvery int64
	saved     int64        // leaf before which the state was saved last
	before    int          // findings that were made before the first leaf
	from      int64        // first leaf; above 0 the cursors begin at their places
	at        cursorPlaces // where from is above 0
}

// yearCache spares the fiscal year of each leaf: they come in order of time.
type yearCache struct {
	from, to int64
	year     int
}

func (y *yearCache) of(ms int64, zone *time.Location) int {
	if ms < y.from || ms >= y.to {
		y.year = entrylog.FiscalYear(ms, zone)
		day := time.UnixMilli(ms).In(zone)
		y.from = time.Date(day.Year(), day.Month(), day.Day(), 0, 0, 0, 0, zone).UnixMilli()
		y.to = time.Date(day.Year(), day.Month(), day.Day()+1, 0, 0, 0, 0, zone).UnixMilli()
	}
	return y.year
}

func newCheck(ctx context.Context, tx *sql.Tx, opt VerifyOptions, zone *time.Location, rep *logcheck.Report) (*check, error) {
	res := rep.Result
	keys := logcheck.Keys{Log: opt.Log, Before: opt.Before, Restored: opt.Restored}
	c := &check{
		ctx: ctx, tx: tx, keys: opt.Keys, zone: zone, res: res, rep: rep, tell: opt.Progress, fold: attempt.Fold{Zone: zone}, log: logcheck.New(keys, res),
		open: map[[16]byte]*line{}, records: map[logcheck.ChainKey]*chainRows{}, status: map[int64]*findingState{},
		keyless: map[keystore.Period]int64{},
	}
	c.log.Hold(opt.Held)
	if err := c.resumeOn(&opt); err != nil {
		return c, err
	}
	return c, c.openCursors()
}

func key(idx int64) string { return fmt.Sprint(idx) }

func attemptKey(id [16]byte) string { return fmt.Sprintf("%x", id) }

func (c *check) run() error {
	var kind, body, hashes, class, ref, rowKey, ciphertext sql.RawBytes
	var openIdx, year sql.NullInt64
	var idx int64
	columns := []any{&idx, &kind, &body, &hashes, &openIdx, &year, &class, &ref}
	if c.keys != nil {
		columns = append(columns, &rowKey, &ciphertext)
	}
	for c.leaves.Next() {
		if err := c.leaves.Scan(columns...); err != nil {
			return err
		}
		if c.tell != nil && idx%often == 0 {
			c.tell(idx, c.rep.Head.Log)
		}
		if err := c.takeCheckpoints(idx); err != nil {
			return err
		}
		if c.saveState(idx) {
			if err := c.ctx.Err(); err != nil { // here least is lost
				return err
			}
		}
		c.log.PassHeld()
		if started, gone := entrylog.DroppedBy(body); gone {
			c.droppedLeaf(idx, string(kind), hashes, started, openIdx.Valid)
			continue
		}
		ok, err := c.log.Leaf(idx, entrylog.Kind(kind), body, hashes)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		c.met()
		var o attempt.Ref
		if openIdx.Valid {
			c.openings++
			if ref != nil {
				o.Person = append([]byte{}, ref...)
			}
			o.Has = true
		}
		c.opening(idx, o, year.Int64, class, rowKey, ciphertext)
		if err := c.leaf(idx, o); err != nil {
			return err
		}
	}
	if err := c.leaves.Err(); err != nil {
		return err
	}
	return c.finish()
}

// takeCheckpoints checks the checkpoints of at most idx leaves.
func (c *check) takeCheckpoints(idx int64) error {
	for c.checkpoints.ok && c.checkpoints.idx <= idx {
		c.log.Checkpoint(c.checkpoints.idx, c.checkpoints.row)
		if err := c.checkpoints.advance(); err != nil {
			return err
		}
	}
	return nil
}

// opening checks a leaf's opening row against the leaf, and with keys against its commitment.
func (c *check) opening(idx int64, o attempt.Ref, year int64, class, rowKey, ciphertext []byte) {
	commit := c.log.Parsed().Commit()
	switch has := commit != (entrylog.Hash{}); {
	case has && !o.Has:
		c.log.Unopened(idx) // told at the end, unless a leaf says that it was erased
	case !has && o.Has:
		c.res.Add("opening", key(idx), "the leaf commits to none")
	}
	if !o.Has {
		c.matterLeaf(idx, nil)
		return
	}
	var opened *entrylog.Opening
	defer func() { c.matterLeaf(idx, opened) }()
	if want := c.years.of(c.log.Parsed().AtMS(), c.zone); int64(want) != year {
		c.res.Add("opening", key(idx), "fiscal_year is %d, the leaf gives %d", year, want)
	}
	if want := c.log.Parsed().Class(); string(class) != string(want) {
		c.res.Add("opening", key(idx), "class is %q, the leaf gives %q", class, want)
	}
	if c.keys == nil || commit == (entrylog.Hash{}) {
		return
	}
	opening, _, _, err := c.keys.Open(commit, keystore.Sealed{
		Period: keystore.Period{FiscalYear: int(year), Class: entrylog.Class(class)}, RowKey: rowKey, Ciphertext: ciphertext, PersonRef: o.Person,
	})
	switch {
	case errors.Is(err, keystore.ErrNoKey):
		c.res.Erased++
		p := keystore.Period{FiscalYear: int(year), Class: entrylog.Class(class)}
		if _, met := c.keyless[p]; !met {
			c.keyless[p] = idx
		}
	case err != nil:
		c.res.Add("opening", key(idx), "%v", err)
	default:
		c.res.Openings++
		c.log.Private(idx, &opening)
		opened = &opening
	}
}

// leaf folds one leaf and compares the rows that follow from it.
func (c *check) leaf(idx int64, o attempt.Ref) error {
	p := c.log.Parsed()
	switch p.Kind {
	case entrylog.KindDecision:
		l, fresh, err := c.line(idx, p.Decision.Attempt)
		if err != nil {
			return err
		}
		c.fold.Decision(&l.want, fresh, idx, &p.Decision, o)
		c.folded(l, fresh, idx)
	case entrylog.KindRecord:
		return c.record(idx, o)
	case entrylog.KindAction:
		if f, status, ok := attempt.FindingStatus(&p.Action); ok {
			if st := c.status[f]; st != nil {
				st.Status, st.Idx = status, idx
			} else if !c.log.Gone(f) {
				c.res.Add("log_leaf", key(idx), "moves finding %d, which does not exist", f)
			}
		}
		return c.actRows(idx, &p.Action)
	case entrylog.KindSystem:
		return c.system(idx)
	}
	return nil
}

func (c *check) record(idx int64, o attempt.Ref) error {
	r := &c.log.Parsed().Record
	body := c.log.Record()
	if err := c.recordLeaf(idx, r, body); err != nil {
		return err
	}
	if body.Attempt == (door.Attempt{}) {
		return nil
	}
	l, fresh, err := c.line(idx, body.Attempt)
	if err != nil {
		return err
	}
	c.fold.Record(&l.want, fresh, idx, r, body, o)
	c.folded(l, fresh, idx)
	return nil
}

// line finds the attempt a leaf belongs to; fresh says that the leaf is its first.
func (c *check) line(idx int64, id [16]byte) (l *line, fresh bool, err error) {
	if l := c.open[id]; l != nil {
		return l, false, nil
	}
	l = &line{}
	c.open[id] = l
	if l.stored, l.has, err = c.attempts.take(idx, c.strayAttempt); err != nil {
		return nil, false, err
	}
	if l.has && l.stored.ID != id {
		c.strayAttempt(idx, l.stored)
		l.has = false
	}
	if !l.has {
		c.res.Add("attempt", attemptKey(id), "no row with first_idx %d", idx)
	}
	for { // its leaves
		n, ok, err := c.following.take(idx, c.strayFollowing)
		if err != nil {
			return nil, false, err
		}
		if !ok {
			return l, true, nil
		}
		l.leaves = append(l.leaves, n)
	}
}

func (c *check) strayAttempt(first int64, r attempt.Row) {
	c.res.Add("attempt", attemptKey(r.ID), "first_idx is %d, where no leaf begins this attempt", first)
}

func (c *check) strayFollowing(first, idx int64) {
	c.res.Add("attempt_leaf", fmt.Sprintf("%d/%d", first, idx), "belongs to no attempt")
}

// folded compares the attempt's rows once its last leaf was met.
func (c *check) folded(l *line, fresh bool, idx int64) {
	if !fresh {
		for len(l.leaves) > 0 && l.leaves[0] < idx {
			c.strayFollowing(l.want.First, l.leaves[0])
			l.leaves = l.leaves[1:]
		}
		if len(l.leaves) > 0 && l.leaves[0] == idx {
			l.leaves = l.leaves[1:]
		} else if l.has {
			c.res.Add("attempt_leaf", fmt.Sprintf("%d/%d", l.want.First, idx), "is missing")
		}
	}
	if l.has && l.stored.Last == idx {
		c.compareLine(l)
		delete(c.open, l.want.ID)
	}
}

func (c *check) compareLine(l *line) {
	for _, d := range attempt.Diff(&l.stored, &l.want) {
		c.res.Add("attempt", attemptKey(l.want.ID), "%s", d)
	}
	for _, n := range l.leaves {
		c.strayFollowing(l.want.First, n)
	}
}

func (c *check) system(idx int64) error {
	y := &c.log.Parsed().System
	switch y.Name {
	case entrylog.SystemFinding:
		return c.finding(idx, y)
	case entrylog.SystemCoverage:
		want, ok := attempt.ParseCoverage(idx, y)
		row, found, err := c.coverage.take(idx, c.strayCoverage)
		if err != nil {
			return err
		}
		if !ok || !found || row != want {
			c.res.Add("coverage", key(idx), "is not what the leaf says")
		}
	case entrylog.SystemCosigned:
		return c.cosignedRow(idx, y)
	case entrylog.SystemQuarantine:
		q, found, err := c.quarantine.take(idx, c.strayQuarantine)
		if err != nil {
			return err
		}
		var epoch [16]byte
		copy(epoch[:], q.epoch)
		want := attempt.QuarantineLeaf(q.gateway, epoch, uint64(q.seq), q.body, y.AtMS)
		if !found || len(q.epoch) != 16 || !sameValues(want.Values, y.Values) {
			c.res.Add("quarantine", key(idx), "is not what the leaf says")
		}
	case entrylog.SystemPolicy:
		p, found, err := c.policies.take(idx, c.strayPolicy)
		if err != nil {
			return err
		}
		want, sum := attempt.PolicyLeaf(p.gateway, p.part, uint64(p.version), p.bytes, y.AtMS)
		if !found || string(sum[:]) != string(p.sum) || !sameValues(want.Values, y.Values) {
			c.res.Add("policy_version", key(idx), "is not what the leaf says")
		}
	}
	return nil
}

func sameValues(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func (c *check) strayCoverage(idx int64, _ attempt.Coverage) {
	c.res.Add("coverage", key(idx), "follows from no leaf")
}
func (c *check) strayQuarantine(idx int64, _ quarantined) {
	c.res.Add("quarantine", key(idx), "follows from no leaf")
}
func (c *check) strayPolicy(idx int64, _ policyRow) {
	c.res.Add("policy_version", key(idx), "follows from no leaf")
}
func (c *check) strayFinding(idx int64, _ attempt.Finding) {
	c.res.Add("finding", key(idx), "follows from no leaf")
}

func (c *check) finding(idx int64, y *entrylog.System) error {
	want, ok := c.fold.ParseFinding(idx, y)
	if !ok {
		c.res.Add("log_leaf", key(idx), "the finding is malformed")
		return nil
	}
	row, found, err := c.findings.take(idx, c.strayFinding)
	if err != nil {
		return err
	}
	st := &findingState{Status: want.Status, Idx: idx}
	c.status[idx] = st
	if !found {
		c.res.Add("finding", key(idx), "is missing")
	} else {
		st.RowSeen, st.RowStatus, st.RowIdx = true, row.Status, row.StatusIdx
		want.Status, want.StatusIdx = row.Status, row.StatusIdx // compared when all actions are known
		if row != want {
			c.res.Add("finding", key(idx), "is not what the leaf says")
		}
	}
	if l := c.open[want.Attempt]; l != nil && want.Attempt != [16]byte{} {
		c.fold.Finding(&l.want, idx)
		c.folded(l, false, idx)
	}
	return nil
}

// finish compares everything that is only known at the end.
func (c *check) finish() error {
	c.log.Finish()
	c.rep.HeldMet, c.rep.HeldPast = c.log.FinishHeld(c.log.Next())
	c.rep.HeldLost = c.log.HeldLost()
	if err := c.takeCheckpoints(math.MaxInt64); err != nil {
		return err
	}
	for id, l := range c.open {
		if l.has {
			c.compareLine(l)
		} else {
			for _, n := range l.leaves {
				c.strayFollowing(l.want.First, n)
			}
		}
		delete(c.open, id)
	}
	for idx, st := range c.status {
		if st.RowSeen && st.RowIdx > st.Idx && c.log.Gone(st.RowIdx) {
			continue // the action that moved it last was disposed of before the finding
		}
		if st.RowSeen && (st.Status != st.RowStatus || st.Idx != st.RowIdx) {
			c.res.Add("finding", key(idx), "status is %q by leaf %d, the leaves give %q by %d", st.RowStatus, st.RowIdx, st.Status, st.Idx)
		}
	}
	err := errors.Join(c.attempts.drain(c.strayAttempt), c.following.drain(c.strayFollowing), c.findings.drain(c.strayFinding),
		c.quarantine.drain(c.strayQuarantine), c.coverage.drain(c.strayCoverage), c.policies.drain(c.strayPolicy),
		c.days.drain(c.strayDay), c.cases.drain(c.strayCase), c.zoneActs.drain(c.strayZoneAct), c.cosigned.drain(c.strayCosigned), c.stamps.drain(c.strayStamp))
	if err != nil {
		return err
	}
	if err := c.finishMatters(); err != nil {
		return err
	}
	if err := c.finishChains(); err != nil {
		return err
	}
	if err := c.finishRetention(); err != nil {
		return err
	}
	c.finishKeys()
	return c.strayOpenings()
}

// finishKeys names the classes and years whose key is gone though nothing says that it was destroyed: no run in the log, and none on the key store's list,
// which knows more than a backup from before.
func (c *check) finishKeys() {
	for _, d := range c.log.Disposals() {
		delete(c.keyless, keystore.Period{FiscalYear: int(d.Year), Class: entrylog.Class(d.Class)})
	}
	if c.keys != nil {
		for _, d := range c.keys.Disposals() {
			delete(c.keyless, d.Period())
		}
		for _, d := range c.log.Disposals() {
			if d.Done >= 0 && c.keys.Has(keystore.Period{FiscalYear: int(d.Year), Class: entrylog.Class(d.Class)}) {
				c.res.Add("log_leaf", key(d.Done), "the key of %s of fiscal year %d is in the key store, though it was destroyed: the file is one of before", d.Class, d.Year)
			}
		}
	}
	for p, idx := range c.keyless {
		c.res.Add("opening", key(idx), "cannot be read, nor any other of %s of fiscal year %d: the key is not in the key store, and no disposal destroyed it", p.Class, p.FiscalYear)
	}
}

// strayOpenings names openings without a leaf.
func (c *check) strayOpenings() error {
	var n int64
	if err := c.tx.QueryRowContext(c.ctx, `SELECT count(*) FROM opening`).Scan(&n); err != nil || n == c.openings {
		return err
	}
	rows, err := c.tx.QueryContext(c.ctx, `SELECT idx FROM opening WHERE idx NOT IN (SELECT idx FROM log_leaf)`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var idx int64
		if err := rows.Scan(&idx); err != nil {
			return err
		}
		c.res.Add("opening", key(idx), "follows from no leaf")
	}
	return rows.Err()
}
