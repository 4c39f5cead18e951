package directory

import "testing"

// RR-1: what Shift_JIS has is written as it has it, in CP932; what it does not have becomes 〓, one letter each, and never an error.
func TestShiftJIS(t *testing.T) {
	for text, want := range map[string]struct {
		data string
		lost int
	}{
		"高橋, 1\r\n":    {"\x8d\x82\x8b\xb4, 1\r\n", 0},
		"𠮷田":           {"\x81\xac\x93\x63", 1},
		"9〜17−1":       {"9\x81\x6017\x81\x7c1", 0},
		"葛\U000E0100城": {"\x8a\x8b\x8f\xe9", 1}, // the form of the letter is lost, the letter is not
		"":             {"", 0},
	} {
		if data, lost := ShiftJIS(text); string(data) != want.data || lost != want.lost {
			t.Errorf("%q: % x, %d lost; want % x, %d", text, data, lost, want.data, want.lost)
		}
	}
}
