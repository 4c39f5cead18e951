package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"monban/server/entrylog"
	"monban/server/logcheck"
)

// log is a log made by hand: the store is not needed to make one that verifies.
type madeLog struct {
	vkey   string
	signer note.Signer
	out    bytes.Buffer
	last   string // newest checkpoint
}

func made(t testing.TB, n, every int) *madeLog {
	t.Helper()
	skey, vkey, err := note.GenerateKey(rand.Reader, "monban/00000000")
	if err != nil {
		t.Fatal(err)
	}
	m := &madeLog{vkey: vkey}
	if m.signer, err = note.NewSigner(skey); err != nil {
		t.Fatal(err)
	}
	head := logcheck.BundleHead{To: int64(n), Size: int64(n), Log: int64(n), Origin: "monban/00000000", MadeMS: 1795392000000}
	w, err := logcheck.NewWriter(&m.out, head, []string{vkey}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	var tree entrylog.Tree
	for i := range n {
		y := entrylog.System{Name: entrylog.SystemContext, AtMS: 1795392000000 + int64(i), Values: []string{"test", fmt.Sprint(i)}}
		if i == 0 {
			y = entrylog.System{Name: entrylog.SystemGenesis, AtMS: 1795392000000, Values: []string{"monban/00000000", "Asia/Tokyo"}}
		}
		body, err := y.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		h := entrylog.LeafHash(body)
		tree.Append(nil, h)
		if err := w.Leaf(int64(i), h, body); err != nil {
			t.Fatal(err)
		}
		if (i+1)%every != 0 && i+1 != n {
			continue
		}
		c := entrylog.Checkpoint{Origin: "monban/00000000", Size: tree.Size(), Root: tree.Root()}
		signed, err := note.Sign(&note.Note{Text: c.Text()}, m.signer)
		if err != nil {
			t.Fatal(err)
		}
		m.last = string(signed)
		if err := w.Checkpoint(tree.Size(), m.last); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return m
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// EV-1, I8: on a PC of its own the program says what is proven and what is not, in two languages, with a code
// that a script can read; it names the first bad record.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	kept := ownCache(t)
	m := made(t, 500, 50)
	good := write(t, filepath.Join(dir, "good.monban"), m.out.String())
	bad := write(t, filepath.Join(dir, "bad.monban"), strings.Replace(m.out.String(), `"test","schema":"320"`, `"test","schema":"321"`, 1))
	key := write(t, filepath.Join(dir, "log.vkey"), "# from the city's web page\r\n"+m.vkey+"\r\n")
	held := write(t, filepath.Join(dir, "paper.txt"), strings.ReplaceAll(m.last, "\n", "\r\n"))
	other := write(t, filepath.Join(dir, "other.txt"), made(t, 500, 50).last)
	proof := write(t, filepath.Join(dir, "x.tlog-proof"), "c2sp.org/tlog-proof@v1\n") // refused before they are read
	pack := write(t, filepath.Join(dir, "x.zip"), "PK\x03\x04")
	authority := write(t, filepath.Join(dir, "ca.pem"), authorityPEM(t))
	for _, tc := range []struct {
		name string
		args []string
		code int
		want []string
	}{
		{"key and paper", []string{"--lang", "en", "--key", key, "--checkpoint", held, good}, 0, []string{"nothing was found", "1 checkpoints say that others hold"}},
		{"Japanese", []string{"--key", key, good}, 0, []string{"異常は見つかりませんでした", "証明されないこと"}},
		{"the bundle's own key", []string{"--lang", "en", good}, 0, []string{"nothing shows that its maker"}},
		{"an edited record", []string{"--lang", "en", "--key", key, bad}, 1, []string{"The first: log_leaf 320", "Of the leaves before 500"}},
		{"the same in Japanese", []string{"--key", key, bad}, 1, []string{"最初の異常: log_leaf 320"}},
		{"another's checkpoint", []string{"--key", key, "--checkpoint", other, good}, 2, nil},
		{"authorities that are none", []string{"--timestamps", key, good}, 2, nil},
		{"to go on with a proof", []string{"--resume", proof}, 2, []string{"does not apply"}},
		{"to go on with a pack", []string{"--resume", pack}, 2, []string{"does not apply"}},
		{"time stamps of a proof", []string{"--timestamps", authority, proof}, 2, []string{"does not apply"}},
		{"no file", []string{filepath.Join(dir, "none")}, 2, nil},
		{"no bundle", []string{key}, 2, nil},
		{"no argument", nil, 2, nil},
		{"unknown flag", []string{"--colour", good}, 2, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var out, errs bytes.Buffer
			if code := run(t.Context(), tc.args, "ja_JP.UTF-8", &out, &errs); code != tc.code {
				t.Errorf("exit %d, want %d\n%s%s", code, tc.code, out.String(), errs.String())
			}
			for _, w := range tc.want {
				if !strings.Contains(out.String()+errs.String(), w) {
					t.Errorf("does not say %q:\n%s", w, out.String())
				}
			}
			if tc.code == 2 && strings.Count(errs.String(), "\n") != 1 {
				t.Errorf("not one line: %q", errs.String())
			}
		})
	}
	if list := kept(); len(list) != 0 {
		t.Errorf("a finished check left its state behind: %v", list)
	}
}

// authorityPEM is the certificate of a time-stamping authority.
func authorityPEM(t *testing.T) string {
	t.Helper()
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, pub, key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// The program holds no database driver, nothing that reaches a network or starts a program, and no C, and it is
// built for Linux and Windows. Package net is linked for one reason alone: crypto/x509, which reads the certificates of time stamps, has its
// address types in certificates; nothing else may import it.
func TestNothingToReachOutWith(t *testing.T) {
	for _, goos := range []string{"linux", "windows"} {
		cmd := exec.Command("go", "list", "-deps", "-f", `{{.ImportPath}} {{join .Imports ","}}`, ".")
		cmd.Env = append(os.Environ(), "GOOS="+goos, "GOARCH=amd64", "CGO_ENABLED=0")
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(out)) {
			dep, imports, _ := strings.Cut(strings.TrimSpace(line), " ")
			for _, x := range strings.Split(imports, ",") {
				if (x == "net" || strings.HasPrefix(x, "net/")) && dep != "crypto/x509" && dep != "net" && !strings.HasPrefix(dep, "net/") {
					t.Errorf("%s: %s imports %s", goos, dep, x)
				}
			}
			switch {
			case strings.HasPrefix(dep, "net/") && dep != "net/netip" && dep != "net/url" || dep == "os/exec" || dep == "database/sql" || dep == "runtime/cgo" || dep == "plugin":
				t.Errorf("%s: links %s", goos, dep)
			case strings.HasPrefix(dep, "github.com/") && !strings.HasPrefix(dep, "github.com/digitorus/"):
				t.Errorf("%s: links %s", goos, dep)
			}
		}
	}
}
