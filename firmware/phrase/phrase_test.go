package phrase

import (
	"strings"
	"testing"
)

var sample = []Phrase{
	{"%d of %d checks failed", "{2} 項目のうち {1} 項目に異常があります"},
	{"disk %s: %w", "ディスク {1}：{2}"},
	{"is full", "空きがありません"},
}

// OP-2: a sentence is said in Japanese with its places where they belong, also one that ends in another; numbers stand only where the format has numbers; what is in
// no catalogue stays.
func TestSay(t *testing.T) {
	c := Compile(sample)
	var say func(string) string
	say = func(s string) string { return c.Say(s, say) }
	for text, want := range map[string]string{
		"3 of 12 checks failed":         "12 項目のうち 3 項目に異常があります",
		"some of the checks failed":     "some of the checks failed",
		"disk /var: is full":            "ディスク /var：空きがありません",
		"disk /var: no such device":     "ディスク /var：no such device",
		"disk a.b: disk c: is full":     "ディスク a.b：ディスク c：空きがありません",
		"disk (x: is full":              "ディスク (x：空きがありません",
		"":                              "",
		"disk /var: two lines\nis full": "ディスク /var：two lines\nis full",
		"disk /var: permission denied":  "ディスク /var：permission denied",
		"3 of 12 checks failed, surely": "3 of 12 checks failed, surely",
	} {
		if got := say(text); got != want {
			t.Errorf("%q is said as %q, want %q", text, got, want)
		}
	}
}

// OP-2: each kind of fault of a list is found.
func TestFaults(t *testing.T) {
	if f := Faults(sample); len(f) != 0 {
		t.Errorf("the sample: %q", f)
	}
	for what, bad := range map[string][]Phrase{
		"stands there twice": {{"a", "あ"}, {"a", "い"}},
		"has no Japanese":    {{"a", "a"}},
		"is not once":        {{"%s and %s", "{1}"}},
		"more places":        {{"%s", "{1}{2}"}},
	} {
		if f := Faults(bad); len(f) != 1 || !strings.Contains(f[0], what) {
			t.Errorf("%s: %q", what, f)
		}
	}
	if got := Fill("%d of %q", func(v string) string { return "<" + v + ">" }); got != "<%d> of <%q>" {
		t.Errorf("filled: %q", got)
	}
}
