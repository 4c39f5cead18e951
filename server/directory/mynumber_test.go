package directory

import "testing"

// VE-5: an Individual Number is found however it is written; other numbers are not.
func TestMyNumber(t *testing.T) {
	for text, want := range map[string]bool{
		"123456789018":      true, // published example of a right check digit
		"番号は123456789018です": true,
		"1234-5678-9018":    true,
		"1234 5678 9018":    true,
		"\uff11\uff12\uff13\uff14\u3000\uff15\uff16\uff17\uff18\u3000\uff19\uff10\uff11\uff18": true,
		"\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18\uff19\uff10\uff11\uff18":             true,
		"1234\uff0d5678\uff0d9018。": true,
		"作業 1 1234-5678-9018":       true,
		"123456789012":              false, // wrong check digit
		"123456789019":              false,
		"1234567890185":             false, // thirteen digits: a bar code
		"0123456789018":             false,
		"1234-5678 9018":            false, // two kinds of separator
		"1234--5678-9018":           false,
		"12345678-9018":             false,
		"2026-11-26 08:30":          false,
		"022-368-1141":              false,
		"":                          false,
		"一二三四五六七八九〇一八":              false,
		"000000000000":              true, // its check digit is right
	} {
		if got := MyNumber(text); got != want {
			t.Errorf("MyNumber(%q) = %v, want %v", text, got, want)
		}
	}
}

// VE-5: exactly one check digit fits any eleven digits.
func TestMyNumberCheckDigit(t *testing.T) {
	for n := range 2000 {
		d := []int{7, 3, n % 10, n / 10 % 10, n / 100 % 10, n / 1000, 0, 9, 1, 4, 2, 0}
		fits := 0
		for last := range 10 {
			d[11] = last
			if checkDigit(d) {
				fits++
			}
		}
		if fits != 1 {
			t.Fatalf("%v: %d check digits fit", d, fits)
		}
	}
}
