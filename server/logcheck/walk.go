package logcheck

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"golang.org/x/mod/sumdb/note"

	"monban/server/entrylog"
	"monban/server/timestamp"
)

// Options of a bundle's check.
type Options struct {
	// Keys are the public keys that the auditor got from elsewhere, in any order. Without any, those in the bundle
	// are used: then the bundle can only contradict itself.
	Keys []note.Verifier
	// Held are checkpoints that others hold; OpenHeld checks their signatures with the keys that count.
	Held []NamedNote
	// Stamps is whose time stamps are believed; nil = each is checked with the certificate that it brings, which says nothing of whose it is.
	Stamps *timestamp.Trust
	// Policy says who must have cosigned; nil = nobody has to. Its logs count as Keys.
	Policy *Policy

	// State gives where an earlier check of this name (Report.StateName) was broken off, as Save got it; nil = none, the
	// check begins at the start. It is believed: it must not come from where the bundle came from. nil = from the start.
	State    func(name string) ([]byte, error)
	Every    int64                           // lines between two states; 0 = saveEvery
	Save     func(name string, state []byte) // told now and then where the check stands; nil = never
	Progress func(bytes, line int64)         // told now and then how many bytes were read; nil = never

	leaf func(p *entrylog.Parsed) // told of each leaf that can be read; nil = not
}

// NamedNote is a signed checkpoint with the name of where it comes from.
type NamedNote struct {
	Name   string
	Signed string
}

// Report is what a bundle's check came to.
type Report struct {
	Head    BundleHead
	Result  *entrylog.Result
	Sum     string           // SHA-256 of all lines but the last, in hex
	OwnKeys bool             // no key came from elsewhere
	Key     string           // name+id of the log's key where the walk ended
	Given   []string         // name+id of the keys that came from elsewhere
	Signers map[string]int64 // of those that signed a checkpoint which fits: its size

	StateName string `json:"-"` // of the bundle with what it was checked with, as Options.State and Save got it
	Resumed   bool   // a state was gone on from
	ResumedAt int64  // leaves, from the log's beginning, that only the earlier check looked at

	Sure       int64 // leaves, from the log's beginning, that a checkpoint confirms
	Signed     int64 // size of the newest checkpoint that fits, 0 = none
	FirstMS    int64 // server time of the first and last leaf, UTC ms
	LastMS     int64
	Closed     int64 // leaves that commit to an opening which is not in the bundle
	Records    int64
	NoKey      int64               // openings that whoever made the bundle could not read: their key was missing
	SaidErased int64               // openings of which only the bundle says that they were erased, and that cannot be judged here
	Chains     map[ChainKey]*Chain `json:"-"`
	Covered    map[string]*Coverage

	Disposals []Disposal // runs that the leaves state

	Database *Database `json:"-"` // the log was checked where it lies; nil = in a bundle

	HeldMet  int64 // held checkpoints that were compared and fit
	HeldPast int64 // held checkpoints of sizes outside the bundle
	HeldLost int64 // held checkpoints of an earlier log that name leaves which its successor records as lost

	Cosigners map[string]Cosigner // by key name and id
	Asked     bool                // a policy asks for cosignatures
	Quorum    int64               // leaves, from the log's beginning, that those whom it asks for have cosigned

	Stamps []Stamped `json:",omitempty"` // that hold, in the order of the leaves
}

// often is after how many lines a check looks whether it should stop, and tells how far it is.
const often = 1 << 12

// saveEvery is after how many lines the state is saved, at the next checkpoint that fits.
const saveEvery = 1 << 16

// walk is a check of one bundle under way.
type walk struct {
	r    *bundleReader
	c    *Check
	rep  *Report
	opt  Options
	leaf int64 // index of the newest leaf line, -1 = none
	at   int64 // server time of the newest leaf line, UTC ms; 0 = it cannot be read
	left bool  // the newest leaf commits to an opening that has not come yet
	dark bool  // the newest leaf cannot be read: nothing tells whether it commits to one
	done bool
	save int64 // lines at which the state was saved last

	signers signers
}

// CheckBundle reads a bundle from its beginning and checks it. An error says that the check could not be carried out;
// what was found is in the report.
func CheckBundle(ctx context.Context, in io.Reader, opt Options) (*Report, error) {
	r := &bundleReader{in: bufio.NewReaderSize(in, maxLine), sum: sha256.New()}
	b, err := r.begin()
	if err != nil {
		return nil, err
	}
	if opt.Policy != nil {
		opt.Keys = append(slices.Clone(opt.Keys), opt.Policy.Logs...)
	}
	rep := &Report{Head: b.head, Result: &entrylog.Result{}, OwnKeys: len(opt.Keys) == 0}
	for _, v := range opt.Keys {
		rep.Given = append(rep.Given, keyName(v))
	}
	keys, err := chooseKeys(b.keys, opt.Keys)
	if err != nil {
		return nil, err
	}
	before, err := entrylog.TreeOf(b.head.From, b.edge)
	if err != nil {
		return nil, err
	}
	c, err := NewPart(keys, rep.Result, before, b.head.Origin)
	if err != nil {
		return nil, err
	}
	held, err := OpenHeld(&keys, opt.Held)
	if err != nil {
		return nil, err
	}
	c.Hold(held)
	w := &walk{r: r, c: c, rep: rep, opt: opt, leaf: -1}
	if w.signers, err = newSigners(b.witnesses, opt.Policy); err != nil {
		return nil, err
	}
	if rep.StateName, err = w.stateName(); err != nil {
		return nil, err
	}
	if opt.State != nil {
		data, err := opt.State(rep.StateName)
		if err == nil && data != nil {
			err = w.resume(ctx, data)
		}
		if err != nil {
			return nil, fmt.Errorf("go on where it was broken off: %w", err)
		}
	}
	return rep, w.run(ctx)
}

// chooseKeys gives the keys that count. The first in the bundle is that of its newest log.
func chooseKeys(own []string, given []note.Verifier) (k Keys, err error) {
	if len(own) == 0 {
		return k, errors.New("the bundle names no public key")
	}
	newest, err := note.NewVerifier(own[0])
	if err != nil {
		return k, fmt.Errorf("public key in the bundle: %w", err)
	}
	if len(given) == 0 {
		for _, text := range own {
			v, err := note.NewVerifier(text)
			if err != nil {
				return k, fmt.Errorf("public key in the bundle: %w", err)
			}
			given = append(given, v)
		}
	}
	for _, v := range given {
		if v.Name() == newest.Name() && v.KeyHash() == newest.KeyHash() {
			k.Log = v
		} else {
			k.Before = append(k.Before, v)
		}
	}
	if k.Log == nil {
		return k, fmt.Errorf("the bundle is of log %s, and no given key is that log's", newest.Name())
	}
	return k, nil
}

// OpenHeld checks the signatures of held checkpoints with the key of the log that each names.
func OpenHeld(keys *Keys, list []NamedNote) ([]Held, error) {
	var out []Held
	for _, h := range list {
		text, err := entrylog.SignedText([]byte(h.Signed))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", h.Name, err)
		}
		c, err := entrylog.ParseCheckpointText(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", h.Name, err)
		}
		v := keys.Of(c.Origin)
		if v == nil {
			return nil, fmt.Errorf("%s: is of log %s, whose public key is not at hand", h.Name, c.Origin)
		}
		if c, err = entrylog.OpenCheckpoint([]byte(h.Signed), v); err != nil {
			return nil, fmt.Errorf("%s: %w", h.Name, err)
		}
		out = append(out, Held{Name: h.Name, Checkpoint: c})
	}
	return out, nil
}

func (w *walk) run(ctx context.Context) error {
	for !w.done {
		if w.r.lines%often == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			if w.opt.Progress != nil {
				w.opt.Progress(w.r.at, w.r.lines)
			}
		}
		word, rest, err := w.r.next()
		if err == nil {
			err = w.line(word, rest)
		}
		if err != nil {
			return fmt.Errorf("after leaf %d: %w", w.c.Next()-1, err)
		}
	}
	w.finish()
	return nil
}

func (w *walk) line(word string, rest []byte) (err error) {
	switch word {
	case lineLeaf:
		return w.leafLine(rest)
	case lineHash:
		return w.hashLine(rest)
	case lineOpening:
		return w.opening(rest)
	case lineErased:
		if !w.left && !w.dark {
			return errors.New("an erased opening without its leaf")
		}
		if w.left {
			w.c.SaidErased(w.leaf)
		}
		w.left = false
		w.rep.Result.Erased++
	case lineNoKey:
		year, err := strconv.ParseUint(string(rest), 10, 16)
		if err != nil || w.rep.Head.Version < 4 || !w.left && !w.dark {
			return errors.New("an opening without its key, and without its leaf or fiscal year")
		}
		if w.left {
			w.c.NoKey(w.leaf, int(year))
		}
		w.left = false
	case lineCheckpoint:
		return w.checkpoint(rest)
	case lineCosigned:
		return w.cosignedLine(rest)
	case lineStamp:
		return w.stampLine(rest)
	case lineEnd:
		w.done = true
		w.rep.Sum, err = w.r.end(rest)
		if err != nil {
			w.rep.Result.Add("bundle", "end", "%v", err)
		}
		return nil
	default:
		return fmt.Errorf("line %d: a line of unknown kind", w.r.lines)
	}
	return nil
}

func (w *walk) indexed(rest []byte, n int) (idx int64, h entrylog.Hash, parts [][]byte, err error) {
	parts = bytes.SplitN(rest, []byte(" "), n)
	if len(parts) != n {
		return 0, h, nil, fmt.Errorf("line %d: is incomplete", w.r.lines)
	}
	if idx, err = parseIndex(parts[0]); err != nil {
		return 0, h, nil, err
	}
	h, err = parseHash(parts[1])
	return idx, h, parts, err
}

func (w *walk) leafLine(rest []byte) error {
	idx, h, parts, err := w.indexed(rest, 3)
	if err != nil {
		return err
	}
	w.openingMissing()
	w.c.PassHeld()
	body := parts[2]
	kind, _ := entrylog.KindOf(body) // what is none is told below
	ok, err := w.c.Leaf(idx, kind, body, h[:])
	if err != nil {
		return err
	}
	w.leaf, w.left, w.dark, w.at = idx, false, !ok, 0
	if !ok {
		return nil
	}
	p := w.c.Parsed()
	if w.opt.leaf != nil {
		w.opt.leaf(p)
	}
	if w.rep.FirstMS == 0 {
		w.rep.FirstMS = p.AtMS()
	}
	w.at = p.AtMS()
	w.rep.LastMS = max(w.rep.LastMS, w.at)
	if p.Kind == entrylog.KindRecord {
		w.rep.Records++
	}
	w.left = p.Commit() != entrylog.Hash{}
	return nil
}

func (w *walk) hashLine(rest []byte) error {
	idx, h, _, err := w.indexed(rest, 2)
	if err != nil {
		return err
	}
	w.openingMissing()
	w.c.PassHeld()
	w.c.Hash(idx, h)
	if idx < w.rep.Head.To {
		w.rep.Result.Leaves++
		w.c.drop(idx, anyRun)
	}
	w.leaf, w.dark, w.at = idx, false, 0
	return nil
}

func (w *walk) opening(rest []byte) error {
	if w.dark {
		return nil
	}
	salt, raw, ok := bytes.Cut(rest, []byte(" "))
	if !ok || !w.left || len(salt) != 64 {
		return errors.New("an opening without its leaf, or without a salt")
	}
	var s [32]byte
	if _, err := hex.Decode(s[:], salt); err != nil {
		return fmt.Errorf("salt: %w", err)
	}
	w.left = false
	if w.c.Opening(w.leaf, s, raw) {
		w.rep.Result.Openings++
	}
	return nil
}

// openingMissing looks whether the opening of the newest leaf should have come.
func (w *walk) openingMissing() {
	if !w.left {
		return
	}
	w.left = false
	if w.rep.Head.Openings && w.leaf < w.rep.Head.To {
		w.rep.Result.Add("opening", Key(w.leaf), "is missing: the leaf commits to one")
		return
	}
	w.rep.Closed++
}

func (w *walk) checkpoint(rest []byte) error {
	size, text, ok := bytes.Cut(rest, []byte(" "))
	n, err := parseIndex(size)
	if !ok || err != nil {
		return errors.New("a checkpoint without its size")
	}
	signed, err := base64.StdEncoding.Strict().DecodeString(string(text))
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	w.openingMissing()
	w.c.Checkpoint(n, string(signed))
	if w.c.Sure() == n {
		w.rep.Signed = n
		if w.rep.Signers == nil {
			w.rep.Signers = map[string]int64{}
		}
		w.rep.Signers[w.key()] = n
		w.saveState()
	}
	return nil
}

// key names the key of the log that signs where the walk stands.
func (w *walk) key() string {
	v := w.c.keys.Of(w.c.origin)
	if v == nil {
		return ""
	}
	return keyName(v)
}

// finish compares what is only known at the end.
func (w *walk) finish() {
	w.openingMissing()
	res, head := w.rep.Result, w.rep.Head
	if next := w.c.Next(); next != head.Size {
		res.Add("log_leaf", Key(next), "is missing: the bundle's head says that there are %d", head.Size)
	}
	if w.rep.Signed < head.To {
		res.Add("checkpoint", Key(head.Size), "no checkpoint that fits covers the leaves from %d on", w.c.Sure())
	}
	w.c.finishDisposals(head.To)
	w.finishKeyless()
	w.rep.SaidErased = w.c.finishErased(head.Size == head.Log)
	if head.Size == head.Log {
		w.c.whole()
	}
	w.rep.Disposals, w.rep.Key = w.c.Disposals(), w.key()
	w.rep.HeldMet, w.rep.HeldPast = w.c.FinishHeld(head.Log)
	w.rep.HeldLost = w.c.HeldLost()
	w.rep.judge(w.opt.Policy)
	w.rep.Sure, w.rep.Chains, w.rep.Covered = w.c.Sure(), w.c.Chains(), w.c.Covered()
}
