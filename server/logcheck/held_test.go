package logcheck_test

import (
	"bytes"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"monban/server/entrylog"
	"monban/server/logcheck"
)

// D22, EV-1, EV-3: a log of 12 leaves was restored with 7; 10 were known. Paper of the old log does not accuse the new one of what the restore records as
// lost; what it says of leaves that were restored, and of where the old log ended, still counts; more than was known is found.
func TestHeldBeforeARestore(t *testing.T) {
	old := newProofLog(t, 12)
	skey, vkey, err := note.GenerateKey(fixed(8), "monban/11111111")
	must(t, err)
	signer, err := note.NewSigner(skey)
	must(t, err)
	newKey, err := note.NewVerifier(vkey)
	must(t, err)
	tree := func(n int) (tree entrylog.Tree) {
		for _, body := range old.bodies[:n] {
			tree.Append(nil, entrylog.LeafHash(body))
		}
		return tree
	}
	signed := func(tree entrylog.Tree) string { return (&proofLog{signer: old.signer, tree: tree}).checkpoint(t, 0) }
	forged := func(n int) string {
		var tree entrylog.Tree
		for i := range n {
			tree.Append(nil, entrylog.Hash{byte(i)})
		}
		return signed(tree)
	}
	at := func(n int) string { return signed(tree(n)) }
	restored := tree(7)
	s := entrylog.Succession{Origin: newKey.Name(), Before: origin, Size: 7, Root: restored.Root(), Known: at(10), SinceMS: 1795392000000, AtMS: 1795392002000, Why: "restore"}
	y, err := s.Leaf()
	must(t, err)
	bodies := append([][]byte{}, old.bodies[:7]...)
	body, err := y.Append(nil)
	must(t, err)
	bodies = append(bodies, body)
	for i := range 6 {
		y := entrylog.System{Name: entrylog.SystemContext, AtMS: 1795392003000 + int64(i), Values: []string{"test", strconv.Itoa(i)}}
		body, err := y.Append(nil)
		must(t, err)
		bodies = append(bodies, body)
	}
	bundle := func(n int) []byte { // of n leaves
		var out bytes.Buffer
		w, err := logcheck.NewWriter(&out, logcheck.BundleHead{To: int64(n), Size: int64(n), Log: int64(n), Origin: origin}, []string{vkey, old.vkey}, nil, nil)
		must(t, err)
		var tree entrylog.Tree
		for i, body := range bodies[:n] {
			if i == 7 {
				must(t, w.Checkpoint(7, at(7)))
			}
			must(t, w.Leaf(int64(i), entrylog.LeafHash(body), body))
			tree.Append(nil, entrylog.LeafHash(body))
		}
		c := entrylog.Checkpoint{Origin: newKey.Name(), Size: tree.Size(), Root: tree.Root()}
		text, err := note.Sign(&note.Note{Text: c.Text()}, signer)
		must(t, err)
		must(t, w.Checkpoint(c.Size, string(text)))
		_, err = w.Close()
		must(t, err)
		return out.Bytes()
	}
	for _, leaves := range []int{14, 8} { // grown beyond the old log, and not
		data := bundle(leaves)
		for name, c := range map[string]struct {
			held      string
			met, lost int64
			found     string
		}{
			"of leaves that were restored":     {at(5), 1, 0, ""},
			"of all that were restored":        {at(7), 1, 0, ""},
			"of lost leaves":                   {at(9), 0, 1, ""},
			"of lost leaves that nobody knows": {forged(9), 0, 1, ""},
			"of the known end":                 {at(10), 0, 1, ""},
			"of another end":                   {forged(10), 0, 0, "another root than the checkpoint"},
			"of more than was known":           {at(11), 0, 0, "more was lost than is recorded"},
			"of other leaves":                  {forged(5), 0, 0, "names another root"},
		} {
			rep, err := logcheck.CheckBundle(t.Context(), bytes.NewReader(data), logcheck.Options{Keys: []note.Verifier{newKey, old.key}, Held: []logcheck.NamedNote{{Name: "paper", Signed: c.held}}})
			must(t, err)
			if rep.HeldMet != c.met || rep.HeldLost != c.lost || rep.Clean() != (c.found == "") || c.found != "" && !strings.Contains(rep.Result.Findings[0].What, c.found) {
				t.Errorf("%d leaves, %s: %d met, %d lost, %v", leaves, name, rep.HeldMet, rep.HeldLost, rep.Result.Findings)
			}
			for lang, words := range map[logcheck.Lang]string{logcheck.English: "1 of the given checkpoints are of the log before a restore", logcheck.Japanese: "復元前のログのもの"} {
				_, no := proven(t, lang, func(w *strings.Builder) error { return rep.Page(w, lang, "x") })
				if strings.Contains(no, words) != (c.lost > 0) {
					t.Errorf("%s:\n%s", name, no)
				}
			}
		}
	}
}
