package factor

import (
	"net/url"
	"strings"
	"testing"
	"time"
)

// RA-3: the vectors of RFC 6238 appendix B (SHA-1, 8 digits) and RFC 4226 appendix D (6 digits).
func TestVectors(t *testing.T) {
	secret := []byte("12345678901234567890")
	for unix, want := range map[int64]string{
		59: "94287082", 1111111109: "07081804", 1111111111: "14050471", 1234567890: "89005924", 2000000000: "69279037", 20000000000: "65353130",
	} {
		if got := hotp(secret, uint64(Step(time.Unix(unix, 0))), 8); got != want {
			t.Errorf("%d: %s, want %s", unix, got, want)
		}
		if got := Code(secret, Step(time.Unix(unix, 0))); got != want[2:] {
			t.Errorf("%d: %s, want %s", unix, got, want[2:])
		}
	}
	for counter, want := range []string{"755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"} {
		if got := Code(secret, int64(counter)); got != want {
			t.Errorf("counter %d: %s, want %s", counter, got, want)
		}
	}
}

// RA-3: one step before and after now, no more; a used code and an older one never again.
func TestCheck(t *testing.T) {
	secret, now := NewSecret(), time.Unix(1_800_000_015, 0)
	at := Step(now)
	for d := int64(-3); d <= 3; d++ {
		step, ok := Check(secret, Code(secret, at+d), 0, now)
		if want := d >= -1 && d <= 1; ok != want || ok && step != at+d {
			t.Errorf("%+d steps: %d %v, want %v", d, step, ok, want)
		}
	}
	if _, ok := Check(secret, Code(secret, at), at, now); ok {
		t.Error("a used code is good again")
	}
	if _, ok := Check(secret, Code(secret, at-1), at, now); ok {
		t.Error("a code from before the used one is good")
	}
	if _, ok := Check(secret, Code(secret, at+1), at, now); !ok {
		t.Error("the next code is refused")
	}
	code := Code(secret, at)
	for _, same := range []string{code[:3] + " " + code[3:], " " + code, code[:3] + "-" + code[3:], wide(code)} {
		if _, ok := Check(secret, same, 0, now); !ok {
			t.Errorf("%q is refused", same)
		}
	}
	for _, bad := range []string{"", "0", code + "0", code[:5], "x" + code, strings.Repeat(code, 100)} {
		if _, ok := Check(secret, bad, 0, now); ok {
			t.Errorf("%q is good", bad)
		}
	}
	if _, ok := Check(nil, Code(nil, at), 0, now); ok {
		t.Error("an empty secret lets somebody in") // I9
	}
}

func wide(s string) string {
	return strings.Map(func(r rune) rune { return r - '0' + '\uff10' }, s)
}

func TestURI(t *testing.T) {
	secret := []byte("12345678901234567890")
	u, err := url.Parse(URI(secret, "多賀城 市", "sakiyama"))
	if err != nil || u.Scheme != "otpauth" || u.Host != "totp" || u.Path != "/多賀城 市:sakiyama" || u.Query().Get("issuer") != "多賀城 市" ||
		u.Query().Get("secret") != "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ" || strings.Contains(u.String(), "+") {
		t.Errorf("%v, %v", u, err)
	}
	if got := Text(secret); got != "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ" {
		t.Error(got)
	}
}

// RA-3: ten codes, all different; case, spaces and look-alikes do not matter; the account does.
func TestRecoveryCodes(t *testing.T) {
	codes, hashes := NewRecoveryCodes("A")
	seen := map[[32]byte]bool{}
	for i, c := range codes {
		if len(c) != 19 || !LooksLikeRecoveryCode(c) || HashRecoveryCode("A", strings.ToUpper(c)) != hashes[i] || HashRecoveryCode("A", strings.ReplaceAll(c, "-", " ")) != hashes[i] {
			t.Errorf("code %d", i)
		}
		if HashRecoveryCode("B", c) == hashes[i] {
			t.Error("another account's code is the same")
		}
		seen[hashes[i]] = true
	}
	if len(seen) != RecoveryCodes {
		t.Errorf("%d different codes", len(seen))
	}
	if HashRecoveryCode("A", "oi2b-oi2b-oi2b-oi2b") != HashRecoveryCode("A", "0128 0128 0128 0128") || LooksLikeRecoveryCode("123456") {
		t.Error("look-alikes")
	}
}
