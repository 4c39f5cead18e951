package notify

import (
	"strings"
	"testing"

	"monban/server/review"
)

// A33: each text says whose site it is and whom to ask as it stands when the text is made: a changed telephone number is in the next one.
func TestTextsSayWhomToAsk(t *testing.T) {
	phone := "022-368-1141"
	w, err := NewWords(func(string, review.Kind) string { return "x" }, jst, "test-city", func(lang string) (string, string) {
		return map[string]string{"ja": "多賀城市", "en": "Tagajo City"}[lang], "情報政策課 " + phone
	})
	if err != nil {
		t.Fatal(err)
	}
	for lang, want := range map[string]string{"ja": "門番(多賀城市)からの自動送信です。\nお問い合わせ:情報政策課 ", "en": "Sent by monban (Tagajo City).\nTo ask: 情報政策課 "} {
		for _, p := range []string{"022-368-1141", "022-368-9999"} {
			phone = p
			if got := w.in(lang).body(forced()); !strings.HasSuffix(got, want+p+"\n") {
				t.Errorf("%s: %q", lang, got)
			}
		}
	}
	if got := testWords(t).in("ja").body(forced()); !strings.HasSuffix(got, "門番(test-city)からの自動送信です。\n") {
		t.Errorf("nothing was said, and: %q", got)
	}
}
