package update

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/mod/sumdb/note"
)

const (
	day   = 24 * 60 * 60
	today = 20_000 * day // 2024-10-04
)

// key is one person's key.
type key struct {
	note.Signer
	public string
}

func newKey(t testing.TB, name string) key {
	t.Helper()
	private, public, err := note.GenerateKey(nil, name)
	if err != nil {
		t.Fatal(err)
	}
	s, err := note.NewSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	return key{s, public}
}

func signed(t testing.TB, text string, keys ...key) []byte {
	t.Helper()
	var s []note.Signer
	for _, k := range keys {
		s = append(s, k)
	}
	data, err := note.Sign(&note.Note{Text: text}, s...)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// maker is who makes releases: two of three for root and list, one for the stamp.
type maker struct {
	root, release []key
	stamp         key
	first         []byte
}

func newMaker(t testing.TB) *maker {
	m := &maker{stamp: newKey(t, "stamp")}
	for i := range 3 {
		m.root = append(m.root, newKey(t, fmt.Sprintf("root-%d", i)))
		m.release = append(m.release, newKey(t, fmt.Sprintf("release-%d", i)))
	}
	m.first = signed(t, m.rootText(1), m.root[0], m.root[1])
	return m
}

func publics(keys []key) (out []string) {
	for _, k := range keys {
		out = append(out, k.public)
	}
	return out
}

func (m *maker) rootText(number int64) string {
	r := Root{number, today + 3650*day, map[Role]Holders{
		RoleRoot: {2, publics(m.root)}, RoleRelease: {2, publics(m.release)}, RoleStamp: {1, []string{m.stamp.public}}}}
	return r.Text()
}

func (m *maker) list(number int64, program string) *List {
	return &List{fmt.Sprintf("0~%d", number), number, today + 1000*day, []File{
		{"programs/monban-gateway-arm64", int64(len(program)), sumOf([]byte(program))},
		{"programs/monban-gateway-armv6", 5, sumOf([]byte("armv6"))}}}
}

// release is a whole, good release, stamped a minute after its commit.
func (m *maker) release1(t testing.TB, number int64, program string) fstest.MapFS {
	return m.pack(t, m.list(number, program), program, m.release[0], m.release[2])
}

func (m *maker) pack(t testing.TB, l *List, program string, by ...key) fstest.MapFS {
	data := signed(t, l.Text(), by...)
	return fstest.MapFS{
		"root/1": {Data: m.first}, ListFile: {Data: data},
		StampFile:                       {Data: signed(t, StampOf(data, l, l.Number+60, today+365*day).Text(), m.stamp)},
		"programs/monban-gateway-arm64": {Data: []byte(program)}, "programs/monban-gateway-armv6": {Data: []byte("armv6")},
	}
}

func begin(t testing.TB, m *maker) Trust {
	t.Helper()
	tr, err := Begin(m.first)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// install is what a machine does with a folder: the program, or the error that stopped it.
func install(tr *Trust, folder fs.FS, clock Clock) (string, error) {
	l, next, err := tr.Check(folder, clock)
	if err != nil {
		*tr = next
		return "", err
	}
	f, err := l.Find("programs/monban-gateway-arm64")
	if err != nil {
		return "", err
	}
	var b bytes.Buffer
	if err := Copy(&b, folder, f); err != nil {
		return "", err
	}
	*tr = next
	return b.String(), nil
}

var now = Clock{today, true}

// endless is a file of a folder that has no end.
type endless struct {
	fs.FS
	name string
}

func (e endless) Open(name string) (fs.File, error) {
	f, err := e.FS.Open(name)
	if name == e.name && err == nil {
		return noEnd{f}, nil
	}
	return f, err
}

type noEnd struct{ fs.File }

func (noEnd) Read(p []byte) (int, error) { return len(p), nil }

// OP-4: the attacks of TUF's specification (its section 1.5.2), each tried on a machine that has installed release 1,000,000.
func TestAttacks(t *testing.T) {
	m, stranger := newMaker(t), newKey(t, "release-0") // the name of a real one
	const held = 1_000_000
	newer := func(t *testing.T) fstest.MapFS { return m.release1(t, held+100, "newer") }
	for name, c := range map[string]struct {
		folder func(t *testing.T) fs.FS
		clock  Clock
		says   string
	}{
		"arbitrary software: another program": {says: "not the file", folder: func(t *testing.T) fs.FS {
			f := newer(t)
			f["programs/monban-gateway-arm64"] = &fstest.MapFile{Data: []byte("never")}
			return f
		}},
		"arbitrary software: a stranger's list and stamp": {says: "not signed by role stamp", folder: func(t *testing.T) fs.FS {
			f := m.pack(t, m.list(held+100, "evil!"), "evil!", stranger)
			f[StampFile].Data = signed(t, StampOf(f[ListFile].Data, m.list(held+100, "evil!"), held+200, today+day).Text(), stranger)
			return f
		}},
		"arbitrary software: a stranger's root": {says: "not signed by role root", folder: func(t *testing.T) fs.FS {
			other := newMaker(t)
			f := other.release1(t, held+100, "evil!")
			f["root/2"] = &fstest.MapFile{Data: signed(t, other.rootText(2), other.root[0], other.root[1])}
			return f
		}},
		"rollback: an older release, whole": {says: "older than one", folder: func(t *testing.T) fs.FS { return m.release1(t, held-1, "older") }},
		"rollback: an older list under a new stamp": {says: "older than one", folder: func(t *testing.T) fs.FS {
			f, l := m.release1(t, held-1, "older"), m.list(held-1, "older")
			f[StampFile].Data = signed(t, StampOf(f[ListFile].Data, l, held+500, today+day).Text(), m.stamp)
			return f
		}},
		"rollback: an older stamp": {says: "older than one", folder: func(t *testing.T) fs.FS {
			f, l := newer(t), m.list(held+100, "newer")
			f[StampFile].Data = signed(t, StampOf(f[ListFile].Data, l, held, today+day).Text(), m.stamp)
			return f
		}},
		"indefinite freeze: the stamp is over": {says: "STAMP: expired", clock: Clock{today + 365*day, true}, folder: func(t *testing.T) fs.FS { return newer(t) }},
		"indefinite freeze: over already at a time that is certainly past": {says: "STAMP: expired", clock: Clock{today + 365*day, false},
			folder: func(t *testing.T) fs.FS { return newer(t) }},
		"indefinite freeze: the list is over, restamped for ever": {says: "MANIFEST: expired", clock: Clock{today + 1000*day, true}, folder: func(t *testing.T) fs.FS {
			f, l := newer(t), m.list(held+100, "newer")
			f[StampFile].Data = signed(t, StampOf(f[ListFile].Data, l, held+500, today+9000*day).Text(), m.stamp)
			return f
		}},
		"indefinite freeze: the root is over": {says: "root 1: expired", clock: Clock{today + 3650*day, true}, folder: func(t *testing.T) fs.FS { return newer(t) }},
		"endless data: the stamp":             {says: "more than", folder: func(t *testing.T) fs.FS { return endless{newer(t), StampFile} }},
		"endless data: the list":              {says: "more than", folder: func(t *testing.T) fs.FS { return endless{newer(t), ListFile} }},
		"endless data: the next root":         {says: "more than", folder: func(t *testing.T) fs.FS { f := newer(t); f["root/2"] = f["root/1"]; return endless{f, "root/2"} }},
		"endless data: the program": {says: "not the file", folder: func(t *testing.T) fs.FS {
			return endless{newer(t), "programs/monban-gateway-arm64"}
		}},
		"extraneous dependencies: a file that is wanted and that nobody signed": {says: "no such file", folder: func(t *testing.T) fs.FS {
			l := m.list(held+100, "newer")
			l.Files = l.Files[1:]
			return m.pack(t, l, "newer", m.release[0], m.release[1])
		}},
		"mix-and-match: the list of one release with the program of another": {says: "not the file", folder: func(t *testing.T) fs.FS {
			f := newer(t)
			f["programs/monban-gateway-arm64"] = m.release1(t, held+50, "other")["programs/monban-gateway-arm64"]
			return f
		}},
		"mix-and-match: the stamp of one with the list of another": {says: "is not the list that STAMP names", folder: func(t *testing.T) fs.FS {
			f := newer(t)
			f[ListFile] = m.release1(t, held+50, "other")[ListFile]
			return f
		}},
		"mix-and-match: two lists of one number": {says: "another list of number", folder: func(t *testing.T) fs.FS { return m.release1(t, held, "other") }},
		"wrong software: another machine's program in this one's place": {says: "not the file", folder: func(t *testing.T) fs.FS {
			f := newer(t)
			f["programs/monban-gateway-arm64"] = f["programs/monban-gateway-armv6"]
			return f
		}},
		"wrong software: a text of another role": {says: "another format", folder: func(t *testing.T) fs.FS {
			f := newer(t)
			data := signed(t, m.rootText(2), m.release[0], m.release[1])
			f[ListFile].Data = data
			f[StampFile].Data = signed(t, StampOf(data, m.list(held+100, ""), held+500, today+day).Text(), m.stamp)
			return f
		}},
		"key compromise: one of two release keys and the stamp's": {says: "1 of the 3 keys of role release", folder: func(t *testing.T) fs.FS {
			return m.pack(t, m.list(held+100, "evil!"), "evil!", m.release[1])
		}},
		"key compromise: one key that signs twice": {says: "1 of the 3 keys", folder: func(t *testing.T) fs.FS {
			f, l := newer(t), m.list(held+100, "evil!")
			data := signed(t, l.Text(), m.release[1])
			data = append(data, data[bytes.LastIndex(data, []byte("— ")):]...)
			f[ListFile].Data = data
			f[StampFile].Data = signed(t, StampOf(data, l, held+500, today+day).Text(), m.stamp)
			return f
		}},
		"key compromise: one of two root keys": {says: "1 of the 3 keys of role root", folder: func(t *testing.T) fs.FS {
			f := newer(t)
			f["root/2"] = &fstest.MapFile{Data: signed(t, m.rootText(2), m.root[0])}
			return f
		}},
		"key compromise: the stamp's alone, a number beyond its list's end where no clock is trusted": {says: "was signed after MANIFEST has expired", clock: Clock{held, false},
			folder: func(t *testing.T) fs.FS {
				f, l := newer(t), m.list(held+100, "newer")
				f[StampFile].Data = signed(t, StampOf(f[ListFile].Data, l, l.Expires, today+9000*day).Text(), m.stamp)
				return f
			}},
		"key compromise: numbers of the far future": {says: "from the future", folder: func(t *testing.T) fs.FS { return m.release1(t, today+2*day, "newer") }},
	} {
		t.Run(name, func(t *testing.T) {
			tr := begin(t, m)
			if got, err := install(&tr, m.release1(t, held, "held"), now); err != nil || got != "held" {
				t.Fatalf("the release that is held: %q, %v", got, err)
			}
			before := string(tr.Bytes())
			if c.clock == (Clock{}) {
				c.clock = now
			}
			_, err := install(&tr, c.folder(t), c.clock)
			if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n") {
				t.Fatalf("%v, want %q", err, c.says)
			}
			if string(tr.Bytes()) != before {
				t.Error("a refused release changed what is trusted")
			}
			if got, err := install(&tr, newer(t), now); err != nil || got != "newer" {
				t.Errorf("a good one after it: %q, %v", got, err)
			}
		})
	}
}

// OP-4: whoever has the stamp's key for an hour cannot walk its number ahead of the clock, a day with each check.
func TestStampDoesNotWalk(t *testing.T) {
	m := newMaker(t)
	tr := begin(t, m)
	const held = 1_000_000
	f, l := m.release1(t, held, "held"), m.list(held, "held")
	for i := range int64(5) {
		f[StampFile] = &fstest.MapFile{Data: signed(t, StampOf(f[ListFile].Data, l, today+(i+1)*future, today+9000*day).Text(), m.stamp)}
		_, err := install(&tr, f, now)
		if (err == nil) != (i == 0) || err != nil && !strings.Contains(err.Error(), "from the future") {
			t.Errorf("stamp of %d days ahead: %v", i+1, err)
		}
	}
	if tr.stamp != today+future {
		t.Errorf("the floor is %d s ahead", tr.stamp-today)
	}
}

// OP-4: a lost key is taken out by a new root, which two of the old ones sign; what it signed counts no more. A root cannot be left out.
func TestKeysAreReplaced(t *testing.T) {
	m := newMaker(t)
	tr := begin(t, m)
	second := newMaker(t)
	second.root, second.first = m.root, m.first
	second.release = append([]key{newKey(t, "release-new")}, m.release[1:]...)
	root2 := signed(t, second.rootText(2), m.root[1], m.root[2])
	third := newMaker(t)
	third.first = m.first
	root3 := signed(t, third.rootText(3), m.root[0], m.root[1], third.root[0], third.root[2])

	f := second.pack(t, second.list(200, "two"), "two", second.release[0], second.release[2])
	f["root/2"] = &fstest.MapFile{Data: root2}
	// The stamp's key was lost too and has signed as far ahead as it could: with the next root, which has another, that is over.
	f[StampFile].Data = signed(t, StampOf(f[ListFile].Data, second.list(200, "two"), today+future, today+365*day).Text(), second.stamp)
	if got, err := install(&tr, f, now); err != nil || got != "two" || tr.Root().Number != 2 {
		t.Fatalf("%q, %v, root %d", got, err, tr.Root().Number)
	}
	f = second.pack(t, second.list(300, "three"), "three", m.release[0], m.release[1])
	f[StampFile].Data = signed(t, StampOf(f[ListFile].Data, second.list(300, "three"), today+future, today+365*day).Text(), second.stamp)
	if _, err := install(&tr, f, now); err == nil || !strings.Contains(err.Error(), "1 of the 3 keys") {
		t.Errorf("a list with a key that was taken out: %v", err)
	}
	// A machine that slept through root 2 needs it to follow root 3.
	f = third.release1(t, 400, "four")
	f["root/3"] = &fstest.MapFile{Data: root3}
	asleep := begin(t, m)
	if _, err := install(&asleep, f, now); err == nil {
		t.Error("root 2 was left out")
	}
	f["root/2"] = &fstest.MapFile{Data: root2}
	for name, tr := range map[string]*Trust{"awake": &tr, "asleep": &asleep} {
		if got, err := install(tr, f, now); err != nil || got != "four" || tr.Root().Number != 3 {
			t.Errorf("%s: %q, %v, root %d", name, got, err, tr.Root().Number)
		}
	}
	// A root that its own keys have not signed could be one that nobody can follow.
	f["root/2"] = &fstest.MapFile{Data: signed(t, third.rootText(2), m.root[0], m.root[1])}
	late := begin(t, m)
	if _, err := install(&late, f, now); err == nil {
		t.Error("a root that its own keys have not signed was taken")
	}
}

// OP-4: a root that was followed stays, whatever is wrong after it: else a stick with an old root would be believed again.
func TestFollowedRootsStay(t *testing.T) {
	m := newMaker(t)
	second := newMaker(t)
	second.root, second.first = m.root, m.first
	root2 := &fstest.MapFile{Data: signed(t, second.rootText(2), m.root[1], m.root[2])}
	for name, spoil := range map[string]func(fstest.MapFS){
		"stamp":     func(f fstest.MapFS) { f[StampFile] = m.release1(t, 300, "x")[StampFile] },
		"no stamp":  func(f fstest.MapFS) { delete(f, StampFile) },
		"list":      func(f fstest.MapFS) { f[ListFile] = m.release1(t, 300, "x")[ListFile] },
		"next root": func(f fstest.MapFS) { f["root/3"] = &fstest.MapFile{Data: m.first} },
	} {
		tr := begin(t, m)
		if _, err := install(&tr, m.release1(t, 100, "old"), now); err != nil {
			t.Fatal(err)
		}
		f := second.release1(t, 200, "two")
		f["root/2"] = root2
		spoil(f)
		if _, err := install(&tr, f, now); err == nil || tr.Root().Number != 2 || tr.Floor() != 100 {
			t.Errorf("%s: %v, root %d, floor %d", name, err, tr.Root().Number, tr.Floor())
		}
		if _, err := install(&tr, m.release1(t, 300, "by keys taken out"), now); err == nil {
			t.Errorf("%s: keys that were taken out are believed", name)
		}
	}
}

// OP-4: what is trusted survives being written, and damage of any byte is seen.
func TestTrustIsKept(t *testing.T) {
	m := newMaker(t)
	tr := begin(t, m)
	fresh := tr.Bytes()
	if _, err := install(&tr, m.release1(t, 1000, "x"), now); err != nil {
		t.Fatal(err)
	}
	for _, data := range [][]byte{fresh, tr.Bytes()} {
		got, err := ParseTrust(data)
		if err != nil || !bytes.Equal(got.Bytes(), data) {
			t.Fatalf("read and written again it differs: %v", err)
		}
		for i := range data {
			spoilt := bytes.Clone(data)
			spoilt[i] ^= 1
			if _, err := ParseTrust(spoilt); err == nil {
				t.Fatalf("byte %d spoilt: taken", i)
			}
			if _, err := ParseTrust(data[:i]); err == nil {
				t.Fatalf("cut after %d bytes: taken", i)
			}
		}
	}
	if tr.Floor() != 1000 {
		t.Errorf("floor %d", tr.Floor())
	}
}

// One key under two names must not count as two.
func TestRootsThatAreNone(t *testing.T) {
	m := newMaker(t)
	twice := m.root[0].public
	raw, err := base64.StdEncoding.DecodeString(strings.SplitN(twice, "+", 3)[2])
	if err != nil {
		t.Fatal(err)
	}
	alias, err := note.NewEd25519VerifierKey("other", raw[1:])
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(string) string{
		"a key twice":             func(s string) string { return strings.Replace(s, m.root[1].public, twice, 1) },
		"a key under two names":   func(s string) string { return strings.Replace(s, m.root[1].public, alias, 1) },
		"no key needed":           func(s string) string { return strings.Replace(s, "root 2 ", "root 0 ", 1) },
		"more needed than are":    func(s string) string { return strings.Replace(s, "root 2 ", "root 4 ", 1) },
		"no such day":             func(s string) string { return strings.Replace(s, "expires 20", "expires 0", 1) },
		"another spelling":        func(s string) string { return strings.Replace(s, "number 1", "number +1", 1) },
		"a role missing":          func(s string) string { return s[:strings.Index(s, "stamp")] },
		"something after the end": func(s string) string { return s + "more\n" },
	} {
		if text := m.rootText(1); change(text) == text {
			t.Errorf("%s: nothing was changed", name)
		} else if _, err := ParseRoot(change(text)); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if _, err := Begin(signed(t, m.rootText(1), m.root[0])); err == nil {
		t.Error("a first root with too few signatures was taken")
	}
	if _, err := Begin([]byte("nothing")); err == nil {
		t.Error("no root was taken")
	}
}

func FuzzTexts(f *testing.F) {
	m := newMaker(f)
	l := m.list(7, "x")
	f.Add(m.rootText(1))
	f.Add(l.Text())
	f.Add(StampOf([]byte("x"), l, 8, today).Text())
	f.Fuzz(func(t *testing.T, text string) {
		if r, err := ParseRoot(text); err == nil && r.Text() != text {
			t.Error("root")
		}
		if s, err := parseStamp(text); err == nil && s.Text() != text {
			t.Error("stamp")
		}
		if l, err := ParseList(text); err == nil && l.Text() != text {
			t.Error("list")
		}
	})
}

// An error of the folder is passed on and never taken for an absent file.
func TestFolderFails(t *testing.T) {
	m := newMaker(t)
	tr := begin(t, m)
	_, _, err := tr.Check(failing{m.release1(t, 1000, "x")}, now)
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%v", err)
	}
}

type failing struct{ fs.FS }

func (f failing) Open(name string) (fs.File, error) {
	if name == "root/2" {
		return nil, io.ErrUnexpectedEOF
	}
	return f.FS.Open(name)
}
