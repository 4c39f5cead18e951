package factor

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // RFC 6238's default; HMAC does not need a hash without collisions
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Parameters that every authenticator app knows without asking (RFC 6238 §5.2, RFC 4226 §5.3).
const (
	Digits      = 6
	Period      = 30 * time.Second
	SecretBytes = 20 // RFC 4226 §4: 160 bits
	// Skew is how many steps before and after now are accepted: a phone's clock is rarely half a minute off, and
	// each further step is another code that a guess may hit.
	Skew = 1
)

// NewSecret makes a shared secret.
func NewSecret() []byte {
	b := make([]byte, SecretBytes)
	rand.Read(b)
	return b
}

// Step is the number of whole periods since 1970.
func Step(at time.Time) int64 { return at.Unix() / int64(Period/time.Second) }

// Code is the code of one step, with leading zeros.
func Code(secret []byte, step int64) string { return hotp(secret, uint64(step), Digits) } //nolint:gosec // after 1970

// hotp is RFC 4226 §5.3.
func hotp(secret []byte, counter uint64, digits int) string {
	m := hmac.New(sha1.New, secret)
	var c [8]byte
	binary.BigEndian.PutUint64(c[:], counter)
	m.Write(c[:])
	sum := m.Sum(nil)
	at := sum[len(sum)-1] & 0x0f
	n := binary.BigEndian.Uint32(sum[at:at+4]) & 0x7fffffff
	mod := uint32(1)
	for range digits {
		mod *= 10
	}
	return fmt.Sprintf("%0*d", digits, n%mod)
}

// Check looks for the step whose code this is, within Skew of now and after last, the newest step that was used.
// ok=false for anything else, a replayed code too; then step means nothing. The caller stores step before it lets
// anybody in.
func Check(secret []byte, code string, last int64, now time.Time) (step int64, ok bool) {
	code = digitsOf(code)
	if len(secret) < 16 || len(code) != Digits {
		return 0, false
	}
	at := Step(now)
	for s := at - Skew; s <= at+Skew; s++ {
		// All are compared, so that the time taken does not tell which one fitted.
		if subtle.ConstantTimeCompare([]byte(Code(secret, s)), []byte(code)) == 1 && s > last && !ok {
			step, ok = s, true
		}
	}
	return step, ok
}

// digitsOf drops the spaces people and apps put into a code and reads full-width digits; anything else makes it no
// code.
func digitsOf(s string) string {
	if len(s) > 64 {
		return ""
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case r >= '0' && r <= '9':
			b.WriteRune(r)
		case r >= '\uff10' && r <= '\uff19':
			b.WriteRune(r - '\uff10' + '0')
		case r == ' ' || r == '\u3000' || r == '-':
		default:
			return ""
		}
	}
	return b.String()
}

var base32Text = base32.StdEncoding.WithPadding(base32.NoPadding)

// Text is the secret for typing into an app: base 32 in groups of four.
func Text(secret []byte) string {
	s := base32Text.EncodeToString(secret)
	var b strings.Builder
	for i := 0; i < len(s); i += 4 {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(s[i:min(i+4, len(s))])
	}
	return b.String()
}

// URI is what the QR code holds. issuer and account are shown in the app's list; any Unicode without control
// characters.
func URI(secret []byte, issuer, account string) string {
	q := url.Values{"secret": {base32Text.EncodeToString(secret)}, "issuer": {issuer}, "algorithm": {"SHA1"}, "digits": {"6"}, "period": {"30"}}
	// Some apps show a plus sign for a space.
	return "otpauth://totp/" + url.PathEscape(issuer+":"+account) + "?" + strings.ReplaceAll(q.Encode(), "+", "%20")
}
