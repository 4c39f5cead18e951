package preflight

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

var today = time.Date(2026, 11, 26, 3, 0, 0, 0, time.UTC)

// good is a machine with which nothing is wrong.
func good() Machine {
	return Machine{
		OSRelease: func() (string, error) {
			return "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\nVERSION_ID=\"12\"\n", nil
		},
		Library: func() (string, string, error) { return "2.36", "2.34", nil },
		Synced:  func() (bool, error) { return true, nil },
		Listen:  func(string) error { return nil },
		Disk: func(string) (Disk, error) {
			return Disk{FileSystem: "ext4", Options: "rw,relatime", Sync: 2 * time.Millisecond, MBps: 300, Free: 200 << 30}, nil
		},
		Exists:  func(string) string { return "/var/lib" },
		Memory:  func() (uint64, error) { return 8 << 30, nil },
		Print:   func(context.Context) error { return nil },
		Resolve: func(context.Context, string) bool { return true },
		Now:     func() time.Time { return today },
	}
}

// site writes a configuration with a certificate for name, which ends on until.
func site(t *testing.T, name string, until time.Time) string {
	t.Helper()
	dir := t.TempDir()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{name}, NotBefore: today.AddDate(-1, 0, 0), NotAfter: until}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	put := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	crt := put("pages.crt", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	k := put("pages.key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
	return put("server.toml", []byte(`site = "tagajo"
time_zone = "Asia/Tokyo"
data_dir = "/var/lib/monban"
[mqtt]
listen = "0.0.0.0:8883"
[enrol]
listen = "0.0.0.0:8884"
[http]
listen = "0.0.0.0:443"
public_url = "https://monban.tagajo.example"
tls_cert = "`+crt+`"
tls_key = "`+k+`"
[ca]
names = ["monban.tagajo.example"]
`))
}

func goodSite(t *testing.T) string {
	return site(t, "monban.tagajo.example", today.AddDate(1, 0, 0))
}

func TestGoodMachine(t *testing.T) {
	lines := Run(t.Context(), goodSite(t), good())
	for _, l := range lines {
		if l.State != OK {
			t.Errorf("%v: %s", l.State, l.What.In(English))
		}
	}
	if len(lines) < 15 || Worst(lines) != OK {
		t.Errorf("%d lines, worst %v", len(lines), Worst(lines))
	}
}

// OP-4: each fault is named alone, in both languages, and says what to do.
func TestEachFault(t *testing.T) {
	disk := func(change func(*Disk)) func(*Machine) {
		return func(m *Machine) {
			d, _ := good().Disk("")
			change(&d)
			m.Disk = func(string) (Disk, error) { return d, nil }
		}
	}
	listen := func(at string, err error) func(*Machine) {
		return func(m *Machine) {
			m.Listen = func(a string) error {
				if a == at {
					return err
				}
				return nil
			}
		}
	}
	for name, c := range map[string]struct {
		state State
		says  string
		spoil func(*Machine)
	}{
		"other system": {Note, "Alpine", func(m *Machine) {
			m.OSRelease = func() (string, error) { return "ID=alpine\nPRETTY_NAME=Alpine\n", nil }
		}},
		"old system":     {Note, "debian", func(m *Machine) { m.OSRelease = func() (string, error) { return "ID=debian\nVERSION_ID=11\n", nil } }},
		"old library":    {Bad, "2.4 is older than 2.34", func(m *Machine) { m.Library = func() (string, string, error) { return "2.4", "2.34", nil } }},
		"clock":          {Bad, "not synchronised", func(m *Machine) { m.Synced = func() (bool, error) { return false, nil } }},
		"clock unknown":  {Note, "could not be found out", func(m *Machine) { m.Synced = func() (bool, error) { return false, errUnknown } }},
		"unseen mount":   {Note, "cannot be seen here", disk(func(d *Disk) { d.FileSystem, d.Options = "", "" })},
		"little memory":  {Bad, "512 MiB", func(m *Machine) { m.Memory = func() (uint64, error) { return 512 << 20, nil } }},
		"some memory":    {Note, "2048 MiB", func(m *Machine) { m.Memory = func() (uint64, error) { return 2 << 30, nil } }},
		"full":           {Bad, "1 GiB free", disk(func(d *Disk) { d.Free = 1 << 30 })},
		"slow":           {Bad, "3 MB/s", disk(func(d *Disk) { d.MBps = 3 })},
		"late":           {Bad, "80ms", disk(func(d *Disk) { d.Sync = 80 * time.Millisecond })},
		"in memory":      {Bad, "lies in memory", disk(func(d *Disk) { d.InMemory = true })},
		"barrier":        {Bad, "nobarrier", disk(func(d *Disk) { d.Options += ",nobarrier" })},
		"liar":           {Bad, "faster than any real disk", disk(func(d *Disk) { d.Sync = time.Microsecond })},
		"no disk":        {Bad, "cannot be measured", func(m *Machine) { m.Disk = func(string) (Disk, error) { return Disk{}, fs.ErrPermission } }},
		"port used":      {Bad, "8884", listen("0.0.0.0:8884", syscall.EADDRINUSE)},
		"port denied":    {Bad, "443", listen("0.0.0.0:443", syscall.EACCES)},
		"no such host":   {Bad, "8883", listen("0.0.0.0:8883", syscall.EADDRNOTAVAIL)},
		"name elsewhere": {Note, "is not this machine", func(m *Machine) { m.Resolve = func(context.Context, string) bool { return false } }},
		"no PDF":         {Note, "the browser prints", func(m *Machine) { m.Print = func(context.Context) error { return errors.New("no program") } }},
	} {
		t.Run(name, func(t *testing.T) {
			m := good()
			c.spoil(&m)
			one(t, Run(t.Context(), goodSite(t), m), c.state, c.says)
		})
	}
}

// one asks that exactly one line is not OK.
func one(t *testing.T, lines []Line, state State, says string) {
	t.Helper()
	var found []Line
	for _, l := range lines {
		if l.State != OK {
			found = append(found, l)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d lines ask for something: %v", len(found), found)
	}
	l := found[0]
	if l.State != state || !strings.Contains(l.What.In(English), says) {
		t.Errorf("%v: %s", l.State, l.What.In(English))
	}
	for _, lang := range []Language{English, Japanese} {
		if l.What.In(lang) == "" || l.Do.In(lang) == "" || strings.Contains(l.What.In(lang)+l.Do.In(lang), "%!") {
			t.Errorf("sentence: %q, %q", l.What.In(lang), l.Do.In(lang))
		}
	}
}

func TestCertificates(t *testing.T) {
	one(t, Run(t.Context(), site(t, "other.example", today.AddDate(1, 0, 0)), good()), Bad, "monban.tagajo.example")
	one(t, Run(t.Context(), site(t, "monban.tagajo.example", today.AddDate(0, 0, -1)), good()), Bad, "2026-11-25")
	one(t, Run(t.Context(), site(t, "monban.tagajo.example", today.AddDate(0, 1, 0)), good()), Note, "2026-12-26")
	path := goodSite(t)
	if err := os.Remove(filepath.Join(filepath.Dir(path), "pages.key")); err != nil {
		t.Fatal(err)
	}
	one(t, Run(t.Context(), path, good()), Bad, "pages.key")
}

// Without a configuration the machine is looked at all the same.
func TestNoConfiguration(t *testing.T) {
	lines := Run(t.Context(), filepath.Join(t.TempDir(), "none.toml"), good())
	one(t, lines, Bad, "none.toml")
	if len(lines) != 6 {
		t.Errorf("%d lines", len(lines))
	}
}

var verb = regexp.MustCompile(`%[a-z.0-9]+`)

// Both languages say the same numbers in the same order.
func TestSentences(t *testing.T) {
	for key, s := range sentences {
		if s[English] == "" || s[Japanese] == "" || !slices.Equal(verb.FindAllString(s[English], -1), verb.FindAllString(s[Japanese], -1)) {
			t.Errorf("%s: %q, %q", key, s[English], s[Japanese])
		}
	}
}

// The measurement itself, on the disk of the test: it leaves nothing behind.
func TestMeasure(t *testing.T) {
	dir := t.TempDir()
	d, err := Measure(dir)
	if err != nil {
		t.Fatal(err)
	}
	if d.Sync <= 0 || d.MBps <= 0 || d.FileSystem == "" || d.Free == 0 {
		t.Errorf("%+v", d)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if _, err := Measure(filepath.Join(dir, "none")); err == nil {
		t.Error("measured a folder that is not there")
	}
	if got := existing(filepath.Join(dir, "a", "b")); got != dir {
		t.Errorf("nearest folder: %s", got)
	}
}

func TestFileSystem(t *testing.T) {
	const info = `22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro
30 22 0:25 / /var rw - xfs /dev/sdb1 rw,nobarrier
31 30 0:26 / /var/lib/x\040y rw master:2 - tmpfs tmpfs rw
broken line
`
	for dir, want := range map[string]string{"/home": "ext4", "/variety": "ext4", "/var": "xfs", "/var/lib/monban": "xfs", "/var/lib/x y/z": "tmpfs"} {
		kind, options := fileSystem(info, dir)
		if kind != want || kind == "xfs" && options != "rw,rw,nobarrier" {
			t.Errorf("%s: %s %s", dir, kind, options)
		}
	}
}

// The C library of this test, where it has one, is at least what it needs.
func TestThisMachine(t *testing.T) {
	have, needs, err := This().Library()
	if err != nil || newer(needs, have) {
		t.Errorf("have %q, need %q, %v", have, needs, err)
	}
	if _, err := This().Memory(); err != nil {
		t.Error(err)
	}
	if have, needs, err = libraries("/bin/ls", os.DevNull); err == nil && needs != "" {
		t.Errorf("a library that is not there: %q, %q", have, needs)
	}
}
