// Package timestamp asks for and checks time stamps of other houses on checkpoints: RFC 3161, by files that somebody carries
// (EV-10). A stamp says that the checkpoint was there at a time that the authority's clock vouches for, whatever this site's clock
// was set to.
//
// The library parses and checks the signature; that the certificate may sign time stamps and leads to a configured one, and that
// the stamp is the one that was asked for, is checked here. It opens no file and no connection.
package timestamp

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // the older form of the attribute that names the signer's certificate; nothing rests on it alone
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/digitorus/pkcs7"
	rfc3161 "github.com/digitorus/timestamp"
)

// MostAnswer is how long an answer may be, bytes: certificates are a few kilobytes.
const MostAnswer = 32 << 10

// nonceBytes is the length of a nonce.
const nonceBytes = 16

// Why an answer is refused.
var (
	ErrForm      = errors.New("not an answer of a time-stamping authority (a whole .tsr file, DER)")
	ErrStatus    = errors.New("the authority has not granted the time stamp")
	ErrImprint   = errors.New("the time stamp is of something else than the checkpoint")
	ErrNonce     = errors.New("the time stamp answers another request")
	ErrPolicy    = errors.New("the time stamp is under a policy that timestamp.policies does not name")
	ErrSignature = errors.New("the time stamp's signature does not hold")
	ErrAuthority = errors.New("the time stamp is not by an authority of timestamp.ca_file")
)

// Trust is whose stamps are believed.
type Trust struct {
	roots    *x509.CertPool
	policies []asn1.ObjectIdentifier // nil = any
	sum      [32]byte
}

// Sum tells one trust from another: hex, over its certificates and policies in the order in which they were given.
func (t *Trust) Sum() string { return hex.EncodeToString(t.sum[:]) }

// NewTrust reads certificates (PEM) of authorities, or of who signs theirs, and the policies (dotted numbers) that are accepted.
func NewTrust(certificates []byte, policies []string) (*Trust, error) {
	t := &Trust{roots: x509.NewCertPool()}
	n, all := 0, sha256.New()
	for rest := certificates; ; n++ {
		var b *pem.Block
		if b, rest = pem.Decode(rest); b == nil {
			break
		}
		c, err := x509.ParseCertificate(b.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d of a time-stamping authority: %w", n+1, err)
		}
		t.roots.AddCert(c)
		all.Write(c.Raw)
	}
	if n == 0 {
		return nil, errors.New("the file holds no certificate of a time-stamping authority (PEM)")
	}
	for _, p := range policies {
		id, err := ParsePolicy(p)
		if err != nil {
			return nil, err
		}
		t.policies = append(t.policies, id)
		fmt.Fprintf(all, "policy %s\n", id)
	}
	all.Sum(t.sum[:0])
	return t, nil
}

// ParsePolicy reads an object identifier, "1.2.3".
func ParsePolicy(text string) (id asn1.ObjectIdentifier, err error) {
	for part := range strings.SplitSeq(text, ".") {
		n, err := strconv.Atoi(part)
		if err != nil || n < 0 || strconv.Itoa(n) != part {
			return nil, fmt.Errorf("%q is no policy of the form 1.2.3", text)
		}
		id = append(id, n)
	}
	if len(id) < 2 {
		return nil, fmt.Errorf("%q is no policy of the form 1.2.3", text)
	}
	return id, nil
}

// NewNonce makes the random number by which an answer is known as that of one request.
func NewNonce(random io.Reader) ([]byte, error) {
	if random == nil {
		random = rand.Reader
	}
	b := make([]byte, nonceBytes)
	if _, err := io.ReadFull(random, b); err != nil {
		return nil, err
	}
	b[0] = b[0]&0x7f | 0x40 // positive, and always as long
	return b, nil
}

// Request is the file (.tsq) that asks for a stamp on a text, with the authority's certificate in the answer.
func Request(text, nonce []byte) ([]byte, error) {
	sum := sha256.Sum256(text)
	r := rfc3161.Request{HashAlgorithm: crypto.SHA256, HashedMessage: sum[:], Certificates: true, Nonce: new(big.Int).SetBytes(nonce)}
	return r.Marshal()
}

// Imprint gives the SHA-256 that an answer is of, without any check: to find the request it belongs to.
func Imprint(answer []byte) (sum [32]byte, err error) {
	s, _, err := parse(answer)
	if err != nil {
		return sum, err
	}
	if s.HashAlgorithm != crypto.SHA256 || len(s.HashedMessage) != len(sum) {
		return sum, ErrImprint
	}
	return [32]byte(s.HashedMessage), nil
}

// Stamp is a checked time stamp.
type Stamp struct {
	Time      time.Time // by the authority's clock, UTC
	Accuracy  time.Duration
	Policy    string
	Serial    string // hex
	Authority string // subject of its certificate
}

// Check checks an answer to the request with that nonce for a stamp on a text. Without a trust the certificate is only the one
// that the stamp names itself: the signature then says that the stamp is whole, not whose it is.
func Check(answer, text, nonce []byte, trust *Trust) (out Stamp, err error) {
	s, p7, err := parse(answer)
	if err != nil {
		return out, err
	}
	sum := sha256.Sum256(text)
	switch {
	case s.HashAlgorithm != crypto.SHA256 || !bytes.Equal(s.HashedMessage, sum[:]):
		return out, ErrImprint
	case s.Nonce == nil || s.Nonce.Cmp(new(big.Int).SetBytes(nonce)) != 0:
		return out, ErrNonce
	case s.SerialNumber == nil:
		return out, ErrForm
	}
	for _, e := range s.Extensions {
		if e.Critical {
			return out, fmt.Errorf("%w: it has a critical extension %s that this program does not know", ErrForm, e.Id)
		}
	}
	cert, err := signed(p7)
	if err != nil {
		return out, err
	}
	if err := mayStamp(cert); err != nil {
		return out, err
	}
	if trust != nil {
		if err := trust.chain(cert, p7.Certificates, s.Time); err != nil {
			return out, err
		}
		if trust.policies != nil && !slices.ContainsFunc(trust.policies, s.Policy.Equal) {
			return out, fmt.Errorf("%w: %s", ErrPolicy, s.Policy)
		}
	}
	return Stamp{Time: s.Time.UTC(), Accuracy: s.Accuracy, Policy: s.Policy.String(), Serial: s.SerialNumber.Text(16), Authority: cert.Subject.String()}, nil
}

// parse reads an answer; the signature is checked with the certificate inside.
func parse(answer []byte) (s *rfc3161.Timestamp, p7 *pkcs7.PKCS7, err error) {
	defer func() {
		if p := recover(); p != nil { // the library's reader of BER was not written for files that somebody made to hurt it
			s, p7, err = nil, nil, ErrForm
		}
	}()
	if len(answer) > MostAnswer {
		return nil, nil, fmt.Errorf("%w: it is longer than %d bytes", ErrForm, MostAnswer)
	}
	var head struct {
		Status struct {
			Status int
			Rest   asn1.RawValue `asn1:"optional"`
			More   asn1.RawValue `asn1:"optional"`
		}
		Token asn1.RawValue `asn1:"optional"`
	}
	if rest, err := asn1.Unmarshal(answer, &head); err != nil || len(rest) > 0 {
		return nil, nil, ErrForm
	}
	if head.Status.Status != 0 && head.Status.Status != 1 {
		_, err := rfc3161.ParseResponse(answer)
		return nil, nil, fmt.Errorf("%w: status %d (%w)", ErrStatus, head.Status.Status, errors.Join(err))
	}
	if p7, err = pkcs7.Parse(head.Token.FullBytes); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrForm, err)
	}
	if s, err = rfc3161.Parse(head.Token.FullBytes); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrSignature, err)
	}
	if !s.AddTSACertificate {
		return nil, nil, fmt.Errorf("%w: the authority's certificate is not in it", ErrForm)
	}
	return s, p7, nil
}

var (
	oidStampInfo = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 1, 4}
	oidSigner1   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 12}
	oidSigner2   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 47}
	oidExtUsage  = asn1.ObjectIdentifier{2, 5, 29, 37}
)

// signed gives the certificate of the one signer after checking what the library leaves out: that there is one signer, that what
// is signed says that it is a time stamp and by which certificate, each once, and no SHA-1.
func signed(p7 *pkcs7.PKCS7) (*x509.Certificate, error) {
	bad := func(what string) error { return fmt.Errorf("%w: %s", ErrSignature, what) }
	cert := p7.GetOnlySigner()
	if cert == nil {
		return nil, bad("it has not exactly one signer with a certificate")
	}
	by := p7.Signers[0]
	for i, a := range by.AuthenticatedAttributes {
		for _, b := range by.AuthenticatedAttributes[:i] {
			if a.Type.Equal(b.Type) {
				return nil, bad("a signed attribute stands twice")
			}
		}
	}
	if by.DigestAlgorithm.Algorithm.Equal(pkcs7.OIDDigestAlgorithmSHA1) {
		return nil, bad("it is signed with SHA-1")
	}
	var kind asn1.ObjectIdentifier
	if err := p7.UnmarshalSignedAttribute(pkcs7.OIDAttributeContentType, &kind); err != nil || !kind.Equal(oidStampInfo) {
		return nil, bad("what is signed is no time stamp")
	}
	if err := p7.Verify(); err != nil {
		return nil, bad(err.Error())
	}
	if !namesSigner(p7, cert) {
		return nil, bad("it names another certificate than the one that signed")
	}
	return cert, nil
}

// namesSigner reports whether the signed attribute of the signing certificate (RFC 2634, RFC 5035) is there and is this one.
func namesSigner(p7 *pkcs7.PKCS7, cert *x509.Certificate) bool {
	type certID struct {
		Rest []asn1.RawValue
	}
	var list struct {
		Certs    []asn1.RawValue
		Policies asn1.RawValue `asn1:"optional"`
	}
	sum256, sum1 := sha256.Sum256(cert.Raw), sha1.Sum(cert.Raw) //nolint:gosec // see the import
	want := sum256[:]
	if err := p7.UnmarshalSignedAttribute(oidSigner2, &list); err != nil {
		if err := p7.UnmarshalSignedAttribute(oidSigner1, &list); err != nil {
			return false
		}
		want = sum1[:]
	}
	if len(list.Certs) == 0 {
		return false
	}
	var parts certID
	rest := list.Certs[0].Bytes
	for len(rest) > 0 {
		var v asn1.RawValue
		var err error
		if rest, err = asn1.Unmarshal(rest, &v); err != nil {
			return false
		}
		parts.Rest = append(parts.Rest, v)
	}
	for _, v := range parts.Rest { // [algorithm,] hash [, issuer and serial]; another algorithm than SHA-256 has another hash
		if v.Class == asn1.ClassUniversal && v.Tag == asn1.TagOctetString {
			return bytes.Equal(v.Bytes, want)
		}
	}
	return false
}

// mayStamp demands what RFC 3161 does of the certificate: extended key usage critical, time stamping and nothing else.
func mayStamp(c *x509.Certificate) error {
	bad := fmt.Errorf("%w: the certificate of %s is not one for time stamps alone", ErrAuthority, c.Subject)
	if len(c.ExtKeyUsage) != 1 || c.ExtKeyUsage[0] != x509.ExtKeyUsageTimeStamping || len(c.UnknownExtKeyUsage) > 0 {
		return bad
	}
	for _, e := range c.Extensions {
		if e.Id.Equal(oidExtUsage) && e.Critical {
			return nil
		}
	}
	return bad
}

// chain demands a way from the certificate to a configured one, all of it valid when the stamp was made.
func (t *Trust) chain(c *x509.Certificate, with []*x509.Certificate, at time.Time) error {
	between := x509.NewCertPool()
	for _, x := range with {
		between.AddCert(x)
	}
	_, err := c.Verify(x509.VerifyOptions{Roots: t.roots, Intermediates: between, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping}})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrAuthority, err)
	}
	return nil
}
