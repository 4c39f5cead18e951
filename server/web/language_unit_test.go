package web

import "testing"

// A word that goes with a number is the one for 1 or the one for the rest; what is no place stays.
func TestWordsByNumber(t *testing.T) {
	c := catalogue{"x.a": "{n} {n|stay|stays}, {over} {over|day reaches|days reach} {line}", "x.b": "{n|a|b} {other|c|d} {"}
	for n, want := range map[string]string{"0": "0 stays, 1 day reaches 10", "1": "1 stay, 1 day reaches 10", "11": "11 stays, 1 day reaches 10"} {
		if got := c.say("x.a", "n", n, "over", "1", "line", "10"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := c.say("x.b", "n", "1|2"); got != "b {other|c|d} {" {
		t.Errorf("%q", got)
	}
	if got := c.say("x.a", "n", "{n|x|y}", "over", "2", "line", "3"); got != "{n|x|y} stays, 2 days reach 3" {
		t.Errorf("a value is taken for a place: %q", got)
	}
}
