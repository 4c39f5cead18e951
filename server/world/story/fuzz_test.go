package story

import "testing"

// FuzzLines: a story's text, as an administrator writes it, is split into words or refused with its line.
func FuzzLines(f *testing.F) {
	f.Add("person 1001 髙橋 staff\nbadge server-room-1 enter \"a b\" # said\r\n")
	f.Add("\"")
	f.Fuzz(func(t *testing.T, text string) {
		lines, err := Lines("f.story", text)
		if err != nil {
			return
		}
		for _, l := range lines {
			if len(l.Words) == 0 || l.Number < 1 {
				t.Errorf("line %+v", l)
			}
			options(l.Words)
		}
	})
}
