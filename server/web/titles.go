package web

import "monban/server/review"

// FindingTitles gives what kinds of findings are called, in the words of the pages, for texts that leave by other ways.
func FindingTitles() (func(l Lang, k review.Kind) string, error) {
	words, err := ownWords()
	if err != nil {
		return nil, err
	}
	return func(l Lang, k review.Kind) string { return words[l].say(k.Entry().Title) }, nil
}
