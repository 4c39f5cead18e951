package directory

// MyNumber reports whether text holds something that can only be an Individual Number (個人番号): twelve digits,
// in one piece or as 4-4-4 with the same separator, whose check digit is right. Half- and full-width digits count
// alike. A longer run of digits, as a serial number has it, is none. One in eleven numbers of twelve digits is right
// by chance, so that free text refuses it and fields for serial and contract numbers only warn (VE-5).
func MyNumber(text string) bool {
	var run []rune
	for _, c := range text {
		if _, ok := digitOf(c); ok || isSeparator(c) {
			run = append(run, c)
			continue
		}
		if holdsMyNumber(run) {
			return true
		}
		run = run[:0]
	}
	return holdsMyNumber(run)
}

// holdsMyNumber looks through a run of digits and separators.
func holdsMyNumber(run []rune) bool {
	var groups [][]int // digits between separators
	var seps []rune    // seps[i] stands before groups[i+1]; 0 when several stand there
	digits, gap := []int(nil), rune(-1)
	for _, c := range run {
		if d, ok := digitOf(c); ok {
			if gap >= 0 && len(digits) > 0 {
				groups, seps, digits = append(groups, digits), append(seps, gap), nil
			}
			digits, gap = append(digits, d), -1
			continue
		}
		if gap >= 0 {
			c = 0 // two separators in a row hold nothing together
		}
		gap = c
	}
	if len(digits) > 0 {
		groups = append(groups, digits)
	}
	for i, g := range groups {
		if len(g) == 12 && checkDigit(g) {
			return true
		}
		if i+2 >= len(groups) || len(g) != 4 || len(groups[i+1]) != 4 || len(groups[i+2]) != 4 {
			continue
		}
		if seps[i] == 0 || seps[i] != seps[i+1] {
			continue
		}
		all := append(append(append([]int(nil), g...), groups[i+1]...), groups[i+2]...)
		if checkDigit(all) {
			return true
		}
	}
	return false
}

func digitOf(c rune) (int, bool) {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0'), true
	case c >= '\uff10' && c <= '\uff19': // full width
		return int(c - '\uff10'), true
	}
	return 0, false
}

func isSeparator(c rune) bool {
	switch c {
	case ' ', '\u00a0', '\u3000', '-', '\u2010', '\u2011', '\u2012', '\u2013', '\u2212', '\uff0d', '\u30fc', '.', '\uff0e':
		return true
	}
	return false
}

// checkDigit computes the twelfth digit as the ministry's ordinance does: weights 2–7 then 2–6 from the right, modulo 11.
func checkDigit(d []int) bool {
	sum := 0
	for n := 1; n <= 11; n++ {
		weight := n + 1
		if n > 6 {
			weight = n - 5
		}
		sum += d[11-n] * weight
	}
	want := 0
	if rest := sum % 11; rest > 1 {
		want = 11 - rest
	}
	return d[11] == want
}
