package logcheck

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"golang.org/x/mod/sumdb/note"

	"monban/server/entrylog"
)

// state is where a bundle's check stands: all that the lines read so far have left. It is taken right after a
// checkpoint that fits, so the tree needs nothing but its edge.
//
// Nothing in it is signed: who can write it can have a check skip what it likes. So it may only come from where the auditor's
// own earlier check put it, never from where the bundle came from. What resume compares finds a bundle that is another one
// now, not a state that somebody made up.
type state struct {
	Version int        `json:"monban_verify_state"` // 2
	Head    BundleHead `json:"head"`                // of the bundle it belongs to
	Given   string     `json:"given"`               // keys and held checkpoints that it was checked with
	Sum     []byte     `json:"sum"`                 // SHA-256 of the lines up to At
	Lines   int64      `json:"lines"`
	At      int64      `json:"at"` // bytes
	Saved
	Result entrylog.Result `json:"result"`
	Report Report          `json:"report"`
}

// given names what the walk compares with.
func (w *walk) given() string {
	h := sha256.New()
	for _, v := range append([]note.Verifier{w.c.keys.Log}, w.c.keys.Before...) {
		fmt.Fprintf(h, "%s %08x\n", v.Name(), v.KeyHash())
	}
	for _, x := range w.c.held.list {
		fmt.Fprintf(h, "%s\n%s", x.Name, x.Checkpoint.Text())
	}
	if p := w.opt.Policy; p != nil {
		for _, x := range p.Witnesses {
			fmt.Fprintf(h, "%s %s\n", x.Name, keyName(x.Key))
		}
		fmt.Fprintf(h, "%v %s\n", p.groups, p.quorum)
	}
	if w.opt.Stamps != nil {
		fmt.Fprintf(h, "stamps %s\n", w.opt.Stamps.Sum())
	}
	return fmt.Sprintf("%v %x", w.rep.OwnKeys, h.Sum(nil))
}

// stateName names the bundle and what it is checked with, for whoever keeps states: 32 hex digits.
func (w *walk) stateName() (string, error) {
	head, err := json.Marshal(w.rep.Head)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(append(append(head, '\n'), w.given()...))
	return hex.EncodeToString(sum[:16]), nil
}

// saveState tells where the check stands. What cannot be told is no harm: the check then begins anew.
func (w *walk) saveState() {
	every := w.opt.Every
	if every == 0 {
		every = saveEvery
	}
	if w.opt.Save == nil || w.r.lines-w.save < every {
		return
	}
	saved, ok := w.c.Save()
	if !ok {
		return
	}
	s := state{
		Version: 2, Head: w.rep.Head, Given: w.given(), Sum: w.r.sum.Sum(nil), Lines: w.r.lines, At: w.r.at, Saved: saved, Result: *w.rep.Result, Report: *w.rep,
	}
	s.Report.Result = nil
	data, err := json.Marshal(s)
	if err != nil {
		return
	}
	w.save = w.r.lines
	w.opt.Save(w.rep.StateName, data)
}

var errState = errors.New("the saved state contradicts itself")

// check looks whether the state's numbers can be those of a check of this bundle that stood at a checkpoint.
func (s *state) check(held int) error {
	n := s.Lines
	within := func(max int64, list ...int64) bool {
		return !slices.ContainsFunc(list, func(x int64) bool { return x < 0 || x > max })
	}
	leaves := s.Size - s.Head.From
	r := &s.Report
	switch {
	case n < 3 || n > math.MaxInt64/maxLine || s.At < n || s.At > n*maxLine, // a head, a leaf and a checkpoint at least
		leaves < 1 || leaves > n || s.Size > s.Head.Size,
		r.Head != s.Head || r.Signed != s.Size || r.Sum != "" || r.Result != nil || r.Sure != 0 || r.HeldMet != 0 || r.HeldPast != 0 || r.Asked || r.Quorum != 0 || r.NoKey != 0,
		!within(leaves, s.Result.Leaves, r.Records, r.Closed) || !within(n, s.Result.Checkpoints, s.Result.Openings, s.Result.Erased),
		s.Result.Checkpoints < 1 || s.Result.More < 0 || s.Result.More > 0 && len(s.Result.Findings) < entrylog.MaxFindings:
		return errState
	}
	return s.Saved.check(s.Head.From, leaves, held)
}

// check looks whether the numbers can be those of a walk from leaf from on that has taken so many leaves.
func (s *Saved) check(from, leaves int64, held int) error {
	within := func(max int64, list ...int64) bool {
		return !slices.ContainsFunc(list, func(x int64) bool { return x < 0 || x > max })
	}
	if s.HeldNext < 0 || s.HeldNext > held || !within(int64(s.HeldNext), s.HeldMet, s.HeldOwn, s.HeldPast, s.HeldLost) || s.HeldMet+s.HeldOwn+s.HeldPast+s.HeldLost+int64(len(s.HeldStamps)) > int64(s.HeldNext) ||
		int64(len(s.Chains)) > leaves || int64(len(s.Cover)) > leaves {
		return errState
	}
	for i := range s.Chains {
		c := &s.Chains[i].Chain
		if c.Idx < from || c.Idx >= s.Size || !within(leaves, c.Records) || !within(math.MaxInt64, c.Watermark, c.First, c.Gaps) {
			return errState
		}
	}
	if slices.Contains(slices.Collect(maps.Values(s.Cover)), nil) || slices.Contains(slices.Collect(maps.Values(s.Gone.Runs)), nil) {
		return errState
	}
	return nil
}

// resume goes on from a saved state of this bundle. The lines that the state stands for are read and hashed again, but not
// checked again. Its errors say that nothing was checked.
func (w *walk) resume(ctx context.Context, data []byte) error {
	var s state
	if err := json.Unmarshal(data, &s); err != nil {
		return err
	}
	if s.Version != 2 || s.Head != w.rep.Head || s.Given != w.given() {
		return errors.New("the saved state is of another bundle, or of other keys and checkpoints")
	}
	if err := s.check(len(w.c.held.list)); err != nil {
		return err
	}
	for w.r.at < s.At {
		if w.r.lines%often == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			if w.opt.Progress != nil {
				w.opt.Progress(w.r.at, w.r.lines)
			}
		}
		if word, _, err := w.r.next(); err != nil {
			return err
		} else if word == lineEnd {
			break
		}
	}
	if w.r.at != s.At || w.r.lines != s.Lines || !bytes.Equal(w.r.sum.Sum(nil), s.Sum) {
		return errors.New("the bundle is not the one that was begun with: what was checked already was changed since")
	}
	own, given, name := w.rep.OwnKeys, w.rep.Given, w.rep.StateName
	*w.rep = s.Report
	w.rep.Result, w.rep.OwnKeys, w.rep.Given, w.rep.StateName, w.rep.Resumed, w.rep.ResumedAt = &s.Result, own, given, name, true, s.Size
	if _, err := w.c.resume(&s.Saved, &s.Result); err != nil {
		return err
	}
	w.save = s.Lines
	return nil
}
