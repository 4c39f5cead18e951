package logcheck_test

import (
	"bytes"
	"crypto/ed25519"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"monban/firmware/witness"
	"monban/server/entrylog"
	"monban/server/logcheck"
)

// proven cuts a page into what it says is proven and what not.
func proven(t *testing.T, lang logcheck.Lang, write func(w *strings.Builder) error) (yes, no string) {
	t.Helper()
	heads := map[logcheck.Lang][2]string{logcheck.Japanese: {"\n【証明されたこと】\n", "\n【証明されないこと】\n"}, logcheck.English: {"\nPROVEN\n", "\nNOT PROVEN\n"}}[lang]
	var out strings.Builder
	must(t, write(&out))
	_, text, ok := strings.Cut(out.String(), heads[0])
	yes, no, both := strings.Cut(text, heads[1])
	if !ok || !both {
		t.Fatalf("no such page:\n%s", out.String())
	}
	return yes, no
}

// EV-4, EV-5: anybody can make a key, name it like a witness that counts or like the police, and cosign a true log with it. Such a one is never
// among what is proven: with a policy only those that it names are, without one nobody is. The page says what the key calls itself, in quotes, and its id.
func TestUnknownWitnessesProveNothing(t *testing.T) {
	l := newProofLog(t, 7)
	l.cosigner = append(l.cosigner[:1],
		witness.New("witness.example/0", ed25519.NewKeyFromSeed(bytes.Repeat([]byte{8}, 32))), // the name of the true one
		witness.New("神奈川県警察", ed25519.NewKeyFromSeed(bytes.Repeat([]byte{9}, 32))))
	var keys []string
	for _, c := range l.cosigner {
		keys = append(keys, c.VKey())
	}
	var bundle bytes.Buffer
	w, err := logcheck.NewWriter(&bundle, logcheck.BundleHead{To: 7, Size: 7, Log: 7, Origin: origin}, []string{l.vkey}, keys, nil)
	must(t, err)
	for i, body := range l.bodies {
		must(t, w.Leaf(int64(i), entrylog.LeafHash(body), body))
		if i == openIdx {
			must(t, w.Opening(l.salt, l.raw))
		}
	}
	must(t, w.Checkpoint(7, l.checkpoint(t, 0)))
	must(t, w.Cosigned(7, l.checkpoint(t, 3)))
	_, err = w.Close()
	must(t, err)
	proof := l.proof(t, 6, 3).Text()
	p, err := logcheck.ParsePolicy([]byte("witness 監査人 " + keys[0] + "\nquorum 監査人\n"))
	must(t, err)
	none, err := logcheck.ParsePolicy([]byte("witness 監査人 " + keys[0] + "\nquorum none\n"))
	must(t, err)
	for name, policy := range map[string]*logcheck.Policy{"a policy": p, "a policy that asks for nobody": none, "none": nil} {
		opt := logcheck.Options{Keys: []note.Verifier{l.key}, Policy: policy}
		rep, err := logcheck.CheckBundle(t.Context(), bytes.NewReader(bundle.Bytes()), opt)
		must(t, err)
		one, err := logcheck.CheckProof(proof, opt)
		must(t, err)
		if !rep.Clean() || !one.Clean() {
			t.Fatalf("%s: %v %v", name, rep.Result.Findings, one.Result.Findings)
		}
		for _, lang := range []logcheck.Lang{logcheck.Japanese, logcheck.English} {
			for what, write := range map[string]func(w *strings.Builder) error{
				"bundle": func(w *strings.Builder) error { return rep.Page(w, lang, "x") },
				"proof":  func(w *strings.Builder) error { return one.Page(w, lang, "x") },
			} {
				yes, no := proven(t, lang, write)
				if strings.Contains(yes, "警察") || strings.Contains(yes, "witness.example") || strings.Contains(yes, "監査人") != (policy != nil) {
					t.Errorf("%s, %s: counts one whom nobody named:\n%s", name, what, yes)
				}
				for _, k := range keys[1:] {
					_, rest, _ := strings.Cut(k, "+")
					id, _, _ := strings.Cut(rest, "+")
					if !strings.Contains(no, id) {
						t.Errorf("%s, %s: does not name %s:\n%s", name, what, id, no)
					}
				}
				if !strings.Contains(no, `"神奈川県警察"`) || !strings.Contains(no, `"witness.example/0"`) || strings.Contains(no, "監査人") {
					t.Errorf("%s, %s:\n%s", name, what, no)
				}
				if lacks := strings.Contains(no, "somebody with the log's key could have written the log anew") || strings.Contains(no, "指定された証人の連署がありません"); what == "proof" && lacks != (policy == nil) {
					t.Errorf("%s: takes the unknown for witnesses:\n%s", name, no)
				}
			}
		}
	}
}
