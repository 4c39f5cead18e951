package story

import (
	"errors"
	"os"
	"strings"
	"testing"
)

// Whatever stands behind a word, a story ends with its outcome or with a fault that names the line: it never breaks off. With MONBAN_GARBAGE
// set each word meets each tail, else a third of them.
func TestGarbage(t *testing.T) {
	t.Parallel()
	const site = "zone room level=2\ngateway gw-1\ndoor front gateway=gw-1 zone=room exit=reader\nperson sato\nperson abe\ncard c-1 person=sato\nstock B-1\nkey K-1 doors=front\ngrant sato zone=room\n" +
		"apply v zone=room from=09:30 until=10:00 attendee=sato visitors=Ito by=sato\ncarry c in zone=room doors=front attendee=sato checker=abe impact=none\n"
	tails := []string{
		"", "x", "v", "c", "front", "v Ito", "v Ito B-1", "v x B-1", "sato", "sato B-1", "B-1", "K-1 sato", "c-1", "c-1 lost", "c-1 1 yes", "v out 3", "v in -1", "v in x", "c in", "c in zone=x",
		"c disk:serial/", "c disk:count/x", "v from= until=", "v zone=room from=1 until=2 attendee=sato", "p days=every from=06:00 until=07:00", "e zone= persons= for=x", "e zone=room persons=sato for=-1h glass",
		"v 25:99", "v 2026-13-01/10:00", "by=", "=", "==", "v by=nobody", "a b c d e f g",
	}
	all := os.Getenv("MONBAN_GARBAGE") != ""
	for word := range verbs() {
		for i, tail := range tails {
			if all || (i+len(word))%3 == 0 {
				tryGarbage(t, site+word+" "+tail)
			}
		}
	}
	for what := range expectations() {
		for i, tail := range tails {
			if all || (i+len(what))%3 == 0 {
				tryGarbage(t, site+"expect "+what+" "+tail)
			}
		}
	}
	for what := range deskNouns {
		for _, tail := range append(tails, "closing=x", "grace=-1h", "bring_in.room=maybe", "purpose_days=x", "purpose_labels.room=,,", "B-1 kind=visitor card=no") {
			tryGarbage(t, what+" "+tail+"\n"+site)
		}
	}
}

func tryGarbage(t *testing.T, text string) {
	t.Helper()
	defer func() {
		if p := recover(); p != nil {
			t.Errorf("%q: %v", text[strings.LastIndex(text, "\n")+1:], p)
		}
	}()
	_, err := Text("t.story", text, Options{})
	if f := (Fault{}); err != nil && !errors.As(err, &f) && !strings.HasPrefix(err.Error(), "t.story") {
		t.Errorf("%q: the fault has no line: %v", text, err)
	}
}
