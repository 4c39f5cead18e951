package store

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"os"
	"strings"
	"testing"
	"time"

	rfc3161 "github.com/digitorus/timestamp"

	"monban/server/logcheck"
	"monban/server/timestamp"
)

// timeAuthority answers requests for time stamps; by is who is trusted.
func timeAuthority(t *testing.T) (by *timestamp.Trust, ca []byte, answer func(q StampRequest) []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	usage, err := asn1.Marshal([]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 8}})
	must(t, err)
	c := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "Time 2"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true, Value: usage}},
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	must(t, err)
	c, err = x509.ParseCertificate(der)
	must(t, err)
	ca = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	by, err = timestamp.NewTrust(ca, nil)
	must(t, err)
	return by, ca, func(q StampRequest) []byte {
		sum := sha256.Sum256([]byte(q.Note))
		s := rfc3161.Timestamp{HashAlgorithm: crypto.SHA256, HashedMessage: sum[:], Time: time.Now().UTC(), Policy: asn1.ObjectIdentifier{1, 2, 3}, Nonce: new(big.Int).SetBytes(q.Nonce), AddTSACertificate: true}
		out, err := s.CreateResponseWithOpts(c, key, crypto.SHA256)
		must(t, err)
		return out
	}
}

// EV-10, EV-1: each column of a stamp that is changed, a stamp that is taken out and one that is put beside another checkpoint are
// found; a log that was written anew is not the one that the stamp names.
func TestTimestampCovered(t *testing.T) {
	s := newSite(t)
	st := s.open(t)
	by, _, answer := timeAuthority(t)
	foreign, _, _ := timeAuthority(t)
	s.fill(t, st, 10)
	q := StampRequest{Size: st.publishedSize(), Note: st.Checkpoint(), Nonce: []byte{0x41, 3}, AtMS: 1}
	must(t, st.Write(t.Context(), func(tx *Tx) error {
		if err := tx.PutStampRequest(q); err != nil {
			return err
		}
		got, err := tx.StampRequest(sha256.Sum256([]byte(q.Note)))
		if err != nil {
			return err
		}
		_, err = tx.PutStamp(got, answer(q), by, time.Now())
		return err
	}))
	must(t, st.SignNow(t.Context()))
	q = StampRequest{Size: st.publishedSize(), Note: st.Checkpoint(), Nonce: []byte{0x42}, AtMS: 1}
	must(t, st.Write(t.Context(), func(tx *Tx) error {
		_, err := tx.PutStamp(q, answer(q), by, time.Now())
		return err
	}))
	must(t, st.SignNow(t.Context()))
	must(t, st.Close())
	opt := s.verifyOptions(true)
	verify := func(trust *timestamp.Trust) (out string) {
		t.Helper()
		o := opt
		o.Stamps = trust
		res, err := VerifyFile(t.Context(), s.path, o)
		must(t, err)
		for _, f := range res.Findings {
			out += f.String() + "\n"
		}
		return out
	}
	if bad := verify(by) + verify(nil); bad != "" {
		t.Fatal(bad)
	}
	if bad := verify(foreign); strings.Count(bad, "not by an authority") != 2 {
		t.Errorf("a foreign authority's: %s", bad)
	}
	clean, err := os.ReadFile(s.path)
	must(t, err)
	const newest, oldest = ` WHERE idx = (SELECT max(idx) FROM timestamp)`, ` WHERE idx = (SELECT min(idx) FROM timestamp)`
	for _, change := range []string{
		`DELETE FROM timestamp` + newest,
		`UPDATE timestamp SET answer = x'3003020100'` + newest,
		`UPDATE timestamp SET nonce = x'41'` + newest,
		`UPDATE timestamp SET note = (SELECT note FROM timestamp` + oldest + `)` + newest,
		`UPDATE timestamp SET (size, note, nonce, answer, stamp_ms) = (SELECT size, note, nonce, answer, stamp_ms FROM timestamp` + oldest + `)` + newest,
		`UPDATE timestamp SET stamp_ms = stamp_ms - 1000` + oldest,
		`UPDATE timestamp SET received_ms = received_ms + 1` + oldest,
		`UPDATE timestamp SET size = size - 1` + oldest,
		`UPDATE timestamp SET authority = 'CN=Another'` + oldest,
		`UPDATE timestamp SET policy = '1.2'` + oldest,
		`UPDATE timestamp SET idx = idx + 100` + newest,
	} {
		exec(t, s.path, change)
		if bad := verify(nil); !strings.Contains(bad, "timestamp") {
			t.Errorf("%s: not found: %s", change, bad)
		}
		must(t, os.WriteFile(s.path, clean, 0o600))
	}
}

// EV-1, EV-10, I8: an insider with the log's key writes a log of his own and has a certificate that he made himself stamp it. Nobody else
// holds any of that: the page does not count the stamp among what others hold, and says that it proves no time. Only when the auditor says
// whose stamps count does one prove anything, and then not that others hold a checkpoint.
func TestStampInTheDatabaseIsNobodysWord(t *testing.T) {
	s := newSite(t)
	st := s.open(t)
	own, _, answer := timeAuthority(t) // the insider's
	s.fill(t, st, 10)
	q := StampRequest{Size: st.publishedSize(), Note: st.Checkpoint(), Nonce: []byte{0x41, 3}, AtMS: 1}
	must(t, st.Write(t.Context(), func(tx *Tx) error {
		_, err := tx.PutStamp(q, answer(q), own, time.Now())
		return err
	}))
	must(t, st.SignNow(t.Context()))
	must(t, st.Close())
	page := func(trust *timestamp.Trust) (rep *logcheck.Report, proven, not string) {
		t.Helper()
		o := s.verifyOptions(false)
		o.Stamps = trust
		rep, err := ReportOnFile(t.Context(), s.path, o)
		must(t, err)
		wantClean(t, *rep.Result)
		var out strings.Builder
		must(t, rep.Page(&out, logcheck.English, "monban.db"))
		_, text, _ := strings.Cut(out.String(), "\nPROVEN\n")
		proven, not, _ = strings.Cut(text, "\nNOT PROVEN\n")
		return rep, proven, not
	}
	rep, proven, not := page(nil)
	if rep.HeldMet != 0 || rep.Database.Cosigned != 0 || len(rep.Stamps) != 1 || rep.Stamps[0].Trusted {
		t.Errorf("held %d, cosigned %d, stamps %+v", rep.HeldMet, rep.Database.Cosigned, rep.Stamps)
	}
	if strings.Contains(proven, "others hold") || strings.Contains(proven, "Time 2") || strings.Contains(proven, "cosignatures") {
		t.Errorf("counts it as somebody else's word:\n%s", proven)
	}
	if !strings.Contains(not, "compared with no checkpoint that somebody else holds") || !strings.Contains(not, `says it is of "CN=Time 2"`) || !strings.Contains(not, "prove no time") {
		t.Errorf("does not say what it leaves open:\n%s", not)
	}
	rep, proven, not = page(own)
	if rep.HeldMet != 0 || !strings.Contains(proven, "so says a time stamp of CN=Time 2") || strings.Contains(proven, "others hold") ||
		!strings.Contains(not, "compared with no checkpoint that somebody else holds") || strings.Contains(not, "prove no time") {
		t.Errorf("with whose stamps count:\n%s\n%s", proven, not)
	}
}
