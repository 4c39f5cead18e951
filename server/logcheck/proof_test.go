package logcheck_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/transparency-dev/formats/proof"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"monban/firmware/witness"
	"monban/server/entrylog"
	"monban/server/logcheck"
	"monban/server/logcheck/independent"
)

const origin = "monban/0a0b0c0d"

// proofLog is a log of a few leaves with its keys, made by hand.
type proofLog struct {
	signer   note.Signer
	vkey     string
	key      note.Verifier
	cosigner []*witness.Cosigner
	bodies   [][]byte
	raw      []byte
	salt     [32]byte
	stored   [][]byte
	tree     entrylog.Tree
}

const openIdx = 5 // the leaf with an opening

// fixed is a reader of bytes that are the same each time.
type fixed byte

func (f fixed) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(f)
	}
	return len(p), nil
}

func newProofLog(t *testing.T, n int) *proofLog {
	t.Helper()
	skey, vkey, err := note.GenerateKey(fixed(7), origin)
	must(t, err)
	l := &proofLog{vkey: vkey, salt: [32]byte{1, 2, 3}}
	l.signer, err = note.NewSigner(skey)
	must(t, err)
	l.key, err = note.NewVerifier(vkey)
	must(t, err)
	for i := range 3 {
		l.cosigner = append(l.cosigner, witness.New(fmt.Sprintf("witness.example/%d", i), ed25519.NewKeyFromSeed(bytes.Repeat([]byte{byte(i + 1)}, 32))))
	}
	o := entrylog.Opening{Name: "髙橋 𠮷田", Section: "情報政策課", Text: "点検"}
	l.raw, err = o.Append(nil)
	must(t, err)
	for i := range n {
		var body []byte
		if i == openIdx {
			a := entrylog.Action{Account: "a1", Verb: "grant_add", Target: "grant", From: "lan", Result: "ok", Reason: true, AtMS: 1795392000000, Commit: entrylog.Commit(l.salt, l.raw)}
			body, err = a.Append(nil)
		} else if i == 0 {
			y := entrylog.System{Name: entrylog.SystemGenesis, AtMS: 1795392000000, Values: []string{origin, "Asia/Tokyo"}}
			body, err = y.Append(nil)
		} else {
			y := entrylog.System{Name: entrylog.SystemContext, AtMS: 1795392000000 + int64(i), Values: []string{"test", fmt.Sprint(i)}}
			body, err = y.Append(nil)
		}
		must(t, err)
		l.bodies = append(l.bodies, body)
		_, stored := l.tree.Append(nil, entrylog.LeafHash(body))
		l.stored = append(l.stored, stored)
	}
	return l
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// checkpoint signs the tree of the leaves so far, cosigned by the first n witnesses.
func (l *proofLog) checkpoint(t *testing.T, n int) string {
	c := entrylog.Checkpoint{Origin: origin, Size: l.tree.Size(), Root: l.tree.Root()}
	signed, err := note.Sign(&note.Note{Text: c.Text()}, l.signer)
	must(t, err)
	out := string(signed)
	for i, w := range l.cosigner[:n] {
		out += w.Line(c.Text(), 1795392000+uint64(i))
	}
	return out
}

func (l *proofLog) proof(t *testing.T, idx int64, witnesses int) *logcheck.Proof {
	t.Helper()
	path, err := entrylog.ProveRecord(l.tree.Size(), idx, func(i int64) ([]byte, error) { return l.stored[i], nil })
	must(t, err)
	p := &logcheck.Proof{Index: idx, Path: path, Checkpoint: l.checkpoint(t, witnesses), Keys: []string{l.vkey}, Leaf: l.bodies[idx]}
	for _, w := range l.cosigner[:witnesses] {
		p.Witnesses = append(p.Witnesses, w.VKey())
	}
	if idx == openIdx {
		p.Shown, p.Salt, p.Opening = logcheck.ShownOpen, l.salt, l.raw
	}
	return p
}

func (l *proofLog) policy(t *testing.T, tail string) *logcheck.Policy {
	t.Helper()
	text := "# whom I trust\nlog " + l.vkey + "\n"
	for i, w := range l.cosigner {
		text += fmt.Sprintf("witness w%d %s https://w.example\n", i, w.VKey())
	}
	p, err := logcheck.ParsePolicy([]byte(text + tail))
	must(t, err)
	return p
}

// EV-5: a proof of one record holds, with its opening; with whatever of it one character is changed, it does not: each bit of
// each byte, and each byte taken out or doubled, whether the auditor has the keys or relies on those in the file.
func TestProofEveryByte(t *testing.T) {
	l := newProofLog(t, 11)
	for _, idx := range []int64{0, openIdx, 10} {
		data := l.proof(t, idx, 2).Text()
		for name, opt := range map[string]logcheck.Options{
			"keys at hand":   {Keys: []note.Verifier{l.key}, Policy: l.policy(t, "group g all w0 w1\nquorum g\n")},
			"its own keys":   {},
			"the log's only": {Keys: []note.Verifier{l.key}},
		} {
			rep, err := logcheck.CheckProof(data, opt)
			must(t, err)
			if !rep.Clean() || len(rep.Cosigners) != 2 || rep.OwnKeys != (name == "its own keys") || (rep.Opening.Name != "") != (idx == openIdx) {
				t.Fatalf("%s: %+v", name, rep)
			}
			holds := func(b []byte) bool {
				rep, err := logcheck.CheckProof(b, opt)
				return err == nil && rep.Clean()
			}
			for i := range data {
				for bit := range 8 {
					if (idx != openIdx || name != "its own keys" || testing.Short()) && bit != 0 && bit != 5 { // the neighbour, and the other case of a letter
						continue
					}
					b := bytes.Clone(data)
					b[i] ^= 1 << bit
					if holds(b) {
						t.Fatalf("%s, leaf %d: holds with bit %d of byte %d (%q) changed", name, idx, bit, i, data[i])
					}
				}
				if holds(slices.Delete(bytes.Clone(data), i, i+1)) || holds(slices.Insert(bytes.Clone(data), i, data[i])) {
					t.Fatalf("%s, leaf %d: holds without or with twice byte %d", name, idx, i)
				}
			}
			if holds(append(bytes.Clone(data), '\n')) || holds(data[:len(data)-1]) || holds(nil) {
				t.Error("holds with more or less at its end")
			}
		}
	}
}

// EV-5: nothing in the extra line is believed: a proof whose extra line was made anew, whole and well written, does not hold.
func TestProofExtraIsNotTrusted(t *testing.T) {
	l := newProofLog(t, 11)
	other := newProofLog(t, 11)
	o := entrylog.Opening{Name: "渡邉"}
	forgedRaw, err := o.Append(nil)
	must(t, err)
	_, strange, err := note.GenerateKey(rand.Reader, origin)
	must(t, err)
	for name, change := range map[string]func(p *logcheck.Proof){
		"another leaf":      func(p *logcheck.Proof) { p.Leaf = l.bodies[4]; p.Shown = logcheck.ShownNone },
		"another opening":   func(p *logcheck.Proof) { p.Opening = forgedRaw },
		"another salt":      func(p *logcheck.Proof) { p.Salt[0]++ },
		"opening hushed up": func(p *logcheck.Proof) { p.Shown = logcheck.ShownNone },
		"another index":     func(p *logcheck.Proof) { p.Index = 4 },
		"no key":            func(p *logcheck.Proof) { p.Keys = nil },
		"another log's key": func(p *logcheck.Proof) { p.Keys = []string{strange} },
		"no witness's key":  func(p *logcheck.Proof) { p.Witnesses = nil },
		"no signature":      func(p *logcheck.Proof) { p.Checkpoint = strings.Split(p.Checkpoint, "— ")[0] },
		"twice cosigned":    func(p *logcheck.Proof) { p.Checkpoint += l.cosigner[0].Line(text(p.Checkpoint), 9) },
		"only a witness's": func(p *logcheck.Proof) {
			p.Checkpoint = text(p.Checkpoint) + "\n" + l.cosigner[0].Line(text(p.Checkpoint), 9)
		},
		"another checkpoint": func(p *logcheck.Proof) {
			other.tree = entrylog.Tree{}
			other.tree.Append(nil, entrylog.Hash{1})
			p.Checkpoint = other.checkpoint(t, 1)
		},
		"a hash more": func(p *logcheck.Proof) { p.Path = append(p.Path, entrylog.Hash{1}) },
		"a hash less": func(p *logcheck.Proof) { p.Path = p.Path[1:] },
	} {
		p := l.proof(t, openIdx, 1)
		change(p)
		if rep, err := logcheck.CheckProof(p.Text(), logcheck.Options{}); err == nil && rep.Clean() {
			t.Errorf("%s: holds", name)
		}
	}
	// Not shown is not a lie; the page says so, in both languages.
	p := l.proof(t, openIdx, 0)
	p.Shown, p.Opening = logcheck.ShownClosed, nil
	rep, err := logcheck.CheckProof(p.Text(), logcheck.Options{Keys: []note.Verifier{l.key}})
	must(t, err)
	if !rep.Clean() {
		t.Error(rep.Result.Findings)
	}
	for lang, want := range map[logcheck.Lang][]string{
		logcheck.English:  {"the proof holds", "is not in the file", "No witness has cosigned", "leaf 5 of log " + origin},
		logcheck.Japanese: {"証明は成り立ちます", "同梱されていません", "証人の連署がありません", "5番"},
	} {
		var page strings.Builder
		must(t, rep.Page(&page, lang, "x.tlog-proof"))
		for _, w := range want {
			if !strings.Contains(page.String(), w) || strings.Contains(page.String(), "%!") {
				t.Errorf("does not say %q:\n%s", w, page.String())
			}
		}
	}
}

func text(signed string) string { return signed[:strings.Index(signed, "\n\n")+1] }

// EV-5, EV-2: programs that share no code with ours read our proofs and come to the same: x/mod's note and tlog called directly, and
// another project's reader of the format.
func TestProofByOthers(t *testing.T) {
	l := newProofLog(t, 11)
	for idx := range int64(11) {
		p := l.proof(t, idx, 3)
		data := p.Text()
		leaf, err := independent.CheckProof(string(data), l.vkey)
		must(t, err)
		if !bytes.Equal(leaf, l.bodies[idx]) {
			t.Errorf("leaf %d: reads another record", idx)
		}
		var theirs proof.TLogProof
		must(t, theirs.Unmarshal(data))
		if !bytes.Equal(theirs.Marshal(), data) {
			t.Errorf("leaf %d: the other project writes the same proof otherwise", idx)
		}
		n, err := note.Open(theirs.Checkpoint, note.VerifierList(l.key))
		must(t, err)
		tree := strings.Split(n.Text, "\n")
		root, err := tlog.ParseHash(tree[2])
		must(t, err)
		var path tlog.RecordProof
		for _, h := range theirs.Hashes {
			path = append(path, h)
		}
		must(t, tlog.CheckRecord(path, 11, root, int64(theirs.Index), tlog.RecordHash(l.bodies[idx])))
		b := bytes.Clone(data)
		b[bytes.Index(b, []byte("\n\n"))-5] ^= 1
		if _, err := independent.CheckProof(string(b), l.vkey); err == nil && idx > 0 {
			t.Errorf("leaf %d: a changed proof holds for the independent check", idx)
		}
	}
}

// The vectors of docs/log-format.md: they are never changed.
func TestVectors(t *testing.T) {
	l := newProofLog(t, 11)
	var bundle bytes.Buffer
	w, err := logcheck.NewWriter(&bundle, logcheck.BundleHead{To: 11, Size: 11, Log: 11, Origin: origin, Openings: true, MadeMS: 1795392000000, Software: "vector"},
		[]string{l.vkey}, []string{l.cosigner[0].VKey(), l.cosigner[1].VKey()}, nil)
	must(t, err)
	for i, body := range l.bodies {
		must(t, w.Leaf(int64(i), entrylog.LeafHash(body), body))
		if i == openIdx {
			must(t, w.Opening(l.salt, l.raw))
		}
	}
	must(t, w.Checkpoint(11, l.checkpoint(t, 0)))
	must(t, w.Cosigned(11, l.checkpoint(t, 2)))
	_, err = w.Close()
	must(t, err)
	for name, data := range map[string][]byte{"record.tlog-proof": l.proof(t, openIdx, 2).Text(), "log.monban": bundle.Bytes()} {
		file := filepath.Join("testdata/v1", name)
		if os.Getenv("MONBAN_NEW_VECTORS") != "" {
			must(t, os.MkdirAll("testdata/v1", 0o755))
			f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
			must(t, err)
			_, err = f.Write(data)
			must(t, err)
			must(t, f.Close())
		}
		want, err := os.ReadFile(file)
		must(t, err)
		if !bytes.Equal(data, want) {
			t.Errorf("%s is written otherwise:\n%s", name, data)
		}
	}
	rep, err := logcheck.CheckBundle(t.Context(), &bundle, logcheck.Options{Keys: []note.Verifier{l.key}})
	must(t, err)
	if !rep.Clean() {
		t.Error(rep.Result.Findings)
	}
}

// EV-4, EV-5: cosignatures of a bundle count as the auditor's policy says: one by a key that the policy does not name, or of
// another tree, is no cosignature.
func TestCosignedBundle(t *testing.T) {
	l := newProofLog(t, 11)
	make := func(t *testing.T, version int, points map[int]int, spoil func(size int, signed string) string) []byte {
		t.Helper()
		var out bytes.Buffer
		w, err := logcheck.NewWriter(&out, logcheck.BundleHead{To: 11, Size: 11, Log: 11, Origin: origin}, []string{l.vkey}, []string{l.cosigner[0].VKey(), l.cosigner[1].VKey(), l.cosigner[2].VKey()}, nil)
		must(t, err)
		grown := *l
		grown.tree = entrylog.Tree{}
		for i, body := range l.bodies {
			h := entrylog.LeafHash(body)
			must(t, w.Leaf(int64(i), h, body))
			grown.tree.Append(nil, h)
			if i == 10 {
				must(t, w.Checkpoint(11, grown.checkpoint(t, 0)))
			}
			if n := points[i+1]; n > 0 {
				signed := grown.checkpoint(t, n)
				if spoil != nil {
					signed = spoil(i+1, signed)
				}
				must(t, w.Cosigned(int64(i+1), signed))
			}
		}
		_, err = w.Close()
		must(t, err)
		return out.Bytes()
	}
	for _, tc := range []struct {
		name   string
		points map[int]int
		policy string
		quorum int64
		clean  bool
		spoil  func(size int, signed string) string
	}{
		{"none asked", map[int]int{4: 1}, "quorum none\n", 0, true, nil},
		{"one of one", map[int]int{4: 1, 9: 1}, "quorum w0\n", 9, true, nil},
		{"two at different sizes", map[int]int{4: 2, 9: 1}, "group g all w0 w1\nquorum g\n", 4, true, nil},
		{"two of three", map[int]int{3: 3, 7: 2, 9: 1}, "group g 2 w0 w1 w2\nquorum g\n", 7, true, nil},
		{"two levels", map[int]int{3: 3, 7: 1}, "group a any w0 w1\ngroup b all a w2\nquorum b\n", 3, true, nil},
		{"not by the one", map[int]int{4: 1}, "quorum w2\n", 0, false, nil},
		{"nobody", nil, "quorum w0\n", 0, false, nil},
		{"a spoilt signature", map[int]int{4: 1}, "quorum w0\n", 0, false, func(_ int, s string) string { return s[:len(s)-4] + "A" + s[len(s)-3:] }},
		{"of another tree", map[int]int{4: 1}, "quorum w0\n", 0, false, func(_ int, s string) string {
			return (&proofLog{signer: l.signer, cosigner: l.cosigner, tree: fourOthers()}).checkpoint(t, 1)
		}},
		{"not signed by the log", map[int]int{4: 1}, "quorum w0\n", 0, false, func(_ int, s string) string {
			lines := strings.SplitAfter(s, "\n")
			return strings.Join(slices.Delete(lines, 4, 5), "")
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			opt := logcheck.Options{Policy: l.policy(t, tc.policy)}
			rep, err := logcheck.CheckBundle(t.Context(), bytes.NewReader(make(t, 2, tc.points, tc.spoil)), opt)
			must(t, err)
			if rep.Clean() != tc.clean || rep.Quorum != tc.quorum || rep.OwnKeys {
				t.Errorf("quorum up to %d, want %d: %v", rep.Quorum, tc.quorum, rep.Result.Findings)
			}
			for _, lang := range []logcheck.Lang{logcheck.Japanese, logcheck.English} {
				var page strings.Builder
				must(t, rep.Page(&page, lang, "x"))
				if strings.Contains(page.String(), "%!") || tc.quorum > 0 && !strings.Contains(page.String(), fmt.Sprint(tc.quorum)) {
					t.Error(page.String())
				}
			}
		})
	}
}

func fourOthers() (tree entrylog.Tree) {
	for i := range 4 {
		tree.Append(nil, entrylog.Hash{byte(i)})
	}
	return tree
}

// EV-4: a policy is read as C2SP tlog-policy has it, and what it does not allow is refused by line.
func TestPolicy(t *testing.T) {
	l := newProofLog(t, 1)
	w := func(i int) string { return l.cosigner[i].VKey() }
	alias := witness.New("another.example", ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, 32))).VKey() // the key of w(0) under another name
	for name, tc := range map[string]struct{ text, bad string }{
		"the specification's example": {"log " + l.vkey + "\n\nwitness X1 " + w(0) + "\nwitness X2 " + w(1) + "\ngroup X-witnesses 2 X1 X2\n\nwitness Y1 " + w(2) + "\ngroup Y-witnesses any Y1\n\ngroup X-and-Y all X-witnesses Y-witnesses\nquorum X-and-Y\n", ""},
		"tabs, comments, no line end": {"  # 連署\n\twitness\t門番 " + w(0) + " https://w.example \n \t\nquorum 門番", ""},
		"nobody":                      {"quorum none\n", ""},
		"no quorum":                   {"witness a " + w(0) + "\n", "no quorum"},
		"two quorums":                 {"quorum none\nquorum none\n", "line 2: a second"},
		"quorum before its witness":   {"quorum a\nwitness a " + w(0) + "\n", "line 1"},
		"a name twice":                {"witness a " + w(0) + "\nwitness a " + w(1) + "\nquorum a\n", "line 2: \"a\" is taken"},
		"a key twice":                 {"witness a " + w(0) + "\nwitness b " + alias + "\nquorum a\n", "line 2: the public key of another witness"},
		"a log twice":                 {"log " + l.vkey + "\nlog " + l.vkey + "\nquorum none\n", "line 2"},
		"a group of itself":           {"witness a " + w(0) + "\ngroup g 1 a g\nquorum g\n", "line 2"},
		"none in a group":             {"witness a " + w(0) + "\ngroup g 1 a none\nquorum g\n", "line 2"},
		"named none":                  {"witness none " + w(0) + "\nquorum none\n", "line 1"},
		"a member twice":              {"witness a " + w(0) + "\ngroup g 1 a a\nquorum g\n", "in a group already"},
		"a member of two groups":      {"witness a " + w(0) + "\ngroup g 1 a\ngroup h 1 a\nquorum g\n", "line 3"},
		"more than there are":         {"witness a " + w(0) + "\ngroup g 2 a\nquorum g\n", "line 2"},
		"a zero in front":             {"witness a " + w(0) + "\ngroup g 01 a\nquorum g\n", "line 2"},
		"nobody of them":              {"witness a " + w(0) + "\ngroup g 0 a\nquorum g\n", "line 2"},
		"a group of nobody":           {"group g all\nquorum none\n", "line 1"},
		"another word":                {"Quorum none\n", "line 1"},
		"a carriage return":           {"quorum none\r\n", "line 1: a control"},
		"a log's key for a witness":   {"witness a " + l.vkey + "\nquorum a\n", "line 1"},
		"a witness's key for a log":   {"log " + w(0) + "\nquorum none\n", "line 1"},
		"an id that is not the key's": {"witness a " + strings.Replace(w(0), "+", "+0", 1) + "\nquorum a\n", "line 1"},
	} {
		_, err := logcheck.ParsePolicy([]byte(tc.text))
		if (err == nil) != (tc.bad == "") || err != nil && (!strings.Contains(err.Error(), tc.bad) || strings.Contains(err.Error(), "\n")) {
			t.Errorf("%s: %v, want %q", name, err, tc.bad)
		}
	}
}

func FuzzProof(f *testing.F) {
	data, err := os.ReadFile("testdata/v1/record.tlog-proof")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte("c2sp.org/tlog-proof@v1\nextra " + base64.StdEncoding.EncodeToString([]byte("monban-proof 1\nleaf x\n\n")) + "\nindex 0\n\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := logcheck.ParseProof(data)
		if err == nil && !bytes.Equal(p.Text(), data) {
			t.Error("two ways to write one proof")
		}
		if rep, err := logcheck.CheckProof(data, logcheck.Options{}); err == nil && rep.Clean() && len(rep.Proof.Keys) == 0 {
			t.Error("holds without a key")
		}
	})
}
