package ca

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func create(t *testing.T) (*CA, string, time.Time) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "ca")
	now := time.Now()
	c, err := Create(dir, Options{Site: "tagajo-demo", Names: []string{"monban.example", "192.0.2.10"}, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return c, dir, now
}

func TestCreateOpenModes(t *testing.T) {
	t.Parallel()
	c, dir, now := create(t)
	if c.Site() != "tagajo-demo" {
		t.Errorf("site %q", c.Site())
	}
	for _, f := range []string{"root.crt", "root.key", "issuing.crt", "issuing.key", "server.crt", "server.key"} {
		st, err := os.Stat(filepath.Join(dir, f))
		if err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", f, st, err)
		}
	}
	if st, err := os.Stat(dir); err != nil || st.Mode().Perm() != 0o700 {
		t.Errorf("directory: %v, %v", st, err)
	}
	if d := c.held().root.NotAfter.Sub(now); d < 9*365*24*time.Hour {
		t.Errorf("root ends in %v", d)
	}
	server, issuing, _, automatic := c.Ends()
	if d := issuing.Sub(now); d < 364*24*time.Hour || d > 366*24*time.Hour || !automatic {
		t.Errorf("issuing ends in %v, renewed by itself: %v", d, automatic)
	}
	if d := server.Sub(now); d < 179*24*time.Hour || d > 181*24*time.Hour || !c.Expires().Equal(server) {
		t.Errorf("the server's certificate ends in %v; the first on %v", d, c.Expires())
	}
	if _, err := Create(dir, Options{Site: "tagajo-demo", Now: now}); err == nil || !strings.Contains(err.Error(), "exists already") {
		t.Errorf("second Create: %v", err)
	}
	// A real site takes the root key away.
	if err := os.Remove(filepath.Join(dir, "root.key")); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, now); err != nil {
		t.Errorf("open without root.key: %v", err)
	}
}

// Each wrong file: one line that names it.
func TestOpenNamesTheFileAtFault(t *testing.T) {
	t.Parallel()
	other := func(t *testing.T) string { _, d, _ := create(t); return d }
	swap := func(name string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			data, err := os.ReadFile(filepath.Join(other(t), name))
			if err != nil {
				t.Fatal(err)
			}
			put(t, dir, name, data)
		}
	}
	for name, c := range map[string]struct {
		harm func(*testing.T, string)
		want string
	}{
		"readable key": {func(t *testing.T, d string) {
			if err := os.Chmod(filepath.Join(d, "server.key"), 0o644); err != nil {
				t.Fatal(err)
			}
		}, "server.key: others can read this key (mode 0644)"},
		"group-readable key": {func(t *testing.T, d string) {
			if err := os.Chmod(filepath.Join(d, "issuing.key"), 0o640); err != nil {
				t.Fatal(err)
			}
		}, "issuing.key: others can read this key (mode 0640)"},
		"missing key":         {func(t *testing.T, d string) { remove(t, d, "server.key") }, "server.key: no such file"},
		"missing certificate": {func(t *testing.T, d string) { remove(t, d, "issuing.crt") }, "issuing.crt: no such file"},
		"garbage key":         {func(t *testing.T, d string) { put(t, d, "server.key", []byte("garbage")) }, "server.key: does not hold exactly one PEM private key"},
		"damaged key":         {func(t *testing.T, d string) { put(t, d, "server.key", pemOf("PRIVATE KEY", "xxxx")) }, "server.key: holds a damaged private key"},
		"garbage certificate": {func(t *testing.T, d string) { put(t, d, "server.crt", []byte("garbage")) }, "server.crt: holds no PEM certificate"},
		"damaged certificate": {func(t *testing.T, d string) { put(t, d, "root.crt", pemOf("CERTIFICATE", "xxxx")) }, "root.crt: holds a damaged certificate"},
		"key for certificate": {func(t *testing.T, d string) { put(t, d, "root.crt", pemOf("PRIVATE KEY", "xxxx")) }, `root.crt: holds a "PRIVATE KEY"`},
		"empty certificate":   {func(t *testing.T, d string) { put(t, d, "issuing.crt", nil) }, "issuing.crt: holds no PEM certificate"},
		"other server key":    {swap("server.key"), "server.key: is not the key of "},
		"other issuing key":   {swap("issuing.key"), "issuing.key: is not the key of "},
		"other root":          {swap("root.crt"), "issuing.crt: does not belong to "},
		"damaged deny list":   {func(t *testing.T, d string) { put(t, d, "denied.txt", []byte("abc\n")) }, "denied.txt:1: is not serial TAB gateway TAB time"},
		"leaf as root":        {func(t *testing.T, d string) { copyTo(t, d, "server.crt", "root.crt") }, "root.crt: is not a self-signed root"},
		"huge key":            {func(t *testing.T, d string) { put(t, d, "server.key", make([]byte, maxFile+1)) }, "server.key: is larger than"},
		"directory for a file": {func(t *testing.T, d string) {
			remove(t, d, "server.key")
			_ = os.Mkdir(filepath.Join(d, "server.key"), 0o700)
		}, "server.key: is not a regular file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, dir, now := create(t)
			c.harm(t, dir)
			got, err := Open(dir, now)
			if err == nil || got != nil {
				t.Fatalf("accepted: %v", got)
			}
			if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") || !strings.HasPrefix(err.Error(), dir) {
				t.Errorf("error %q, want one line with %q", err, c.want)
			}
		})
	}
}

func TestOpenOutOfTime(t *testing.T) {
	t.Parallel()
	_, dir, now := create(t)
	if _, err := Open(dir, now.Add(366*24*time.Hour)); err == nil || !strings.Contains(err.Error(), "issuing.crt: ended on") {
		t.Errorf("after its end: %v", err)
	}
	if _, err := Open(dir, now.Add(-time.Hour)); err == nil || !strings.Contains(err.Error(), "clock") {
		t.Errorf("before its begin: %v", err)
	}
}

func TestIssueGateway(t *testing.T) {
	t.Parallel()
	c, _, now := create(t)
	for _, id := range []string{"", ServerName, "GW", "a/b", "gw+", "gw.1", "門", strings.Repeat("a", 33), "gw\n"} {
		if _, err := c.IssueGateway(id, DefaultValidity, now); err == nil {
			t.Errorf("issued to %q", id)
		}
	}
	if _, err := c.IssueGateway("gw-1", 0, now); err == nil {
		t.Error("issued for no time")
	}
	is, err := c.IssueGateway("gw-1", DefaultValidity, now)
	if err != nil {
		t.Fatal(err)
	}
	leaf := leafOf(t, is)
	if leaf.Subject.CommonName != "gw-1" || leaf.SerialNumber.Text(16) != is.Serial || len(leaf.DNSNames)+len(leaf.IPAddresses) != 0 {
		t.Errorf("certificate: %+v", leaf.Subject)
	}
	if len(leaf.ExtKeyUsage) != 1 || leaf.ExtKeyUsage[0] != x509.ExtKeyUsageClientAuth || leaf.IsCA {
		t.Errorf("usage %v, ca %v", leaf.ExtKeyUsage, leaf.IsCA)
	}
	if d := leaf.NotAfter.Sub(now); d > DefaultValidity || d < DefaultValidity-time.Minute {
		t.Errorf("valid for %v", d)
	}
	long, err := c.IssueGateway("gw-1", 5*365*24*time.Hour, now)
	if err != nil || !long.NotAfter.Equal(c.held().issuing.NotAfter) {
		t.Errorf("a long one ends %v, want with the issuing certificate %v (%v)", long.NotAfter, c.held().issuing.NotAfter, err)
	}
}

// OP-3: mutual TLS 1.3; who is not of this site, or is denied, does not get past the handshake.
func TestHandshakes(t *testing.T) {
	t.Parallel()
	c, dir, now := create(t)
	foreign, _, _ := create(t)
	good := clientOf(t, c, "gw-1", now)
	var denied *tls.Config
	{
		is, err := c.IssueGateway("gw-2", DefaultValidity, now)
		if err != nil {
			t.Fatal(err)
		}
		denied = configOf(t, c, is)
	}
	bad := clientOf(t, foreign, "gw-1", now)
	bad.RootCAs = good.RootCAs // it trusts us, we do not trust it
	none := good.Clone()
	none.Certificates = nil
	old := good.Clone()
	old.MinVersion, old.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
	gwAsServer := c.ServerTLS()
	gwAsServer.Certificates, gwAsServer.GetConfigForClient = good.Certificates, nil

	if err := handshake(t, c.ServerTLS(), denied); err != nil {
		t.Errorf("before the denial: %v", err)
	}
	// The command runs in another process: another CA value on the same directory.
	other, err := Open(dir, now)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := other.DenyGateway("gw-2", now); err != nil || n != 1 {
		t.Fatalf("deny: %d, %v", n, err)
	}
	if _, err := other.DenyGateway("gw-9", now); err == nil {
		t.Error("denied a gateway that never was")
	}
	c.deny.mu.Lock()
	c.deny.looked = time.Time{} // as if a second had passed
	c.deny.mu.Unlock()

	for name, x := range map[string]struct {
		server, client *tls.Config
		want           string // "" = completes
	}{
		"good":                 {c.ServerTLS(), good, ""},
		"own client":           {c.ServerTLS(), c.ClientTLS(""), ""},
		"denied":               {c.ServerTLS(), denied, "deny list"},
		"foreign authority":    {c.ServerTLS(), bad, "unknown authority"},
		"no certificate":       {c.ServerTLS(), none, "didn't provide a certificate"},
		"TLS 1.2":              {c.ServerTLS(), old, "protocol version"},
		"gateway posing":       {gwAsServer, c.ClientTLS("gw-1"), "certificate"},
		"foreign server":       {foreign.ServerTLS(), good, "unknown authority"},
		"server by other name": {c.ServerTLS(), c.ClientTLS("elsewhere.example"), "elsewhere.example"},
	} {
		err := handshake(t, x.server, x.client)
		if (err == nil) != (x.want == "") || err != nil && !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: %v, want %q", name, err, x.want)
		}
	}
	if err := handshake(t, c.ServerTLS(), denied); !errors.Is(err, ErrDenied) {
		t.Errorf("denied: %v", err)
	}
	again, err := Open(dir, now)
	if err != nil || again.Denied("00") || !again.Denied(serialOf(t, denied)) {
		t.Errorf("after a restart the denial is lost: %v", err)
	}
}

func TestWriteBundle(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "demo", "gw-1", "identity")
	full := Bundle{TLSCert: []byte("a"), TLSKey: []byte("b"), CACert: []byte("c"), NoteKey: []byte("d"), KeysNote: []byte("e"), RootVKey: []byte("f"), Symmetric: []byte("g")}
	part := full
	part.Symmetric = nil
	if err := WriteBundle(dir, part); err == nil || !strings.Contains(err.Error(), "symmetric.json would be empty") {
		t.Errorf("part: %v", err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("a refused bundle left a directory")
	}
	if err := WriteBundle(dir, full); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"tls.crt": "a", "tls.key": "b", "ca.crt": "c", "note.key": "d", "keys.note": "e", "root.vkey": "f", "symmetric.json": "g"}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != len(want) {
		t.Fatalf("%v, %v", entries, err)
	}
	for name, w := range want {
		got, err := os.ReadFile(filepath.Join(dir, name))
		st, serr := os.Stat(filepath.Join(dir, name))
		if err != nil || serr != nil || string(got) != w || st.Mode().Perm() != 0o600 {
			t.Errorf("%s: %q, %v, %v", name, got, err, serr)
		}
	}
	if st, err := os.Stat(dir); err != nil || st.Mode().Perm() != 0o700 {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
	if err := WriteBundle(dir, full); err == nil || !strings.Contains(err.Error(), "not overwritten") {
		t.Errorf("second: %v", err)
	}
	left, err := os.ReadDir(filepath.Dir(dir))
	if err != nil || len(left) != 1 {
		t.Errorf("left over: %v, %v", left, err)
	}
}

// handshake runs over a real socket: on a net.Pipe an alert blocks while the other side writes.
func handshake(t *testing.T, server, client *tls.Config) error {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // a test's listener
	errs := make(chan error, 1)
	go func() {
		raw, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			errs <- err
			return
		}
		_ = raw.SetDeadline(time.Now().Add(10 * time.Second))
		c := tls.Client(raw, client)
		err = c.Handshake()
		if err == nil {
			_, err = io.ReadAll(c) // in TLS 1.3 the server's refusal arrives here
		}
		errs <- errors.Join(err, raw.Close())
	}()
	raw, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	_ = raw.SetDeadline(time.Now().Add(10 * time.Second))
	s := tls.Server(raw, server)
	err = s.Handshake()
	if err == nil {
		err = s.Close()
	}
	_ = raw.Close()
	return errors.Join(err, <-errs)
}

func clientOf(t *testing.T, c *CA, id string, now time.Time) *tls.Config {
	t.Helper()
	is, err := c.IssueGateway(id, DefaultValidity, now)
	if err != nil {
		t.Fatal(err)
	}
	return configOf(t, c, is)
}

func configOf(t *testing.T, c *CA, is Issued) *tls.Config {
	t.Helper()
	cert, err := tls.X509KeyPair(is.CertPEM, is.KeyPEM)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(c.RootPEM()) {
		t.Fatal("root")
	}
	return &tls.Config{Certificates: []tls.Certificate{cert}, RootCAs: pool, ServerName: "192.0.2.10", MinVersion: tls.VersionTLS13}
}

func leafOf(t *testing.T, is Issued) *x509.Certificate {
	t.Helper()
	b, _ := pem.Decode(is.CertPEM)
	leaf, err := x509.ParseCertificate(b.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return leaf
}

func serialOf(t *testing.T, c *tls.Config) string {
	t.Helper()
	leaf, err := x509.ParseCertificate(c.Certificates[0].Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	return leaf.SerialNumber.Text(16)
}

func pemOf(kind, body string) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: []byte(body)})
}

func put(t *testing.T, dir, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

func copyTo(t *testing.T, dir, from, to string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, from))
	if err != nil {
		t.Fatal(err)
	}
	put(t, dir, to, data)
}

// D18, OP-8: a key that others can read is refused, and the refusal helps: on a FAT stick, which the manual's own line names, chmod does nothing.
func TestKeysOnSticks(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "root.key")
	if err := os.WriteFile(path, nil, 0o644); err != nil { //nolint:gosec // it is to be refused
		t.Fatal(err)
	}
	if err := OwnersAlone(path, 0o600); err != nil {
		t.Errorf("its owner's alone: %v", err)
	}
	if err := OwnersAlone(path, 0o644); err == nil || !strings.Contains(err.Error(), "run chmod 600") {
		t.Errorf("others can read: %v", err)
	}
	for name, kind := range map[string]int64{"vfat": 0x4d44, "exfat": 0x2011bab0, "ntfs": 0x7366746e, "FUSE": 0x65735546} {
		if err := othersRead("/media/safe/root.key", 0o755, kind, 990); err == nil || !strings.Contains(err.Error(), "uid=990,umask=077") || strings.Contains(err.Error(), "run chmod") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
