package web

import (
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"sync"

	"github.com/pelletier/go-toml/v2"
	"golang.org/x/text/language"
)

// Lang is a language of the pages.
type Lang string

// The languages.
const (
	Japanese Lang = "ja"
	English  Lang = "en"
)

// parseLang reads a choice; anything else is no choice.
func parseLang(s string) (Lang, bool) {
	if l := Lang(s); l == Japanese || l == English {
		return l, true
	}
	return "", false
}

const languageCookie = "monban_language"

// chooseLanguage: the account's choice, then this browser's, then what the browser asks for, then
// Japanese.
func (h *Handler) chooseLanguage(r *http.Request, a *Account) Lang {
	if a != nil {
		if l, ok := parseLang(string(a.Language)); ok {
			return l
		}
	}
	if c, err := r.Cookie(languageCookie); err == nil {
		if l, ok := parseLang(c.Value); ok {
			return l
		}
	}
	return acceptedLanguage(r)
}

// acceptedLanguage is what the browser or program asks for, Japanese otherwise.
func acceptedLanguage(r *http.Request) Lang {
	tags, _, err := language.ParseAcceptLanguage(clip(r.Header.Get("Accept-Language"), 200))
	if err != nil || len(tags) == 0 {
		return Japanese
	}
	_, i, confidence := language.NewMatcher([]language.Tag{language.Japanese, language.English}).Match(tags...)
	if confidence == language.No || i == 0 {
		return Japanese
	}
	return English
}

// catalogue holds the words of one language by "section.key".
type catalogue map[string]string

// ownWords loads the catalogues of this program once; nobody changes them.
var ownWords = sync.OnceValues(func() (map[Lang]catalogue, error) { return loadCatalogues(files) })

func loadCatalogues(fsys fs.FS) (map[Lang]catalogue, error) {
	out := make(map[Lang]catalogue)
	for _, l := range []Lang{Japanese, English} {
		names, err := fs.Glob(fsys, "catalogue/"+string(l)+"*.toml")
		if err != nil || len(names) == 0 {
			return nil, fmt.Errorf("catalogue %s: no file (%w)", l, err)
		}
		c := make(catalogue)
		for _, name := range names {
			if err := c.load(fsys, name); err != nil {
				return nil, err
			}
		}
		out[l] = c
	}
	return out, nil
}

// load adds one file's words. A word that stands twice is a fault: nobody could tell which one counts.
func (c catalogue) load(fsys fs.FS, name string) error {
	b, err := fs.ReadFile(fsys, name)
	if err != nil {
		return fmt.Errorf("catalogue: %w", err)
	}
	var sections map[string]map[string]string
	if err := toml.Unmarshal(b, &sections); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	for section, keys := range sections {
		for key, text := range keys {
			full := section + "." + key
			if _, twice := c[full]; twice {
				return fmt.Errorf("%s: %s stands in another file, too", name, full)
			}
			c[full] = text
		}
	}
	return nil
}

// say fills {name} places from pairs of name and value. Where a word follows the number, as in English, {name|stay|stays} is the first of them when
// the value is 1, else the second. An unknown key shows as ⟦key⟧, which the tests look for on every page.
func (c catalogue) say(key string, pairs ...string) string {
	text, ok := c[key]
	if !ok {
		return "⟦" + key + "⟧"
	}
	if len(pairs) == 0 {
		return text
	}
	if strings.Contains(text, "|") {
		text = byNumber(text, pairs)
	}
	old := make([]string, 0, len(pairs))
	for i := 0; i+1 < len(pairs); i += 2 {
		old = append(old, "{"+pairs[i]+"}", pairs[i+1])
	}
	return strings.NewReplacer(old...).Replace(text)
}

// byNumber chooses the words that go with a number. A place of no pair stays as it is.
func byNumber(text string, pairs []string) string {
	var out strings.Builder
	for {
		before, rest, ok := strings.Cut(text, "{")
		out.WriteString(before)
		if !ok {
			return out.String()
		}
		place, after, ok := strings.Cut(rest, "}")
		if !ok {
			return out.String() + "{" + rest
		}
		text = after
		name, words, chosen := strings.Cut(place, "|")
		one, many, _ := strings.Cut(words, "|")
		known := false
		for i := 0; chosen && i+1 < len(pairs); i += 2 {
			if pairs[i] == name {
				if known = true; pairs[i+1] == "1" {
					many = one
				}
			}
		}
		if known {
			out.WriteString(many)
		} else {
			out.WriteString("{" + place + "}")
		}
	}
}

// has tells whether the catalogue knows a key: for open lists such as kinds of findings.
func (c catalogue) has(key string) bool { _, ok := c[key]; return ok }

// languageKey is the context key of the language a page is made in.
type languageKey struct{}

// LanguageOf is the language in which the page that asks is made; Japanese when nobody said. Sources use
// it to choose among the names that a door or zone has.
func LanguageOf(ctx context.Context) Lang {
	if l, ok := ctx.Value(languageKey{}).(Lang); ok {
		return l
	}
	return Japanese
}

// WithLanguage gives a context in which LanguageOf is l.
func WithLanguage(ctx context.Context, l Lang) context.Context {
	return context.WithValue(ctx, languageKey{}, l)
}
