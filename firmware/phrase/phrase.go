// Package phrase says a program's own English sentences in Japanese, by a catalogue of the formats that they are made with: the code that finds a fault says it once,
// in English, and need not know who reads it. What no format of the catalogue makes, such as the words of the operating system, stays as it is.
package phrase

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Phrase is a format of package fmt in English, and the sentence in Japanese: {1} is what stands in the place of the format's first verb.
type Phrase [2]string

const en, ja = 0, 1

// Catalogue is a compiled list of phrases. It may be used from many goroutines.
type Catalogue struct{ patterns []pattern }

type pattern struct {
	re *regexp.Regexp
	ja string
}

var verb = regexp.MustCompile(`%[-+# 0-9.]*[dsvwqXf]`)

// Compile makes a catalogue. Where two phrases could have made a sentence, the one that stands first counts: what is more special stands first.
func Compile(list []Phrase) *Catalogue {
	c := &Catalogue{}
	for _, p := range list {
		var b strings.Builder
		b.WriteString("^(?s:")
		at := 0
		for _, m := range verb.FindAllStringIndex(p[en], -1) {
			place := "(.*?)"
			if p[en][m[1]-1] == 'd' { // a number: "%d of %d" is not any sentence with "of" in it
				place = "([0-9]+)"
			}
			b.WriteString(regexp.QuoteMeta(p[en][at:m[0]]) + place)
			at = m[1]
		}
		b.WriteString(regexp.QuoteMeta(p[en][at:]) + ")$")
		c.patterns = append(c.patterns, pattern{regexp.MustCompile(b.String()), p[ja]})
	}
	return c
}

// Say gives a text in Japanese. What stands in a place goes through again in its turn, which may be Say or more than it: a sentence can end in another one.
func (c *Catalogue) Say(text string, again func(string) string) string {
	for _, p := range c.patterns {
		m := p.re.FindStringSubmatch(text)
		if m == nil {
			continue
		}
		out := p.ja
		for i, part := range m[1:] {
			if part != text {
				part = again(part)
			}
			out = strings.ReplaceAll(out, "{"+strconv.Itoa(i+1)+"}", part)
		}
		return out
	}
	return text
}

// Fill gives a format with each verb replaced, as a sentence that it could make.
func Fill(format string, with func(verb string) string) string {
	return verb.ReplaceAllStringFunc(format, with)
}

// Faults lists what is wrong with a list: a format that stands there twice, a sentence that is the same in both languages, a place that is not there once.
func Faults(list []Phrase) (out []string) {
	seen := map[string]bool{}
	for _, p := range list {
		if seen[p[en]] {
			out = append(out, fmt.Sprintf("%q stands there twice", p[en]))
		}
		if p[ja] == p[en] {
			out = append(out, fmt.Sprintf("%q has no Japanese", p[en]))
		}
		seen[p[en]] = true
		places := len(verb.FindAllString(p[en], -1))
		for n := 1; n <= places; n++ {
			if strings.Count(p[ja], fmt.Sprintf("{%d}", n)) != 1 {
				out = append(out, fmt.Sprintf("%q: place %d is not once in %q", p[en], n, p[ja]))
			}
		}
		if strings.Contains(p[ja], fmt.Sprintf("{%d}", places+1)) {
			out = append(out, fmt.Sprintf("%q has more places than the English", p[ja]))
		}
	}
	return out
}
