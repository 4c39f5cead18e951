package app

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"monban/server/directory"
)

// nameMask gathers full names, in every way in which they are written. One that is too short to be told from a word is left alone.
type nameMask struct {
	own   []string
	seen  map[string]bool
	latin map[string]bool // in small letters, in both orders

	exact, anyLatin *strings.Replacer
	latinList       []string // the longest first
}

func newNameMask(own func() *directory.Person) *nameMask {
	m := &nameMask{seen: map[string]bool{}, latin: map[string]bool{}}
	if x := own(); x != nil {
		m.own = []string{x.Name, x.NameReduced, x.Kana, x.Romaji, unspaced(x.Name)}
	}
	return m
}

// placeWords are the names of sections, companies, groups and zones.
func placeWords(dir *directory.Snapshot) map[string]bool {
	words := map[string]bool{}
	for i := range dir.People {
		words[unspaced(dir.People[i].Section)], words[unspaced(dir.People[i].Company)] = true, true
	}
	for i := range dir.Groups {
		words[unspaced(dir.Groups[i].Name)], words[unspaced(dir.Groups[i].NameEN)], words[unspaced(dir.Groups[i].Section)] = true, true, true
	}
	for i := range dir.Zones {
		words[unspaced(dir.Zones[i].Name)], words[unspaced(dir.Zones[i].NameEN)] = true, true
	}
	return words
}

func unspaced(s string) string { return strings.NewReplacer(" ", "", "\u3000", "").Replace(s) }

func (m *nameMask) add(names ...string) {
	for _, n := range names {
		n = strings.TrimSpace(n)
		short := unspaced(n)
		latin := len(short) == utf8.RuneCountInString(short)
		if short == n && (latin || utf8.RuneCountInString(n) < 3) || m.ofOwn(n) || m.ofOwn(short) {
			continue
		}
		if latin {
			parts := strings.Fields(lowered(n))
			m.latin[strings.Join(parts, " ")] = true
			m.latin[strings.Join(append(parts[1:len(parts):len(parts)], parts[0]), " ")] = true // the other order
		} else {
			m.seen[n] = true
			m.seen[short] = true
			m.seen[strings.ReplaceAll(n, " ", "\u3000")] = true
			m.seen[strings.ReplaceAll(n, "\u3000", " ")] = true
		}
	}
}

// addShort gathers names of two characters that are written without a blank, as 林修. Who is in the directory is called so; a guest's may be a surname.
func (m *nameMask) addShort(names ...string) {
	for _, n := range names {
		han := 0
		for _, r := range n {
			if unicode.Is(unicode.Han, r) {
				han++
			}
		}
		if han == 2 && utf8.RuneCountInString(n) == 2 && !m.ofOwn(n) {
			m.seen[n] = true
		}
	}
}

// ofOwn reports whether the person's own name holds a word.
func (m *nameMask) ofOwn(n string) bool {
	return slices.ContainsFunc(m.own, func(own string) bool { return strings.Contains(own, n) || strings.Contains(lowered(own), lowered(n)) })
}

// lowered makes Latin letters small, and changes no length.
func lowered(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// finish makes ready what Replace looks for.
func (m *nameMask) finish() {
	var list []string
	for n := range m.seen {
		list = append(list, n)
	}
	m.exact = maskAll(list)
	for n := range m.latin {
		m.latinList = append(m.latinList, n)
	}
	m.anyLatin = maskAll(m.latinList)
}

func maskAll(list []string) *strings.Replacer {
	slices.SortFunc(list, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) }) // the longest counts
	pairs := make([]string, 0, 2*len(list))
	for _, n := range list {
		pairs = append(pairs, n, maskedOther)
	}
	return strings.NewReplacer(pairs...)
}

// Replace masks the names in a text; Latin ones in capitals and small letters.
func (m *nameMask) Replace(s string) string {
	s = m.exact.Replace(s)
	low := lowered(s)
	if m.anyLatin.Replace(low) == low {
		return s
	}
	for _, n := range m.latinList {
		for from := 0; ; {
			at := strings.Index(lowered(s[from:]), n)
			if at < 0 {
				break
			}
			at += from
			s = s[:at] + maskedOther + s[at+len(n):]
			from = at + len(maskedOther)
		}
	}
	return s
}
