package logcheck_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"reflect"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"monban/firmware/witness"
	"monban/server/entrylog"
	"monban/server/logcheck"
)

// EV-1: what the writer of a bundle can write, the check reads. A line that no reader knows makes a bundle that nobody
// can check.
func TestEveryLineIsRead(t *testing.T) {
	const origin = "monban/00000000"
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	skey, vkey, err := note.GenerateKey(rand.Reader, origin)
	ok(err)
	signer, err := note.NewSigner(skey)
	ok(err)
	cosigner := witness.New("witness.example", ed25519.NewKeyFromSeed(make([]byte, 32)))
	var out bytes.Buffer
	w, err := logcheck.NewWriter(&out, logcheck.BundleHead{Version: 4, To: 6, Size: 7, Log: 7, Origin: origin, Openings: true}, []string{vkey}, []string{cosigner.VKey()}, nil)
	ok(err)
	salt := [32]byte{1}
	raw, err := (&entrylog.Opening{Text: "髙橋"}).Append(nil)
	ok(err)
	var tree entrylog.Tree
	leaf := func(commit entrylog.Hash) (int64, entrylog.Hash, []byte) {
		idx := tree.Size()
		y := entrylog.System{Name: entrylog.SystemContext, Values: []string{"test", fmt.Sprint(idx)}, AtMS: 1795392000000, Commit: commit}
		switch idx {
		case 0:
			y.Name, y.Values = entrylog.SystemGenesis, []string{origin, "Asia/Tokyo"}
		case 5:
			y.Name, y.Values = entrylog.SystemErased, []string{"2", "decision-1"}
		}
		body, err := y.Append(nil)
		if idx == 4 {
			a := entrylog.Action{Account: "ABCDEF234567", Verb: "erasure_decided", Target: "attempt", ID: "01:decision-1", Result: "ok", AtMS: y.AtMS}
			body, err = a.Append(nil)
		}
		ok(err)
		h := entrylog.LeafHash(body)
		tree.Append(nil, h)
		return idx, h, body
	}
	written := map[string]bool{}
	for _, x := range []struct {
		method string
		write  func() error
	}{
		{"Leaf", func() error { return w.Leaf(leaf(entrylog.Hash{})) }},
		{"Leaf", func() error { return w.Leaf(leaf(entrylog.Commit(salt, raw))) }},
		{"Opening", func() error { return w.Opening(salt, raw) }},
		{"Leaf", func() error { return w.Leaf(leaf(entrylog.Hash{7})) }},
		{"Erased", w.Erased},
		{"Leaf", func() error { return w.Leaf(leaf(entrylog.Hash{8})) }},
		{"NoKey", func() error { return w.NoKey(2026) }},
		{"Leaf", func() error { return w.Leaf(leaf(entrylog.Hash{})) }}, // that decides it
		{"Leaf", func() error { return w.Leaf(leaf(entrylog.Hash{})) }}, // that says so
		{"Hash", func() error { idx, h, _ := leaf(entrylog.Hash{}); return w.Hash(idx, h) }},
		{"Cosigned", func() error { // before the checkpoint, as after it
			c := entrylog.Checkpoint{Origin: origin, Size: tree.Size(), Root: tree.Root()}
			signed, err := note.Sign(&note.Note{Text: c.Text()}, signer)
			ok(err)
			return w.Cosigned(tree.Size(), string(signed)+cosigner.Line(c.Text(), 1795392000))
		}},
		{"Checkpoint", func() error {
			c := entrylog.Checkpoint{Origin: origin, Size: tree.Size(), Root: tree.Root()}
			signed, err := note.Sign(&note.Note{Text: c.Text()}, signer)
			ok(err)
			return w.Checkpoint(c.Size, string(signed))
		}},
		{"Stamp", func() error { // one that is none is read too, and found: server/store has good ones
			c := entrylog.Checkpoint{Origin: origin, Size: tree.Size(), Root: tree.Root()}
			signed, err := note.Sign(&note.Note{Text: c.Text()}, signer)
			ok(err)
			return w.Stamp(c.Size, string(signed), []byte{1}, []byte{2})
		}},
		{"Close", func() error { _, err := w.Close(); return err }},
	} {
		ok(x.write())
		written[x.method] = true
	}
	for i := range reflect.TypeOf(w).NumMethod() {
		if name := reflect.TypeOf(w).Method(i).Name; !written[name] {
			t.Errorf("Writer.%s is not in this test: nothing shows that a check reads what it writes", name)
		}
	}
	rep, err := logcheck.CheckBundle(t.Context(), &out, logcheck.Options{})
	ok(err)
	if r := rep.Result; len(r.Findings) != 2 || r.Findings[0].Table != "timestamp" || r.Findings[1].Table != "opening" || rep.NoKey != 1 || r.Leaves != 6 && r.Leaves != 7 || r.Checkpoints != 1 || r.Openings != 1 || r.Erased != 1 {
		t.Errorf("%+v", r)
	}
}
