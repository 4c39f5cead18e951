package app

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"

	"monban/server/directory"
)

// nameMask gathers full names, in every way in which they are written. One that is too short to be told from a word is left alone.
type nameMask struct {
	own  []string
	seen map[string]bool
}

func newNameMask(own func() *directory.Person) *nameMask {
	m := &nameMask{seen: map[string]bool{}}
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
		if short == n && (latin || utf8.RuneCountInString(n) < 3) || slices.ContainsFunc(m.own, func(own string) bool { return strings.Contains(own, n) || strings.Contains(own, short) }) {
			continue
		}
		m.seen[n] = true
		if !latin {
			m.seen[short] = true
			m.seen[strings.ReplaceAll(n, " ", "\u3000")] = true
			m.seen[strings.ReplaceAll(n, "\u3000", " ")] = true
		}
	}
}

func (m *nameMask) replacer() *strings.Replacer {
	var list []string
	for n := range m.seen {
		list = append(list, n)
	}
	slices.SortFunc(list, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) }) // the longest counts
	pairs := make([]string, 0, 2*len(list))
	for _, n := range list {
		pairs = append(pairs, n, maskedOther)
	}
	return strings.NewReplacer(pairs...)
}
