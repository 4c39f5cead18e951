package web

import (
	"slices"
	"testing"
)

// RR-4, PR-6: zones of one level are told apart by numbers, in both languages; one that is alone at its level needs none.
func TestZonesByLevel(t *testing.T) {
	zones := []ZoneName{{ID: "a", Name: "サーバ室", Level: 3}, {ID: "b", Name: "書庫", Level: 2}, {ID: "c", Name: "電源室", Level: 3}}
	for lang, want := range map[Lang][]string{
		Japanese: {"レベル3の区域(1)", "レベル2の区域", "レベル3の区域(2)"},
		English:  {"Level 3 zone (1)", "Level 2 zone", "Level 3 zone (2)"},
	} {
		words, err := ownWords()
		if err != nil {
			t.Fatal(err)
		}
		a := &reportAsk{Base: Base{say: speaker{words: words[lang]}}}
		if got := a.levelsOf(zones); !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	}
}
