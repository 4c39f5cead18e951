package witness

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type log struct {
	signer note.Signer
	key    note.Verifier
	hashes []tlog.Hash
	size   int64
}

func (l *log) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	var out []tlog.Hash
	for _, i := range indexes {
		out = append(out, l.hashes[i])
	}
	return out, nil
}

func newLog(t testing.TB, name string) *log {
	t.Helper()
	seed := sha256.Sum256([]byte(name))
	private := ed25519.NewKeyFromSeed(seed[:])
	vkey, err := note.NewEd25519VerifierKey(name, private.Public().(ed25519.PublicKey))
	must(t, err)
	l := &log{}
	l.key, err = note.NewVerifier(vkey)
	must(t, err)
	skey := "PRIV" + "ATE+KEY+" + vkey[:len(name)+9] + "+" + base64.StdEncoding.EncodeToString(append([]byte{1}, seed[:]...))
	l.signer, err = note.NewSigner(skey)
	must(t, err)
	return l
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (l *log) grow(t testing.TB, n int, what string) {
	t.Helper()
	for range n {
		h, err := tlog.StoredHashes(l.size, fmt.Appendf(nil, "%s %d", what, l.size), l)
		must(t, err)
		l.hashes = append(l.hashes, h...)
		l.size++
	}
}

func (l *log) checkpoint(t testing.TB) string {
	t.Helper()
	root, err := tlog.TreeHash(l.size, l)
	must(t, err)
	signed, err := note.Sign(&note.Note{Text: fmt.Sprintf("%s\n%d\n%s\n", l.key.Name(), l.size, root)}, l.signer)
	must(t, err)
	return string(signed)
}

func (l *log) prove(t testing.TB, old int64) tlog.TreeProof {
	t.Helper()
	if old == 0 || old == l.size {
		return nil
	}
	p, err := tlog.ProveTree(l.size, old, l)
	must(t, err)
	return p
}

func cosigner(name string) *Cosigner {
	seed := sha256.Sum256([]byte("witness " + name))
	return New(name, ed25519.NewKeyFromSeed(seed[:]))
}

// EV-4, I8: a witness cosigns what has but grown, refuses another past whoever signed it and keeps both notes, and
// takes neither another's log nor a proof of something else for a fork.
func TestTake(t *testing.T) {
	l, c := newLog(t, "monban/0123abcd"), cosigner("gw-1/witness")
	v, err := NewVerifier(c.VKey())
	must(t, err)
	var s State
	l.grow(t, 5, "leaf")
	for i, n := range []int{0, 1, 7, 30} { // the first time, and then on and on
		l.grow(t, n, "leaf")
		old := s.Held().Size
		s, err = s.Take(c, l.key, l.checkpoint(t), old, l.prove(t, old), uint64(1000+i))
		must(t, err)
		if s.Held().Size != l.size || s.Refused != "" {
			t.Fatalf("holds %d of %d", s.Held().Size, l.size)
		}
		if at, ok := v.Seconds(s.Note); !ok || at != uint64(1000+i) {
			t.Fatalf("cosigned at %d, %v", at, ok)
		}
		if _, _, err := Open(s.Note, l.key); err != nil {
			t.Fatalf("a log's reader does not open the cosigned note: %v", err)
		}
	}
	other := newLog(t, "monban/0123abcd") // another past of the same log, by who has its key
	other.grow(t, 3, "leaf")
	other.grow(t, 60, "forged")
	old := s.Held().Size
	for name, tc := range map[string]struct {
		signed string
		old    int64
		proof  tlog.TreeProof
		want   error
	}{
		"another past, proved":       {other.checkpoint(t), old, other.prove(t, old), ErrFork},
		"another past, no proof":     {other.checkpoint(t), old, nil, ErrFork},
		"older":                      {newGrown(t, 9).checkpoint(t), old, nil, ErrOld},
		"proof from elsewhere":       {grown(t, l, 4).checkpoint(t), old - 1, nil, ErrOld},
		"signed by another":          {newLog(t, "monban/ffffffff").named(t, l), old, nil, ErrNote},
		"a signature changed":        {strings.Replace(grown(t, l, 1).checkpoint(t), "\n— ", "\n— x", 1), old, nil, ErrNote},
		"empty":                      {"", old, nil, ErrNote},
		"the same once more":         {l.checkpoint(t), old, nil, nil},
		"another root of equal size": {sized(t, old).checkpoint(t), old, nil, ErrFork},
	} {
		got, err := s.Take(c, l.key, tc.signed, tc.old, tc.proof, 9)
		if !errors.Is(err, tc.want) || got.Note != s.Note {
			t.Errorf("%s: %v, note changed: %v", name, err, got.Note != s.Note)
		}
		if (tc.want == ErrFork) != (got.Refused != "") { //nolint:errorlint // the table's own value
			t.Errorf("%s: keeps %q", name, got.Refused)
		}
	}
	next := newLog(t, "monban/89abcdef") // a succession: the root has signed another log key
	next.grow(t, 2, "leaf")
	got, err := s.Take(c, next.key, next.checkpoint(t), 0, nil, 10)
	if err != nil || got.Held().Origin != "monban/89abcdef" {
		t.Errorf("a new log: %v, holds %s", err, got.Held().Origin)
	}
}

// EV-3: a line that only bears the log's name, put before the one that its key made, spoils neither what a witness holds nor its evidence of a fork:
// both go on to be notes that the log's own key opens.
func TestTakeKeepsTheLogsOwnLine(t *testing.T) {
	const name = "monban/0123abcd"
	c := cosigner("gw-1/witness")
	hostile := func(l *log) string {
		text, sigs, _ := strings.Cut(l.checkpoint(t), "\n\n")
		junk := "— " + name + " " + base64.StdEncoding.EncodeToString(make([]byte, 68)) + "\n"
		return text + "\n\n" + junk + sigs + junk
	}
	l := newLog(t, name)
	l.grow(t, 5, "leaf")
	s, err := State{}.Take(c, l.key, hostile(l), 0, nil, 1)
	must(t, err)
	if _, _, err := Open(s.Note, l.key); err != nil || strings.Count(s.Note, "— "+name+" ") != 1 {
		t.Errorf("what it holds: %v\n%s", err, s.Note)
	}
	other := newLog(t, name)
	other.grow(t, 9, "forged")
	if s, err = s.Take(c, l.key, hostile(other), 5, nil, 2); !errors.Is(err, ErrFork) {
		t.Fatal(err)
	}
	if p, _, err := Open(s.Refused, l.key); err != nil || p.Size != 9 || strings.Count(s.Refused, "— "+name+" ") != 1 {
		t.Errorf("its evidence: %v\n%s", err, s.Refused)
	}
}

func newGrown(t testing.TB, n int) *log {
	l := newLog(t, "monban/0123abcd")
	l.grow(t, n, "leaf")
	return l
}

func sized(t testing.TB, n int64) *log {
	l := newLog(t, "monban/0123abcd")
	l.grow(t, int(n), "forged")
	return l
}

func grown(t testing.TB, l *log, n int) *log {
	c := *l
	c.hashes = append([]tlog.Hash(nil), l.hashes...)
	c.grow(t, n, "leaf")
	return &c
}

// named is a checkpoint that another key signed under this log's name.
func (l *log) named(t testing.TB, as *log) string {
	l.grow(t, 50, "leaf")
	return strings.ReplaceAll(l.checkpoint(t), l.key.Name(), as.key.Name())
}

// EV-4: the format is the published one: key id over name, LF, 4 and the key; eight bytes of time; two lines before the
// text. Nothing of another form verifies.
func TestCosignatureForm(t *testing.T) {
	c := cosigner("w.example/1")
	v, err := NewVerifier(c.VKey())
	must(t, err)
	text := "monban/0123abcd\n7\n" + base64.StdEncoding.EncodeToString(make([]byte, 32)) + "\n"
	line := c.Line(text, 1700000000)
	name, b64, _ := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(line, "— "), "\n"), " ")
	raw, err := base64.StdEncoding.DecodeString(b64)
	must(t, err)
	public, err := base64.StdEncoding.DecodeString(strings.SplitN(c.VKey(), "+", 3)[2])
	must(t, err)
	sum := sha256.Sum256(append([]byte("w.example/1\n"), public...))
	if name != "w.example/1" || public[0] != 4 || string(raw[:4]) != string(sum[:4]) || len(raw) != 4+8+64 {
		t.Fatalf("line %q", line)
	}
	if !ed25519.Verify(public[1:], []byte("cosignature/v1\ntime 1700000000\n"+text), raw[12:]) {
		t.Error("the signature is not over the two lines and the text")
	}
	if !v.Verify([]byte(text), raw[4:]) {
		t.Error("does not verify its own")
	}
	for i := 4; i < len(raw); i++ {
		raw[i] ^= 1
		if v.Verify([]byte(text), raw[4:]) {
			t.Errorf("verifies with byte %d changed", i)
		}
		raw[i] ^= 1
	}
	if v.Verify([]byte(text), raw[4:len(raw)-1]) || v.Verify([]byte(text+"x\n"), raw[4:]) {
		t.Error("verifies what is cut or longer")
	}
	for _, bad := range []string{"", "a+b", "w+00000000+" + strings.SplitN(c.VKey(), "+", 3)[2], strings.Replace(c.VKey(), "+B", "+A", 1), c.VKey() + "x"} {
		if _, err := NewVerifier(bad); err == nil {
			t.Errorf("takes the key %q", bad)
		}
	}
}

// FuzzParse: what parses is written again to the same bytes.
func FuzzParse(f *testing.F) {
	f.Add("monban/0123abcd\n7\n" + base64.StdEncoding.EncodeToString(make([]byte, 32)) + "\n")
	f.Add("a\n-1\nAAAA\n")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse(text)
		if err == nil && fmt.Sprintf("%s\n%d\n%s\n", p.Origin, p.Size, p.Root) != text {
			t.Errorf("%q parses as %+v", text, p)
		}
	})
}
