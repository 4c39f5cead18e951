package board

import "testing"

// DS-11: the pilot's profile has no lock line, and going live is the same wires with a lock added: whatever it names is at the same
// terminals of the profile with a lock, so that nothing is wired anew beside the paper ledger.
func TestObserveGoesLive(t *testing.T) {
	load := func(name string) *Profile {
		t.Helper()
		text, err := Text(name)
		if err != nil {
			t.Fatal(err)
		}
		p, err := Parse(name, text)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	watched, live := load("one-door-observe"), load("one-door-wiegand")
	a, b := watched.Doors[0], live.Doors[0]
	if len(watched.Doors) != 1 || a.Kind != Observe || a.Lock != nil || b.Kind != Controlled || b.Lock == nil {
		t.Fatalf("%s with lock %v, %s with lock %v", a.Kind, a.Lock, b.Kind, b.Lock)
	}
	terminals := func(p *Profile) map[string]string {
		out := map[string]string{}
		wires, _ := p.Sheet()
		for _, w := range wires {
			out[w.From] = w.To
		}
		return out
	}
	all := terminals(live)
	for from, to := range terminals(watched) {
		if all[from] != to {
			t.Errorf("%s goes to %q beside the ledger and to %q when live", from, to, all[from])
		}
	}
	if len(terminals(watched)) < 10 {
		t.Errorf("only %d wires were compared", len(terminals(watched)))
	}
}
