package policypub_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/server/directory"
	"monban/server/policypub"
	"monban/server/policypub/sitetest"
)

// AD-13: how many wrong PINs lock a card out is the site's number.
func TestPINTriesOfTheSite(t *testing.T) {
	for _, c := range []struct {
		tries  uint8
		failed uint8
		locked bool
	}{{0, 4, false}, {0, 5, true}, {3, 2, false}, {3, 3, true}, {8, 7, false}, {8, 8, true}} {
		s := sitetest.With(t, directory.Terms{PINTries: c.tries})
		r := request(s, "server-room-1", 4567, sitetest.Now())
		d := access.Decide(s.Site().Policy, access.View{PIN: access.PINView{Known: true, Failed: c.failed}}, r)
		if got := d.Failed.Has(access.ReasonPINLocked); got != c.locked {
			t.Errorf("%d wrong of %d: locked out %t, want %t (%v)", c.failed, c.tries, got, c.locked, d.Failed)
		}
	}
}

// AD-3, AD-4: a level asks for no less than the site says, whatever its zones say; what a zone asks beyond that stays. Recovery cards
// that would then open nothing are refused (AD-18).
func TestAssuranceOfLevels(t *testing.T) {
	s := sitetest.New(t)
	at := sitetest.Now().Add(time.Hour)
	dir := s.Site().Directory()
	dir.Terms = directory.Terms{Assurance: [4]card.Assurance{0, card.UIDOnly, card.UIDOnly, card.CardAuth}}
	compiled := func() (*access.Policy, error) {
		force := dir.InForce(directory.DateOf(at))
		rules, err := policypub.Rules(&force, sitetest.Name, s.Zone, 9)
		if err != nil {
			return nil, err
		}
		return access.Compile(rules, s.Zone)
	}
	if _, err := compiled(); err == nil || !strings.Contains(err.Error(), "recovery card C-001") {
		t.Errorf("recovery cards that prove too little: %v", err)
	}
	for i := range dir.Doors {
		dir.Doors[i].Recovery, dir.Doors[i].GuardsServer = directory.RecoveryCards{}, false
	}
	p, err := compiled()
	if err != nil {
		t.Fatal(err)
	}
	if d := access.Decide(p, access.View{PIN: access.PINView{Known: true}}, request(s, "server-room-1", 4567, at)); d.Outcome == access.Granted || !d.Failed.Has(access.ReasonAssuranceLow) {
		t.Errorf("a serial number opens a door of level 3: %v %v", d.Outcome, d.Failed)
	}
	for _, z := range dir.Zones {
		got, _ := p.Zone(z.ID)
		if want := max(z.MinAssurance, dir.Terms.Assurance[z.Level]); got.MinAssurance != want {
			t.Errorf("zone %s of level %d asks for %s, want %s", z.ID, z.Level, got.MinAssurance, want)
		}
	}
	told := slices.ContainsFunc(dir.Warnings(nil, true, directory.DateOf(at)), func(w directory.Warning) bool {
		return w.Noun == "zone" && w.ID == "server-room" && strings.Contains(w.Text, "asks for card_auth")
	})
	if !told {
		t.Error("nobody is told beforehand whose cards prove too little")
	}
	for i := range dir.Zones {
		dir.Zones[i].MinAssurance = card.MutualAuth
	}
	if p, err = compiled(); err != nil {
		t.Fatal(err)
	}
	for _, z := range dir.Zones {
		if got, _ := p.Zone(z.ID); got.MinAssurance != card.MutualAuth {
			t.Errorf("zone %s asks for %s, less than it says", z.ID, got.MinAssurance)
		}
	}
}
