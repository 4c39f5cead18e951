package web

import (
	"regexp"
	"strings"
)

// needsException begins what the directory says of a zone that asks for less than its level.
const needsException = "asks for less than the zone's level does"

// problemWords gives the key of the catalogue for what the directory says in English, with the places of the sentence in
// the order of the pattern's groups. The directory's own words are for the command line; a page says the same in the
// reader's language. A sentence without a line here is shown as it is.
var problemWords = []struct {
	pattern *regexp.Regexp
	key     string
	places  []string
}{
	{regexp.MustCompile(`^` + needsException), "problem.exception", nil},
}

// problem says in the page's language what the directory says.
func (b Base) problem(text string) string {
	for i := range problemWords {
		w := &problemWords[i]
		m := w.pattern.FindStringSubmatch(text)
		if m == nil {
			continue
		}
		pairs := make([]string, 0, 2*len(w.places))
		for j, place := range w.places {
			pairs = append(pairs, place, strings.TrimSpace(m[j+1]))
		}
		return b.T(w.key, pairs...)
	}
	return text
}
