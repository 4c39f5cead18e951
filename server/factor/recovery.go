package factor

import (
	"crypto/rand"
	"crypto/sha256"
	"strings"
)

// RecoveryCodes is how many recovery codes a set has.
const RecoveryCodes = 10

// NewRecoveryCodes makes a set of codes of 80 bits in groups of four, and the hashes that are stored instead of them.
// So many bits need no slow hash. account is bound in, so that equal codes of two accounts would not look equal.
func NewRecoveryCodes(account string) (codes []string, hashes [][32]byte) {
	for range RecoveryCodes {
		s := strings.ToLower(rand.Text()[:16])
		code := s[:4] + "-" + s[4:8] + "-" + s[8:12] + "-" + s[12:16]
		codes = append(codes, code)
		hashes = append(hashes, HashRecoveryCode(account, code))
	}
	return codes, hashes
}

// LooksLikeRecoveryCode tells a recovery code from a one-time code by its length, without looking whether it is one.
func LooksLikeRecoveryCode(code string) bool { return len(letters(code)) == 16 }

// HashRecoveryCode is the stored form. Spaces, hyphens and case do not matter; 0, 1 and 8, which no code holds, are
// read as the letters they look like.
func HashRecoveryCode(account, code string) [32]byte {
	return sha256.Sum256([]byte("monban recovery\x00" + account + "\x00" + letters(code)))
}

func letters(code string) string {
	if len(code) > 100 {
		return ""
	}
	var b strings.Builder
	for _, r := range strings.ToUpper(code) {
		switch {
		case r == '0':
			r = 'O'
		case r == '1':
			r = 'I'
		case r == '8':
			r = 'B'
		}
		if r >= 'A' && r <= 'Z' || r >= '2' && r <= '7' {
			b.WriteRune(r)
		}
	}
	return b.String()
}
