package sim

import (
	"strings"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/firmware/door"
)

// D7, AD-9, AD-10: a gateway comes back with records that have not come through yet. Until they have, nobody is granted at
// its doors by places that are known to be stale; at other zones nothing changes; and when they are in, they count.
func TestBacklogAfterRelink(t *testing.T) {
	zone := tokyo(t)
	w, err := New(Options{Seed: 1, Start: SiteStart(zone).Add(9 * time.Hour), Zone: zone, Site: "sim", Files: rulesFiles()})
	if err != nil {
		t.Fatal(err)
	}
	w.settle(10 * time.Second)
	badge := func(at access.DoorID, person string) (failed, by string) {
		t.Helper()
		return w.badgeAndOpen(t, at, person)
	}
	g := w.gateways[2] // the only one with doors of the zone `timed`
	if g.id != "gw-3" {
		t.Fatalf("the third gateway is %s", g.id)
	}
	badge("timed-1", "p6") // who is inside is told to a gateway whose records are known
	w.settle(20 * time.Second)
	g.cut = true
	w.disconnect(g, "cut")
	w.settle(10 * time.Second)
	if got, by := badge("timed-1", "p3"); got != "" || by != "" {
		t.Fatalf("a record has come over a cable that is out: %q by %s", got, by)
	}
	// decided and recorded by the gateway; nobody else knows
	g.mute, g.cut = true, false
	w.settle(20 * time.Second)
	if !g.machine.Linked(g.mono()) {
		t.Fatal("the gateway is not linked again")
	}
	if got, by := badge("timed-2", "p3"); got != "knowledge_missing denied" || by != "server" {
		t.Errorf("inside by a record that is not here, and badging again: %q by %s, want knowledge_missing by the server", got, by)
	}
	if got, by := badge("soft-1", "p4"); got != " granted" || by != "server" {
		t.Errorf("at a zone with other doors: %q by %s", got, by)
	}
	g.mute = false
	w.settle(40 * time.Second) // the longest wait between two sendings, and more
	if got, by := badge("timed-2", "p3"); got != "anti_passback denied" || by != "server" {
		t.Errorf("when the record is in: %q by %s", got, by)
	}
	if got, by := badge("timed-2", "p5"); got != " granted" || by != "server" {
		t.Errorf("somebody else then: %q by %s", got, by)
	}
	if err := w.drain(); err != nil {
		t.Fatal(w.Failure())
	}
}

// badgeAndOpen gives what became of a badge by the server's line of it, "" while there is none, and goes through the door
// when it is released.
func (w *World) badgeAndOpen(t *testing.T, at access.DoorID, person string) (failed, by string) {
	t.Helper()
	d, _ := w.doorNode(at)
	c := w.cards["c-"+strings.TrimPrefix(person, "p")]
	var attempt door.Attempt
	w.fill(attempt[:])
	d.present(attempt, access.SideEnter, c, "")
	w.settle(2 * time.Second)
	if d.machine.StateName() == door.Unlocked.String() {
		d.setOpen(true)
		w.settle(time.Second)
		d.setOpen(false)
	}
	w.settle(2 * time.Second)
	if w.err != nil {
		t.Fatal(w.Failure())
	}
	for _, r := range w.server.store.order {
		if door.Attempt(r.ID) == attempt {
			return r.Failed + " " + r.Outcome, r.DecidedBy
		}
	}
	return "", ""
}

// D7, AD-9: the server grants, and before the record of the passage comes the cable is cut and the server starts anew. Hours
// later the record is here: whoever went in is inside.
func TestPassageLongAfterARestart(t *testing.T) {
	zone := tokyo(t)
	w, err := New(Options{Seed: 1, Start: SiteStart(zone).Add(9 * time.Hour), Zone: zone, Site: "sim", Files: rulesFiles()})
	if err != nil {
		t.Fatal(err)
	}
	w.settle(10 * time.Second)
	g := w.gateways[0]
	g.mute = true
	if got, by := w.badgeAndOpen(t, "hard-1", "p3"); got != " granted" || by != "server" {
		t.Fatalf("%q by %s, want a grant of the server", got, by)
	}
	g.cut = true
	w.disconnect(g, "cut")
	w.server.crash(time.Second)
	w.settle(10 * time.Second)
	w.Leap(3 * time.Hour)
	w.server.crash(time.Second) // and once more, when the grant is hours old
	w.settle(10 * time.Second)
	g.cut, g.mute = false, false
	w.settle(40 * time.Second)
	if got, by := w.badgeAndOpen(t, "hard-2", "p3"); got != "anti_passback denied" || by != "server" {
		t.Errorf("inside by a record of hours ago, at the other door: %q by %s", got, by)
	}
	if err := w.drain(); err != nil {
		t.Fatal(w.Failure())
	}
}
