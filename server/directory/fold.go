package directory

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// FoldName makes the key by which names are searched: what is written in one of several ways is found by any
// of them (髙 and 高, 﨑 and 崎, 邉 and 邊 and 辺, ヶ and ケ; full and half width; hiragana and katakana, small
// and large, with and without voiced marks, since 山崎 is read both ways; capitals; blanks and variation
// selectors do not count). It is only ever compared with another key: names are stored as typed.
func FoldName(s string) string {
	var b strings.Builder
	for _, c := range norm.NFKD.String(s) {
		if c >= 'ァ' && c <= 'ヶ' { // katakana to hiragana
			c -= 'ァ' - 'ぁ'
		}
		if f, ok := folded[c]; ok {
			c = f
		}
		switch {
		case unicode.Is(unicode.Mn, c), unicode.IsSpace(c), strings.ContainsRune("・·'\u2019\u309b\u309c", c):
			continue // marks and variation selectors, blanks, what stands between the parts of a name
		}
		b.WriteRune(unicode.ToLower(c))
	}
	return b.String()
}

// folded maps a rune to the one that stands for all its forms.
var folded = foldTable(
	"高髙 崎﨑 辺邉邊 斉斎齋齊 沢澤 浜濱濵 島嶋嶌 吉𠮷 淵渕渊 富冨 峰峯 柳栁 桑桒 広廣 国國 恵惠 真眞 竜龍 瀬瀨 桜櫻 万萬 与與 豊豐 栄榮 " +
		"円圓 条條 浅淺 蔵藏 徳德 曽曾 寿壽 実實 学學 黒黑 郷鄕 塩鹽 関關 亀龜 槙槇 来來 礼禮 会會 尭堯 館舘 隆隆 緑綠 戸戶 総總 " +
		"あぁ いぃ うぅ えぇ おぉ つっ やゃ ゆゅ よょ わゎ かゕ けゖ",
)

func foldTable(text string) map[rune]rune {
	out := map[rune]rune{}
	for group := range strings.FieldsSeq(text) {
		forms := []rune(group)
		for _, c := range forms[1:] {
			out[c] = forms[0]
		}
	}
	return out
}

// Matches reports whether a person is meant by what somebody typed: name in any form, kana, romaji, section,
// company or number, in part. An empty text matches everybody.
func (p *Person) Matches(text string) bool {
	key := FoldName(text)
	return slices.ContainsFunc([]string{p.Name, p.NameReduced, p.Kana, p.Romaji, p.Section, p.Company, string(p.ID)}, func(s string) bool {
		return strings.Contains(FoldName(s), key)
	})
}

// SearchPeople lists the people whom a text means, those whose name or kana begins with it first; at most limit,
// 0 = all.
func (s *Snapshot) SearchPeople(text string, limit int) []Person {
	key := FoldName(text)
	var begin, rest []Person
	for i := range s.People {
		p := &s.People[i]
		switch {
		case strings.HasPrefix(FoldName(p.Name), key) || strings.HasPrefix(FoldName(p.Kana), key) || string(p.ID) == text:
			begin = append(begin, *p)
		case p.Matches(text):
			rest = append(rest, *p)
		}
	}
	out := append(begin, rest...)
	if limit > 0 && len(out) > limit {
		out = out[:limit]
	}
	return out
}
