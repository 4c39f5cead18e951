package web

import (
	"strings"

	"monban/server/directory"
	"monban/server/review"
)

// Both says the pages' words in both languages at once, for files that somebody outside of the house reads: "拒否 / Denied".
type Both struct{ ja, en speaker }

// InBoth gives it.
func InBoth() (Both, error) {
	words, err := ownWords()
	return Both{speaker{lang: Japanese, words: words[Japanese]}, speaker{lang: English, words: words[English]}}, err
}

func both(ja, en string) string {
	if ja == en {
		return ja
	}
	return ja + " / " + en
}

// Say says a word of a section of the catalogue; one that is not there stays as it is.
func (b Both) Say(section, word string) string {
	if key := section + "." + word; b.ja.words.has(key) && b.en.words.has(key) {
		return both(b.ja.T(key), b.en.T(key))
	}
	return word
}

// Value says a value of a field of the directory, and the field's name before it. Days stay as they are.
func (b Both) Value(f directory.Field) (name, value string) {
	value = f.Is
	if len(value) != len(dayLayout) || strings.Count(value, "-") != 2 {
		value = both(b.ja.valueWords(f.Name, f.Is), b.en.valueWords(f.Name, f.Is))
	}
	if b.ja.words.has("change_field." + f.Name) {
		return b.Say("change_field", f.Name), value
	}
	return b.Say("rule_field", f.Name), value
}

// Finding says what a kind of findings is called.
func (b Both) Finding(k review.Kind) string {
	return both(b.ja.T(k.Entry().Title), b.en.T(k.Entry().Title))
}

// Held lists what kinds of data are held about people, as /me/data shows them, in Japanese and in English; kept is how many years a class is kept.
func (b Both) Held(kept map[string]int) (ja, en []HeldData) { return b.ja.held(kept), b.en.held(kept) }
