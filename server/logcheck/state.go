package logcheck

import (
	"bufio"
	"crypto/sha256"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"golang.org/x/mod/sumdb/note"

	"monban/server/entrylog"
)

// state is where a bundle's check stands: all that the lines read so far have left. It is taken right after a
// checkpoint that fits, so the tree needs nothing but its edge.
type state struct {
	Version  int             `json:"monban_verify_state"` // 1
	Head     BundleHead      `json:"head"`                // of the bundle it belongs to
	Given    string          `json:"given"`               // keys and held checkpoints that it was checked with
	Sum      []byte          `json:"sum"`                 // running SHA-256 of the lines
	Lines    int64           `json:"lines"`
	At       int64           `json:"at"` // bytes
	Size     int64           `json:"size"`
	Edge     [][]byte        `json:"edge"`
	Origin   string          `json:"origin"`
	Result   entrylog.Result `json:"result"`
	Report   Report          `json:"report"`
	Chains   []savedChain    `json:"chains"`
	Cover    map[string]*Coverage
	HeldNext int   `json:"held_next"`
	HeldMet  int64 `json:"held_met"`
	HeldPast int64 `json:"held_past"`
}

type savedChain struct {
	Key   ChainKey
	Chain Chain
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
	return fmt.Sprintf("%v %x", w.rep.OwnKeys, h.Sum(nil))
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
	tree, ok := w.c.tree.Tree()
	m, can := w.r.sum.(encoding.BinaryMarshaler)
	if !ok || !can {
		return
	}
	sum, err := m.MarshalBinary()
	if err != nil {
		return
	}
	s := state{
		Version: 1, Head: w.rep.Head, Given: w.given(), Sum: sum, Lines: w.r.lines, At: w.r.at, Size: tree.Size(), Origin: w.c.origin, Result: *w.rep.Result, Report: *w.rep,
		Cover: w.c.cover, HeldNext: w.c.held.next, HeldMet: w.c.held.met, HeldPast: w.c.held.past,
	}
	s.Report.Result = nil
	for _, h := range tree.Edge() {
		s.Edge = append(s.Edge, h[:])
	}
	for k, c := range w.c.chains {
		s.Chains = append(s.Chains, savedChain{k, *c})
	}
	data, err := json.Marshal(s)
	if err != nil {
		return
	}
	w.save = w.r.lines
	w.opt.Save(data)
}

// resume goes on from a saved state of this bundle.
func (w *walk) resume(in io.ReadSeeker) error {
	var s state
	if err := json.Unmarshal(w.opt.State, &s); err != nil {
		return err
	}
	if s.Version != 1 || s.Head != w.rep.Head || s.Given != w.given() {
		return errors.New("the saved state is of another bundle, or of other keys and checkpoints")
	}
	var edge []entrylog.Hash
	for _, h := range s.Edge {
		if len(h) != len(entrylog.Hash{}) {
			return errors.New("the saved state is damaged")
		}
		edge = append(edge, entrylog.Hash(h))
	}
	tree, err := entrylog.TreeOf(s.Size, edge)
	if err != nil {
		return err
	}
	log := w.c.keys.Of(s.Origin)
	sum := sha256.New()
	u, can := sum.(encoding.BinaryUnmarshaler)
	if log == nil || !can {
		return fmt.Errorf("the public key of log %s is not at hand", s.Origin)
	}
	if err := u.UnmarshalBinary(s.Sum); err != nil {
		return err
	}
	if _, err := in.Seek(s.At, io.SeekStart); err != nil {
		return err
	}
	w.r = &bundleReader{in: bufio.NewReaderSize(in, maxLine), sum: sum, lines: s.Lines, at: s.At}
	own := w.rep.OwnKeys
	*w.rep = s.Report
	w.rep.Result, w.rep.OwnKeys, w.rep.Resumed = &s.Result, own, true
	w.c.Result, w.c.origin, w.c.cover = &s.Result, s.Origin, s.Cover
	w.c.tree = entrylog.VerifierFrom(log, &s.Result, tree)
	w.c.held.next, w.c.held.met, w.c.held.past = s.HeldNext, s.HeldMet, s.HeldPast
	if w.c.cover == nil {
		w.c.cover = map[string]*Coverage{}
	}
	for _, c := range s.Chains {
		w.c.chains[c.Key] = &c.Chain
	}
	w.save = s.Lines
	return nil
}
