package notify

import (
	"embed"
	"fmt"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"monban/server/review"
)

//go:embed words/*.toml
var wordFiles embed.FS

// Title is what a kind of finding is called in a language, "ja" or "en"; the pages' words.
type Title func(lang string, k review.Kind) string

// Words are the texts of messages in every language.
type Words struct {
	texts map[string]map[string]string
	title Title
	zone  *time.Location
	site  string
	whose Whose
}

// Whose gives whose site this is and whom to ask, "" where it was not said; it is asked for each text, so that a changed telephone
// number stands in the next message (A33). It names no person.
type Whose func(lang string) (name, contact string)

// NewWords reads the texts. zone is the site's: times are told in it. whose may be nil: then the site's own name stands there.
func NewWords(title Title, zone *time.Location, site string, whose Whose) (*Words, error) {
	if whose == nil {
		whose = func(string) (string, string) { return "", "" }
	}
	w := &Words{map[string]map[string]string{}, title, zone, site, whose}
	for _, lang := range []string{"ja", "en"} {
		b, err := wordFiles.ReadFile("words/" + lang + ".toml")
		if err != nil {
			return nil, fmt.Errorf("words of alerts: %w", err)
		}
		texts := map[string]string{}
		if err := toml.Unmarshal(b, &texts); err != nil {
			return nil, fmt.Errorf("words of alerts, %s: %w", lang, err)
		}
		w.texts[lang] = texts
	}
	return w, nil
}

// in gives the texts of one language; Japanese when it is none.
func (w *Words) in(lang string) words {
	texts, ok := w.texts[lang]
	if !ok {
		lang, texts = "ja", w.texts["ja"]
	}
	return words{texts, w.title, lang, w.zone, w.site, w.whose}
}

// words puts messages into a language.
type words struct {
	texts map[string]string
	title Title
	lang  string
	zone  *time.Location
	site  string
	whose Whose
}

// t fills the {places} of a text from pairs of name and value.
func (w words) t(key string, pairs ...string) string {
	text, ok := w.texts[key]
	if !ok {
		return "⟦" + key + "⟧"
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		pairs[i] = "{" + pairs[i] + "}"
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

func (w words) kind(k review.Kind) string { return w.title(w.lang, k) }

func (w words) severity(s string) string { return w.t("severity_" + s) }
