package access

import (
	"encoding/hex"
	"fmt"
	"log/slog"
)

// String is short on purpose, enough to tell two keys of a test apart and too little to search by.
func (k Key) String() string { return "key:" + hex.EncodeToString(k[:3]) }

// LogValue keeps the digits out of logs.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalText gives 64 lower-case hex digits.
func (k Key) MarshalText() ([]byte, error) {
	return hex.AppendEncode(nil, k[:]), nil
}

// UnmarshalText reads 64 lower-case hex digits; anything else is the zero key and an error.
func (k *Key) UnmarshalText(b []byte) error {
	*k = Key{}
	if len(b) != hex.EncodedLen(len(k)) {
		return fmt.Errorf("parse key: %d characters, want %d", len(b), hex.EncodedLen(len(k)))
	}
	for _, c := range b {
		if c >= 'A' && c <= 'F' {
			return fmt.Errorf("parse key: upper-case digit")
		}
	}
	if _, err := hex.Decode(k[:], b); err != nil {
		*k = Key{}
		return fmt.Errorf("parse key: not hex digits")
	}
	return nil
}
