package app

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base32"
	"encoding/json"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// enrolServer is a TLS server whose root, of the site "s", the code that is given back names.
func enrolServer(t *testing.T, h http.HandlerFunc) (addr, code string) {
	t.Helper()
	key := func() *ecdsa.PrivateKey {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	caKey, leafKey := key(), key()
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{Organization: []string{"monban s"}}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), NotBefore: ca.NotBefore, NotAfter: ca.NotAfter, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	root, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.CreateCertificate(rand.Reader, leaf, ca, &leafKey.PublicKey, caKey)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(h)
	s.TLS = &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{{Certificate: [][]byte{cert, root}, PrivateKey: leafKey}}}
	s.StartTLS()
	t.Cleanup(s.Close)
	sum := sha256.Sum256(root)
	return s.Listener.Addr().String(), base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(append(make([]byte, codeSecret), sum[:codePin]...))
}

// D23: a fault of the network or a server that starts anew, before a person has confirmed, does not cost the code: the same keys are asked for again.
func TestEnrolStays(t *testing.T) {
	var mu sync.Mutex
	var asked []string
	addr, code := enrolServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			return
		}
		var q keyRequest
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
			t.Error(err)
		}
		mu.Lock()
		asked = append(asked, string(q.CSR)+q.NoteKey)
		n := len(asked)
		mu.Unlock()
		switch n {
		case 1, 3, 4: // cut off
			panic(http.ErrAbortHandler)
		case 5:
			w.WriteHeader(http.StatusBadGateway)
			_, _ = io.WriteString(w, "<html>")
		case 6:
			_, _ = io.WriteString(w, `{"error":"too_many"}`)
		case 7:
			_, _ = io.WriteString(w, `{"error":"internal"}`)
		case 9:
			_, _ = io.WriteString(w, `{"error":"expired_code"}`)
		default:
			h := sha256.New()
			h.Write(q.CSR)
			h.Write([]byte(q.NoteKey))
			f := base32.StdEncoding.EncodeToString(h.Sum(nil)[:10])
			_ = json.NewEncoder(w).Encode(keyReply{Fingerprint: f[:4] + "-" + f[4:8] + "-" + f[8:12] + "-" + f[12:]})
		}
	})
	var out bytes.Buffer
	err := Enrol(t.Context(), EnrolOptions{Server: addr, Gateway: "g", Dir: filepath.Join(t.TempDir(), "identity"), Code: code, Out: &out, Poll: time.Millisecond})
	if err == nil || !strings.Contains(err.Error(), "has expired") {
		t.Fatalf("%v", err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(asked) != 9 {
		t.Errorf("asked %d times", len(asked))
	}
	for _, a := range asked {
		if a != asked[0] {
			t.Error("other keys")
		}
	}
	if n := strings.Count(out.String(), "asked again"); n != 2 {
		t.Errorf("said %d times, want once for each outage: %s", n, out.String())
	}
}

// D23: a power cut while a person is on the way to confirm does not cost the code: the next start asks for the same keys. Another code, another
// name, or a torn file makes new ones.
func TestEnrolAfterPowerCut(t *testing.T) {
	var mu sync.Mutex
	var asked []keyRequest
	addr, code := enrolServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			return
		}
		var q keyRequest
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
			t.Error(err)
		}
		mu.Lock()
		asked = append(asked, q)
		mu.Unlock()
		_, _ = io.WriteString(w, `{"error":"no_invite"}`) // ends the program where a power cut may: after the first request
	})
	dir := filepath.Join(t.TempDir(), "data", "identity")
	ask := func(gateway, code string) keyRequest {
		t.Helper()
		if err := Enrol(t.Context(), EnrolOptions{Server: addr, Gateway: gateway, Dir: dir, Code: code, Out: io.Discard, Poll: time.Millisecond}); err == nil || !strings.Contains(err.Error(), "invited") {
			t.Fatal(err)
		}
		mu.Lock()
		defer mu.Unlock()
		return asked[len(asked)-1]
	}
	same := func(a, b keyRequest) bool { return bytes.Equal(a.CSR, b.CSR) && a.NoteKey == b.NoteKey }
	first := ask("g", code)
	if st, err := os.Stat(askedFile(dir)); err != nil || st.Mode().Perm() != 0o600 {
		t.Fatalf("kept keys: %v, %v", st, err)
	}
	if data, err := os.ReadFile(askedFile(dir)); err != nil || strings.Contains(string(data), first.Code) {
		t.Errorf("the code lies with the keys: %v", err)
	}
	if !same(first, ask("g", code)) {
		t.Error("the second start asks for other keys: the code is lost")
	}
	other := "BBBBBBBBBBBBBBBBBBBBBBBBB" + code[25:] // the root of the same server
	if second := ask("g", other); same(first, second) {
		t.Error("keys of another code were asked for again")
	}
	last := ask("h", other)
	if same(ask("g", other), last) {
		t.Error("keys of another gateway were asked for again")
	}
	last = ask("g", other)
	if err := os.Truncate(askedFile(dir), 100); err != nil {
		t.Fatal(err)
	}
	if same(ask("g", other), last) {
		t.Error("a torn file was believed")
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Enrol(t.Context(), EnrolOptions{Server: addr, Gateway: "g", Dir: dir, Code: other, Out: io.Discard}); err == nil {
		t.Error("an identity was overwritten")
	}
	if _, err := os.Stat(askedFile(dir)); err == nil {
		t.Error("kept keys stay beside an identity")
	}
}

// OP-3, D12: a machine without a clock and without a time server enrols all the same; it judges by the time at which the server's
// certificate was made. A certificate that has ended is refused by a clock that is right, in words that say what to do.
func TestEnrolWithoutAClock(t *testing.T) {
	addr, code := enrolServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			_, _ = io.WriteString(w, `{"error":"no_invite"}`) // it was asked: the connection is believed
		}
	})
	for name, x := range map[string]struct {
		now  time.Time
		want string
	}{
		"1970":              {time.Unix(0, 0), "invited"},
		"the image's time":  {time.Now().AddDate(-2, 0, 0), "invited"},
		"right":             {time.Now(), "invited"},
		"after its end":     {time.Now().AddDate(0, 1, 0), "if the clock is wrong, set it"},
		"a century too far": {time.Now().AddDate(100, 0, 0), "monban.txt"},
	} {
		err := Enrol(t.Context(), EnrolOptions{Server: addr, Gateway: "g", Dir: filepath.Join(t.TempDir(), "identity"), Code: code, Out: io.Discard, Poll: time.Millisecond,
			Now: func() time.Time { return x.now }})
		if err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: %v, want %q", name, err, x.want)
		}
	}
	// No clock is no way around the code: another root is refused whatever the time is.
	_, other := enrolServer(t, func(http.ResponseWriter, *http.Request) {})
	err := Enrol(t.Context(), EnrolOptions{Server: addr, Gateway: "g", Dir: filepath.Join(t.TempDir(), "identity"), Code: other, Out: io.Discard, Now: func() time.Time { return time.Unix(0, 0) }})
	if err == nil || !strings.Contains(err.Error(), "not the server that made the code") {
		t.Errorf("another server: %v", err)
	}
}
