package store

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"monban/server/logcheck"
	"monban/server/logcheck/independent"
)

// EV-5, EV-4: every leaf of a log that witnesses follow is proved, with its opening where it has one and as many cosignatures
// as there are of one checkpoint; a bundle carries them too, and both are what an auditor's policy asks for.
func TestProofOfEachLeaf(t *testing.T) {
	s := newSite(t)
	st := s.open(t)
	watching := []string{"monban/hall/gw/g1/witness", "monban/hall/gw/g2/witness", "witness.example"}
	var guards []*guard
	policy := ""
	for i, n := range watching {
		guards = append(guards, newGuard(n))
		policy += fmt.Sprintf("witness w%d %s\n", i, guards[i].key.VKey())
	}
	tr := newTraffic()
	for i := range 6 {
		must(t, st.Write(t.Context(), tr.step))
		must(t, st.SignNow(t.Context()))
		for j, g := range guards {
			if i%(j+1) == 0 { // the second sees every other, the third every third
				must(t, g.visit(t, st, s.log, monday+int64(i)*24*3_600_000))
				g.keep(t, s, st)
			}
		}
	}
	must(t, st.Write(t.Context(), tr.step)) // nobody has cosigned the newest
	must(t, st.SignNow(t.Context()))
	size := st.Size()
	p := func(quorum string) *logcheck.Policy {
		out, err := logcheck.ParsePolicy([]byte("log " + logKeyText(t, s) + "\n" + policy + quorum))
		must(t, err)
		return out
	}
	most := 0
	for idx := range size {
		var proof *logcheck.Proof
		must(t, st.Read(t.Context(), func(r *ReadTx) (err error) {
			proof, err = r.Proof(idx, ProofOptions{Keys: []string{logKeyText(t, s)}, Opening: true})
			return err
		}))
		rep, err := logcheck.CheckProof(proof.Text(), logcheck.Options{Policy: p("quorum none\n")})
		must(t, err)
		if !rep.Clean() || rep.Parsed.Commit() != [32]byte{} && proof.Shown != logcheck.ShownOpen {
			t.Fatalf("leaf %d: %v, shown %d", idx, rep.Result.Findings, proof.Shown)
		}
		if most = max(most, len(rep.Cosigners)); idx == 0 && most != 3 {
			t.Errorf("leaf 0 is proved with %d cosignatures", most)
		}
		if leaf, err := independent.CheckProof(string(proof.Text()), logKeyText(t, s)); err != nil || !bytes.Equal(leaf, proof.Leaf) {
			t.Errorf("leaf %d: independent check: %v", idx, err)
		}
		must(t, st.Read(t.Context(), func(r *ReadTx) (err error) {
			proof, err = r.Proof(idx, ProofOptions{Keys: []string{logKeyText(t, s)}})
			return err
		}))
		for _, n := range names {
			if bytes.Contains(proof.Leaf, []byte(n)) || len(proof.Opening) > 0 { // PR-2: not asked for, not there
				t.Errorf("leaf %d: names %s", idx, n)
			}
		}
	}
	must(t, st.Read(t.Context(), func(r *ReadTx) error {
		if _, err := r.Proof(size, ProofOptions{}); err != ErrNotFound {
			t.Errorf("a leaf that is not there: %v", err)
		}
		return nil
	}))

	data := bundleOf(t, st, s, BundleOptions{})
	if n := strings.Count(string(data), "\ncosigned "); n < 5 {
		t.Errorf("%d cosigned checkpoints in the bundle", n)
	}
	for quorum, want := range map[string]func(n int64) bool{
		"quorum w0\n":                      func(n int64) bool { return n > 0 && n < size },
		"group g all w0 w1 w2\nquorum g\n": func(n int64) bool { return n > 0 && n < size },
		"quorum none\n":                    func(n int64) bool { return n == 0 },
	} {
		rep := checked(t, data, logcheck.Options{Policy: p(quorum)})
		wantClean(t, *rep.Result)
		if !want(rep.Quorum) {
			t.Errorf("%s: up to %d of %d", quorum, rep.Quorum, size)
		}
	}
	stranger := newGuard("stranger.example")
	other, err := logcheck.ParsePolicy([]byte("witness x " + stranger.key.VKey() + "\nquorum x\n"))
	must(t, err)
	if rep := checked(t, data, logcheck.Options{Policy: other, Keys: []note.Verifier{s.log}}); rep.Clean() {
		t.Error("a policy that asks for somebody else is met")
	}
	// A part carries what was cosigned within it.
	rep := checked(t, bundleOf(t, st, s, BundleOptions{From: 3}), logcheck.Options{Policy: p("quorum w0\n")})
	wantClean(t, *rep.Result)
}
