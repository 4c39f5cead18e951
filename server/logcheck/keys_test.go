package logcheck_test

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"monban/server/entrylog"
	"monban/server/logcheck"
)

// EV-1, EV-3: the file chooses of which log it is: one of an older log, or that ends before a newer one begins, is whole in itself. The page names the
// log and the key that signs it, and each key that the auditor gave and that signs nothing here; a check that was taken up again too.
func TestKeysThatSignNothing(t *testing.T) {
	l := newProofLog(t, 7)
	_, vkey, err := note.GenerateKey(rand.Reader, "monban/11111111")
	must(t, err)
	newer, err := note.NewVerifier(vkey)
	must(t, err)
	var bundle bytes.Buffer
	w, err := logcheck.NewWriter(&bundle, logcheck.BundleHead{To: 7, Size: 7, Log: 7, Origin: origin}, []string{l.vkey}, nil, nil)
	must(t, err)
	grown := *l
	grown.tree = entrylog.Tree{}
	for i, body := range l.bodies {
		must(t, w.Leaf(int64(i), entrylog.LeafHash(body), body))
		grown.tree.Append(nil, entrylog.LeafHash(body))
		if i == 3 {
			must(t, w.Checkpoint(4, grown.checkpoint(t, 0)))
		}
	}
	must(t, w.Checkpoint(7, grown.checkpoint(t, 0)))
	_, err = w.Close()
	must(t, err)
	id := func(v note.Verifier) string { return fmt.Sprintf("%08x", v.KeyHash()) }
	for name, keys := range map[string][]note.Verifier{"one": {l.key}, "two": {l.key, newer}, "none": nil} {
		var state []byte
		opt := logcheck.Options{Keys: keys, Every: 1, Save: func(_ string, data []byte) { state = bytes.Clone(data) }}
		for _, from := range []string{"the start", "a state"} {
			if from == "a state" {
				opt.State = func(string) ([]byte, error) { return state, nil }
			}
			rep, err := logcheck.CheckBundle(t.Context(), bytes.NewReader(bundle.Bytes()), opt)
			must(t, err)
			if !rep.Clean() || rep.Resumed != (from == "a state") {
				t.Fatalf("%s, from %s: %+v", name, from, rep.Result)
			}
			for _, lang := range []logcheck.Lang{logcheck.Japanese, logcheck.English} {
				var out strings.Builder
				must(t, rep.Page(&out, lang, "x"))
				head, _, _ := strings.Cut(out.String(), "\n\n")
				if !strings.Contains(head, origin) || !strings.Contains(head, id(l.key)) {
					t.Errorf("%s: does not name log and key:\n%s", name, head)
				}
				_, no := proven(t, lang, func(w *strings.Builder) error { return rep.Page(w, lang, "x") })
				if strings.Contains(no, id(newer)) != (name == "two") || strings.Contains(no, id(l.key)) {
					t.Errorf("%s, from %s:\n%s", name, from, no)
				}
			}
		}
	}
	one, err := logcheck.CheckProof(l.proof(t, 6, 0).Text(), logcheck.Options{Keys: []note.Verifier{l.key}})
	must(t, err)
	var out strings.Builder
	must(t, one.Page(&out, logcheck.English, "x"))
	if !strings.Contains(out.String(), "id of its public key: "+id(l.key)) {
		t.Error(out.String())
	}
}
