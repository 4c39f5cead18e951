package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"monban/server/attempt"
	"monban/server/entrylog"
	"monban/server/keystore"
	"monban/server/logcheck"
)

// saveEvery is after how many leaves the state of a check is saved, at the next checkpoint that fits.
const saveEvery = 1 << 16

// verifyState is where a check of a database stands: what the leaves so far have left, and which row each cursor stands on.
//
// Nothing in it is signed, as in the state of a bundle's check: it may only come from where the same person's own earlier check put it.
// The leaves that it stands for are hashed again when it is gone on from; what was compared with them (rows, openings) is not compared
// again, and the page says so. Rows of a log that has grown may have moved for later leaves, so a state is only of the log as it was.
type verifyState struct {
	Version int    `json:"monban_verify_database"` // 2
	Given   string `json:"given"`                  // log, keys and checkpoints that it was checked with
	logcheck.Saved
	Result   entrylog.Result `json:"result"`
	Before   int             `json:"before"` // findings of what is looked at before the leaves
	Report   logcheck.Report `json:"report"`
	Openings int64           `json:"openings"`
	At       cursorPlaces    `json:"at"`
	Open     []savedLine     `json:"open"`
	Records  []savedRows     `json:"records"`
	Status   map[int64]*findingState
	Leaves   map[int64]bool // of matters
	Matters  map[string]*Matter
	Keyless  []savedKeyless
}

type savedKeyless struct {
	Period keystore.Period
	Idx    int64
}

// cursorPlaces are the index of the row that each cursor stands on, MaxInt64 at its end.
type cursorPlaces struct {
	Checkpoints, Attempts, Following, Findings, Quarantine, Coverage, Policies, Days, Cases, ZoneActs, Cosigned, Stamps int64

	FollowingLeaf int64 // rows of attempt_leaf have two indices
}

type savedLine struct {
	Want, Stored attempt.Row
	Has          bool
	Leaves       []int64
}

type savedRows struct {
	Key  logcheck.ChainKey
	From int64
}

// place is where a cursor stands.
func place[T any](c *cursor[T]) int64 {
	if !c.ok {
		return math.MaxInt64
	}
	return c.idx
}

// given names the log and what it is compared with.
func (c *check) given(opt *VerifyOptions) (string, error) {
	var hashes []byte
	var newest string // its checkpoint names the root of nearly all leaves
	err := c.tx.QueryRowContext(c.ctx, `SELECT hashes, coalesce((SELECT note FROM checkpoint ORDER BY size DESC LIMIT 1), '') FROM log_leaf WHERE idx = ?`,
		c.rep.Head.Log-1).Scan(&hashes, &newest)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	fmt.Fprintf(h, "%d %x %v %v\n%s", c.rep.Head.Log, hashes, opt.Restored, opt.Keys != nil, newest)
	for i, v := range append(slices.Clone(opt.Before), opt.Log) {
		fmt.Fprintf(h, "%d %s %08x\n", i, v.Name(), v.KeyHash())
	}
	for _, x := range opt.Held {
		fmt.Fprintf(h, "%s %v %+v\n%s", x.Name, x.Own, x.Stamp, x.Checkpoint.Text())
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// resumeOn looks for a state to go on from, before the cursors are opened. Its errors say that nothing was checked.
func (c *check) resumeOn(opt *VerifyOptions) error {
	if opt.Save == nil && opt.State == nil {
		return nil
	}
	var err error
	if c.stateOf, err = c.given(opt); err != nil {
		return err
	}
	c.rep.StateName, c.save, c.saveEvery, c.before = c.stateOf[:32], opt.Save, opt.Every, len(c.res.Findings)
	if c.saveEvery == 0 {
		c.saveEvery = saveEvery
	}
	if opt.State == nil {
		return nil
	}
	data, err := opt.State(c.rep.StateName)
	if err == nil && data != nil {
		err = c.resume(data)
	}
	if err != nil {
		return fmt.Errorf("go on where it was broken off: %w", err)
	}
	return nil
}

var errVerifyState = errors.New("the saved state contradicts itself")

func (c *check) resume(data []byte) error {
	var s verifyState
	if err := json.Unmarshal(data, &s); err != nil {
		return err
	}
	if s.Version != 2 || s.Given != c.stateOf {
		return errors.New("the saved state is of another log, of one that has grown since, or of other keys and checkpoints")
	}
	if err := s.check(c.rep.Head.Log); err != nil {
		return err
	}
	if err := c.sameLeaves(&s.Saved); err != nil {
		return err
	}
	found := s.Result
	found.Findings = slices.Concat(c.res.Findings, s.Result.Findings[s.Before:]) // what stands before the leaves was looked at anew
	*c.res = found
	if err := c.log.Resume(&s.Saved, c.res); err != nil {
		return err
	}
	r := c.rep
	r.FirstMS, r.LastMS, r.Records, r.Resumed, r.ResumedAt = s.Report.FirstMS, s.Report.LastMS, s.Report.Records, true, s.Size
	c.openings, c.at, c.from, c.saved = s.Openings, s.At, s.Size, s.Size
	for _, l := range s.Open {
		c.open[l.Want.ID] = &line{want: l.Want, stored: l.Stored, has: l.Has, leaves: l.Leaves}
	}
	for _, x := range s.Records {
		c.records[x.Key] = &chainRows{from: x.From}
	}
	if s.Status != nil {
		c.status = s.Status
	}
	for _, x := range s.Keyless {
		c.keyless[x.Period] = x.Idx
	}
	if s.Leaves != nil {
		c.matters = matterCheck{leaves: s.Leaves, want: s.Matters}
	}
	return nil
}

// check looks whether the numbers can be those of a check of so many leaves that stood at a checkpoint.
func (s *verifyState) check(log int64) error {
	known := map[string]bool{}
	for _, m := range s.Matters {
		if m == nil || known[m.ID] {
			return errVerifyState
		}
		known[m.ID] = true
	}
	for _, f := range s.Status {
		if f == nil {
			return errVerifyState
		}
	}
	r := &s.Result
	if s.Size < 1 || s.Size > log || s.Before < 0 || s.Before > len(r.Findings) || len(r.Findings) > entrylog.MaxFindings || r.More < 0 || r.More > 0 && len(r.Findings) < entrylog.MaxFindings ||
		r.Leaves < 0 || r.Leaves > s.Size || r.Checkpoints < 1 || s.Openings < 0 || s.Openings > s.Size || r.Openings < 0 || r.Erased < 0 || r.Openings+r.Erased > s.Openings ||
		s.Report.Result != nil || s.Report.Records < 0 || s.Report.Records > s.Size || (s.Leaves == nil) != (s.Matters == nil) || int64(len(s.Open)) > s.Size || int64(len(s.Records)) > s.Size {
		return errVerifyState
	}
	return nil
}

// sameLeaves hashes the leaves that the state stands for again.
func (c *check) sameLeaves(s *logcheck.Saved) error {
	rows, err := c.tx.QueryContext(c.ctx, `SELECT idx, body, hashes FROM log_leaf WHERE idx < ? ORDER BY idx`, s.Size)
	if err != nil {
		return err
	}
	defer rows.Close()
	var tree entrylog.Tree
	var buf []byte
	var body, hashes []byte
	for next := int64(0); rows.Next(); next++ {
		var idx int64
		if err := rows.Scan(&idx, &body, &hashes); err != nil {
			return err
		}
		h := entrylog.LeafHash(body)
		_, gone := entrylog.DroppedBy(body)
		if gone != s.Dropped(next) { // a body taken out since: the walk that would ask which run did it is over
			return fmt.Errorf("what was checked already was changed since: leaf %d", next)
		}
		if gone && len(hashes) >= len(h) {
			h = entrylog.Hash(hashes[:len(h)])
		}
		_, buf = tree.Append(buf[:0], h)
		if idx != next || !bytes.Equal(hashes, buf) {
			return fmt.Errorf("what was checked already was changed since: leaf %d", next)
		}
		if c.tell != nil && idx%often == 0 {
			c.tell(idx, c.rep.Head.Log)
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	was, err := s.Tree()
	if err != nil {
		return err
	}
	if tree.Size() != was.Size() || tree.Root() != was.Root() {
		return errors.New("what was checked already was changed since: the leaves have another root")
	}
	return nil
}

// saveState tells where the check stands, before leaf idx. What cannot be told is no harm: the check then begins anew.
func (c *check) saveState(idx int64) (done bool) {
	if c.save == nil || idx-c.saved < c.saveEvery || c.log.Sure() != idx {
		return false
	}
	saved, ok := c.log.Save()
	if !ok || saved.Size != idx {
		return false
	}
	s := verifyState{
		Version: 2, Given: c.stateOf, Saved: saved, Result: *c.res, Before: c.before, Openings: c.openings,
		Report: logcheck.Report{FirstMS: c.rep.FirstMS, LastMS: c.rep.LastMS, Records: c.rep.Records},
		At: cursorPlaces{
			Checkpoints: place(c.checkpoints), Attempts: place(c.attempts), Following: place(c.following), FollowingLeaf: c.following.row, Findings: place(c.findings),
			Quarantine: place(c.quarantine), Coverage: place(c.coverage), Policies: place(c.policies), Days: place(c.days), Cases: place(c.cases),
			ZoneActs: place(c.zoneActs), Cosigned: place(c.cosigned), Stamps: place(c.stamps),
		},
		Status: c.status, Leaves: c.matters.leaves, Matters: c.matters.want,
	}
	for p, first := range c.keyless {
		s.Keyless = append(s.Keyless, savedKeyless{p, first})
	}
	for _, l := range c.open {
		s.Open = append(s.Open, savedLine{l.want, l.stored, l.has, l.leaves})
	}
	for k, st := range c.records {
		from := st.from
		if len(st.page) > 0 {
			from = st.page[0].seq
		}
		s.Records = append(s.Records, savedRows{k, from})
	}
	data, err := json.Marshal(s)
	if err != nil {
		return false
	}
	c.saved = idx
	c.save(c.rep.StateName, data)
	return true
}
