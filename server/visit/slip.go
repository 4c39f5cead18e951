package visit

import "monban/firmware/access"

// Slip is what a guest signs or sees on a screen at the counter (VE-7): their own visit and nobody else's name but the attendee's,
// whom the page adds. There is no list to look at, and no entry of before.
type Slip struct {
	Visit      string
	Name       string
	Company    string
	Purpose    string
	Zones      []access.ZoneID
	FromMS     int64
	UntilMS    int64
	Attendee   string // person id; the page shows the name
	Conditions uint32 // version of the entry conditions to read and accept
	Label      string // of the badge, once it is lent
}

// SlipOf makes the slip of guest i; the zero Slip when there is none.
func (v *Visit) SlipOf(i int, s *Site) Slip {
	if i < 0 || i >= len(v.Guests) {
		return Slip{}
	}
	g := &v.Guests[i]
	out := Slip{
		Visit: v.ID, Name: g.Name, Company: g.Company, Purpose: v.Purpose, Zones: v.Zones, FromMS: v.FromMS, UntilMS: v.UntilMS,
		Attendee: string(v.Attendee), Conditions: s.ConditionsOf(v.Zones), Label: g.Label,
	}
	if out.Company == "" {
		out.Company = v.Company
	}
	if g.Received() {
		out.Conditions = g.Conditions // what was accepted, not what is asked for by now
	}
	return out
}
