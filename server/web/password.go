package web

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"
)

// Cost is the price of one argon2id computation.
type Cost struct {
	Time    uint32 // passes, ≥ 1
	Memory  uint32 // KiB, ≥ 8 × Threads
	Threads uint8  // lanes, ≥ 1
}

// DefaultCost is RFC 9106 §4's second recommended option: 64 MiB keeps graphics cards busy, and a
// small server still answers in a fraction of a second.
var DefaultCost = Cost{Time: 3, Memory: 64 << 10, Threads: 4}

// Lengths: RFC 9106 §4 (16-byte salt, 32-byte tag); a password's from NIST SP 800-63B (no rules of
// composition, length counts; 12 because tries are throttled).
const (
	saltBytes   = 16
	tagBytes    = 32
	minPassword = 12  // characters
	maxPassword = 256 // bytes; more would only cost time
)

// maxCost bounds what a stored string may ask of the machine.
var maxCost = Cost{Time: 16, Memory: 512 << 10, Threads: 16}

// HashPassword makes a PHC string "$argon2id$v=19$m=…,t=…,p=…$salt$tag". The password is taken in
// NFKC, so that it is the same from every keyboard.
func HashPassword(password string, cost Cost) (string, error) {
	if cost.Time < 1 || cost.Threads < 1 || cost.Memory < 8*uint32(cost.Threads) {
		return "", fmt.Errorf("argon2id cost %+v is out of range", cost)
	}
	salt := make([]byte, saltBytes)
	rand.Read(salt)
	tag := argon2.IDKey(norm.NFKC.Bytes([]byte(password)), salt, cost.Time, cost.Memory, cost.Threads, tagBytes)
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, cost.Memory, cost.Time, cost.Threads,
		b64.EncodeToString(salt), b64.EncodeToString(tag)), nil
}

var errPHC = errors.New("not an argon2id PHC string")

// parsePHC reads what HashPassword wrote.
func parsePHC(phc string) (cost Cost, salt, tag []byte, err error) {
	part := strings.Split(phc, "$")
	if len(part) != 6 || part[0] != "" || part[1] != "argon2id" || part[2] != "v="+strconv.Itoa(argon2.Version) {
		return cost, nil, nil, errPHC
	}
	n, err := fmt.Sscanf(part[3], "m=%d,t=%d,p=%d", &cost.Memory, &cost.Time, &cost.Threads)
	if err != nil || n != 3 || cost.Time < 1 || cost.Threads < 1 ||
		cost.Time > maxCost.Time || cost.Memory > maxCost.Memory || cost.Threads > maxCost.Threads {
		return cost, nil, nil, errPHC
	}
	b64 := base64.RawStdEncoding.Strict()
	if salt, err = b64.DecodeString(part[4]); err != nil || len(salt) < 8 {
		return cost, nil, nil, errPHC
	}
	if tag, err = b64.DecodeString(part[5]); err != nil || len(tag) < 16 {
		return cost, nil, nil, errPHC
	}
	return cost, salt, tag, nil
}

// VerifyPassword compares in constant time. A string that is not ours verifies nothing.
func VerifyPassword(phc, password string) bool {
	cost, salt, tag, err := parsePHC(phc)
	if err != nil {
		return false
	}
	got := argon2.IDKey(norm.NFKC.Bytes([]byte(password)), salt, cost.Time, cost.Memory, cost.Threads, uint32(len(tag)))
	return subtle.ConstantTimeCompare(got, tag) == 1
}

// hash and verify wait for a free place first: each takes Memory KiB.
func (h *Handler) hash(ctx context.Context, password string) (string, error) {
	if err := h.takeHashing(ctx); err != nil {
		return "", err
	}
	defer func() { <-h.hashing }()
	return HashPassword(password, h.cfg.Cost)
}

func (h *Handler) verify(ctx context.Context, phc, password string) (bool, error) {
	if err := h.takeHashing(ctx); err != nil {
		return false, err
	}
	defer func() { <-h.hashing }()
	return VerifyPassword(phc, password), nil
}

func (h *Handler) takeHashing(ctx context.Context) error {
	select {
	case h.hashing <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(10 * time.Second): // a queue that long is a flood; say "busy", not nothing
		return ErrBusy
	}
}

// passwordFault says what is wrong with a new password: a catalogue key, "" = nothing.
func passwordFault(password, repeat, name string) string {
	switch {
	case utf8.RuneCountInString(password) < minPassword:
		return "password.short"
	case len(password) > maxPassword:
		return "password.long"
	case distinct(password) < 5:
		return "password.simple"
	case name != "" && strings.Contains(strings.ToLower(password), strings.ToLower(name)):
		return "password.has_name"
	case password != repeat:
		return "password.differs"
	}
	return ""
}

func distinct(s string) int {
	seen := make(map[rune]bool)
	for _, r := range s {
		seen[r] = true
	}
	return len(seen)
}

// SetupCodeLife is how long a set-up code is good: time to walk from the console to a desk.
const SetupCodeLife = 15 * time.Minute

// NewSetupCode makes a one-time code for the console, 60 bits as three groups, and the hash that is
// stored instead of it.
func NewSetupCode() (code string, hash [32]byte) {
	raw := rand.Text()[:12] // base 32: A–Z, 2–7
	code = raw[:4] + "-" + raw[4:8] + "-" + raw[8:]
	return code, HashSetupCode(code)
}

// HashSetupCode is the stored form. Spaces, hyphens and case do not matter; 0, 1 and 8, which the
// code never holds, are read as the letters they look like.
func HashSetupCode(code string) [32]byte {
	var b strings.Builder
	for _, r := range strings.ToUpper(norm.NFKC.String(clip(code, 100))) {
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
	return sha256.Sum256([]byte("monban setup\x00" + b.String()))
}

// givenPassword makes a password that somebody hands to somebody else, who must change it: 80 bits.
func givenPassword() string {
	s := strings.ToLower(rand.Text())
	return s[:4] + "-" + s[4:8] + "-" + s[8:12] + "-" + s[12:16]
}
