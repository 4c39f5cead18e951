package ca

import (
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// D18: while the root is changed gateways of both roots come in and new certificates are of the next one; the server shows the old
// root's. Afterwards the old root opens nothing, whoever holds its key.
func TestRoll(t *testing.T) {
	t.Parallel()
	c, dir, now := create(t)
	before := clientOf(t, c, "gw-1", now)
	foreign := filepath.Join(t.TempDir(), "ca") // the old authority in foreign hands: it goes on issuing
	if err := os.CopyFS(foreign, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	for _, f := range renewFiles() {
		if err := os.Chmod(filepath.Join(foreign, f), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	forger, err := Open(foreign, now)
	if err != nil {
		t.Fatal(err)
	}
	if err := FinishRoll(dir); !errors.Is(err, ErrNoRoll) {
		t.Errorf("finish before the start: %v", err)
	}
	r, err := StartRoll(dir, now)
	if err != nil {
		t.Fatal(err)
	}
	again, err := StartRoll(dir, now)
	if err != nil || string(again.Next) != string(r.Next) || string(r.Root) == string(r.Next) {
		t.Fatalf("a second try makes another root: %v", err)
	}
	during, err := Open(dir, now)
	if err != nil {
		t.Fatal(err)
	}
	if string(during.RootPEM()) != string(certPEM(r.Root, r.Next)) {
		t.Error("a new gateway is not told of both roots")
	}
	young := clientOf(t, during, "gw-2", now)
	if err := handshake(t, during.ServerTLS(), before); err != nil {
		t.Errorf("a gateway of the old root, during: %v", err)
	}
	if err := handshake(t, during.ServerTLS(), young); err != nil {
		t.Errorf("a gateway of the next root, during: %v", err)
	}
	var chain []*x509.Certificate
	for _, der := range young.Certificates[0].Certificate {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		chain = append(chain, cert)
	}
	if err := during.held().next.verify(chain, now, x509.ExtKeyUsageClientAuth); err != nil {
		t.Errorf("issued under another root than the next: %v", err)
	}
	if err := FinishRoll(dir); err != nil {
		t.Fatal(err)
	}
	after, err := Open(dir, now)
	if err != nil {
		t.Fatal(err)
	}
	if string(after.RootPEM()) != string(certPEM(r.Next)) {
		t.Error("the next root is not the root")
	}
	if err := handshake(t, after.ServerTLS(), young); err != nil {
		t.Errorf("a gateway of the next root, after: %v", err)
	}
	if err := handshake(t, after.ServerTLS(), before); err == nil {
		t.Error("a certificate of the old root is taken after the change")
	}
	stolen := clientOf(t, forger, "gw-2", now)
	stolen.RootCAs = young.RootCAs
	if err := handshake(t, after.ServerTLS(), stolen); err == nil {
		t.Error("the old root's key still makes gateways")
	}
	if err := FinishRoll(dir); !errors.Is(err, ErrNoRoll) {
		t.Errorf("finish twice: %v", err)
	}
	old, err := filepath.Glob(filepath.Join(dir, "root-until-*"))
	if err != nil || len(old) != 2 {
		t.Errorf("the old root's files: %v, %v", old, err)
	}
	if _, err := Upkeep(dir, now.Add(300*24*time.Hour)); err != nil { // the root's key is the new root's
		t.Error(err)
	}
}

// A crash at any step of FinishRoll leaves the old or the new authority, and it can be run again.
func TestRollCrashes(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for cut := -1; cut <= len(renewFiles())+1; cut++ {
		dir := filepath.Join(t.TempDir(), "ca")
		if _, err := Create(dir, Options{Site: "hall", Now: now}); err != nil {
			t.Fatal(err)
		}
		r, err := StartRoll(dir, now)
		if err != nil {
			t.Fatal(err)
		}
		next := filepath.Join(dir, nextDir)
		if cut < 0 { // the old root's key has its other name, nothing else is done
			if err := keepOld(dir, mustRead(t, filepath.Join(dir, "root.crt"))); err != nil {
				t.Fatal(err)
			}
		} else {
			for i, f := range renewFiles() {
				name := f + ".next"
				if i < cut {
					name = f
				}
				if err := os.WriteFile(filepath.Join(dir, name), mustRead(t, filepath.Join(next, f)), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if cut <= len(renewFiles()) { // else the mark is gone, and only the folder is left
				if err := os.WriteFile(filepath.Join(dir, renewReady), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
		if _, err := Open(dir, now); err != nil {
			t.Fatalf("cut %d: %v", cut, err)
		}
		if err := FinishRoll(dir); err != nil {
			t.Fatalf("cut %d: %v", cut, err)
		}
		c, err := Open(dir, now)
		if err != nil || string(c.RootPEM()) != string(certPEM(r.Next)) {
			t.Fatalf("cut %d: not the next root (%v)", cut, err)
		}
		if _, err := os.Lstat(next); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("cut %d: the folder is still there", cut)
		}
	}
}

// A stolen gateway can be denied whatever has become of the certificates: ended, damaged, lost; and with a deny list whose last line
// a power cut has torn.
func TestDenyAlwaysWorks(t *testing.T) {
	t.Parallel()
	for name, harm := range map[string]func(*testing.T, string){
		"all ended":   func(*testing.T, string) {},
		"root lost":   func(t *testing.T, d string) { remove(t, d, "root.crt") },
		"key damaged": func(t *testing.T, d string) { put(t, d, "issuing.key", []byte("x")) },
		"torn list": func(t *testing.T, d string) {
			put(t, d, deniedFile, []byte("ab12\tgw-9\t2026-11-24T00:00:00Z\nab1"))
		},
	} {
		c, dir, now := create(t)
		is, err := c.IssueGateway("gw-1", DefaultValidity, now)
		if err != nil {
			t.Fatal(err)
		}
		harm(t, dir)
		late := now.Add(800 * 24 * time.Hour)
		if _, err := Open(dir, late); err == nil {
			t.Errorf("%s: opens", name)
		}
		lists, err := OpenLists(dir)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if n, err := lists.Refuse("gw-1", "admin", "stolen", late); n != 1 || err != nil {
			t.Errorf("%s: %d refused, %v", name, n, err)
		}
		data := string(mustRead(t, filepath.Join(dir, deniedFile)))
		if !strings.Contains(data, "\n"+is.Serial+"\tgw-1\t") && !strings.HasPrefix(data, is.Serial+"\tgw-1\t") {
			t.Errorf("%s: the serial has no line of its own: %q", name, data)
		}
	}
}
