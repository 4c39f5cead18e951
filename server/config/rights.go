package config

import (
	"monban/firmware/card"
	"monban/server/directory"
)

// Rights sets the numbers of the rules about rights that requirements leave to a site (VR-5, AD-13, AD-3).
type Rights struct {
	// RecertifyMonths is how long after one a zone's next recertification is due; 1–24. It is due after 1 April in any case.
	RecertifyMonths int `toml:"recertify_months"`
	// RecertifyDays is how long one may take when its opener names no day; 1–180.
	RecertifyDays int `toml:"recertify_days"`
	// RecertifyLapse is what becomes of rights that nobody confirms in time: "suspend" or "keep" (they are listed as overdue).
	RecertifyLapse string `toml:"recertify_lapse"`
	// PINTries is how many wrong PINs in a row lock a card out of doors that ask for one; 2–10.
	PINTries int `toml:"pin_tries"`
	// AssuranceLevel1 to 3 are the least that a card must prove in a zone of that level: uid_only, card_auth or mutual_auth. A higher
	// level may not ask for less than a lower one.
	AssuranceLevel1 string `toml:"assurance_level_1"`
	AssuranceLevel2 string `toml:"assurance_level_2"`
	AssuranceLevel3 string `toml:"assurance_level_3"`
}

// Words of Rights.RecertifyLapse.
const (
	LapseSuspend = "suspend"
	LapseKeep    = "keep"
)

func (r *Rights) validate(f *faults) {
	f.number("rights.recertify_months", r.RecertifyMonths, 1, 24)
	f.number("rights.recertify_days", r.RecertifyDays, 1, 180)
	f.oneOf("rights.recertify_lapse", r.RecertifyLapse, LapseSuspend, LapseKeep)
	f.number("rights.pin_tries", r.PINTries, 2, 10)
	last := card.UIDOnly
	for _, x := range []struct{ key, word string }{
		{"rights.assurance_level_1", r.AssuranceLevel1}, {"rights.assurance_level_2", r.AssuranceLevel2}, {"rights.assurance_level_3", r.AssuranceLevel3},
	} {
		a, err := card.ParseAssurance(x.word)
		if err != nil || a == card.AssuranceUnknown {
			f.oneOf(x.key, x.word, "uid_only", "card_auth", "mutual_auth")
			continue
		}
		if a < last {
			f.add(x.key, "%s is less than the level below it asks for", a)
		}
		last = max(last, a)
	}
}

// Terms gives them to the directory. Of a checked Config they are in range.
func (c *Config) Terms() directory.Terms {
	r := &c.Rights
	t := directory.Terms{RoundMonths: r.RecertifyMonths, RoundDays: r.RecertifyDays, RoundKeeps: r.RecertifyLapse == LapseKeep, PINTries: uint8(r.PINTries)}
	for i, word := range []string{r.AssuranceLevel1, r.AssuranceLevel2, r.AssuranceLevel3} {
		t.Assurance[i+1], _ = card.ParseAssurance(word) // unknown asks for nothing more than the zone does; Validate has refused it
	}
	return t
}
