package directory

import "testing"

// A name is found by any of its forms, and only the key is folded: the name stays as it was typed.
func TestFoldName(t *testing.T) {
	for _, same := range [][]string{
		{"髙橋 健一", "高橋健一", "高橋\u3000健一"},
		{"﨑山", "崎山"},
		{"渡邉", "渡邊", "渡辺"},
		{"𠮷田", "吉田"},
		{"葛\U000e0100城", "葛城"},
		{"\ufa19谷", "神谷"},
		{"鎌ケ谷", "鎌ヶ谷", "鎌ヶ谷"},
		{"ヤマザキ", "ヤマサキ", "ヤマザキ", "やまざき"},
		{"キョウコ", "きようこ", "キョウコ"},
		{"Takahashi Ken'ichi", "takahashi kenichi", "TAKAHASHI KEN’ICHI"},
		{"齋藤", "斎藤", "齊藤", "斉藤"},
	} {
		for _, s := range same[1:] {
			if FoldName(s) != FoldName(same[0]) {
				t.Errorf("%q → %q, %q → %q", s, FoldName(s), same[0], FoldName(same[0]))
			}
		}
	}
	for _, other := range [][2]string{{"高橋", "高田"}, {"渡部", "渡辺"}, {"サトウ", "シトウ"}} {
		if FoldName(other[0]) == FoldName(other[1]) {
			t.Errorf("%q is found by %q", other[0], other[1])
		}
	}
	site := sampleSite(t)
	for text, want := range map[string]PersonID{"高橋": "1001", "崎山": "1002", "よしだ": "1003", "渡辺 美": "1004", "かつらぎ": "1005", "神谷": "1006", "sato": "K-2001", "1008": "1008"} {
		found := site.SearchPeople(text, 0)
		if len(found) == 0 || found[0].ID != want {
			t.Errorf("%q finds %v", text, found)
		}
	}
	if n := len(site.SearchPeople("", 3)); n != 3 {
		t.Errorf("%d of at most 3", n)
	}
}
