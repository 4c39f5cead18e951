package config

import (
	"testing"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/server/directory"
)

// VR-5, AD-13, AD-3: what the file says reaches the directory; what it does not say is today's practice.
func TestTermsOfTheFile(t *testing.T) {
	c, err := Load("testdata/samples/full.toml")
	if err != nil {
		t.Fatal(err)
	}
	want := directory.Terms{RoundMonths: 12, RoundDays: 14, RoundKeeps: true, PINTries: 3, Assurance: [4]card.Assurance{0, card.UIDOnly, card.CardAuth, card.MutualAuth}}
	if got := c.Terms(); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	d := Default()
	want = directory.Terms{RoundMonths: 6, RoundDays: 30, PINTries: access.DefaultPINLimit, Assurance: [4]card.Assurance{0, card.UIDOnly, card.UIDOnly, card.UIDOnly}}
	if got := d.Terms(); got != want {
		t.Errorf("by default %+v, want %+v", got, want)
	}
}
