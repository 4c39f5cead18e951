package visit

import (
	"strconv"

	"monban/server/directory"
)

// Identity is the kind of document that was seen (VE-5). There is no field for its number, and none for a copy.
type Identity string

// Kinds of documents.
const (
	StaffCard      Identity = "staff_card"
	CompanyCard    Identity = "company_card"
	DrivingLicence Identity = "driving_licence"
	IndividualCard Identity = "individual_number_card" // the side with the face; the other side is not looked at
	Passport       Identity = "passport"
	ResidenceCard  Identity = "residence_card"
	KnownInPerson  Identity = "known_in_person"
	OtherDocument  Identity = "other_document"
)

// Identities lists the kinds in the order of the form.
func Identities() []Identity {
	return []Identity{CompanyCard, DrivingLicence, StaffCard, IndividualCard, Passport, ResidenceCard, KnownInPerson, OtherDocument}
}

func (k Identity) known() bool {
	for _, x := range Identities() {
		if x == k {
			return true
		}
	}
	return false
}

// Lent says who has a badge: the id of the matter, "" = nobody. It is asked before a badge is given out.
type Lent func(badge string) (matter string)

// Reception is what happens at the counter with one guest: identity, conditions, belongings, badge.
type Reception struct {
	Guest      int // index into Visit.Guests
	Identity   Identity
	Conditions uint32 // version of the entry conditions that was read and accepted; 0 = none was shown
	Declared   []Declared
	Badge      *Badge             // a badge is always lent
	Carrier    directory.PersonID // the escort; a guest whose badge has no card enters on theirs (VE-11)
}

// Receive receives a guest and lends the badge. From now on the badge opens the visit's doors, until the window ends.
// conditions is the version that is asked for now.
func (v *Visit) Receive(r Reception, conditions uint32, lent Lent, by Actor, nowMS int64, s *Site) error {
	switch {
	case v.State != Approved && v.State != Running:
		return ErrState
	case v.Oral != nil && v.Oral.Denied.Done():
		return ErrState
	case r.Guest < 0 || r.Guest >= len(v.Guests) || v.Guests[r.Guest].Received() || v.Guests[r.Guest].Replaced.Done():
		return ErrState.at("guest")
	case nowMS < v.FromMS-s.Settings.EarlyMS:
		return ErrTooEarly
	case nowMS >= v.UntilMS:
		return ErrTooLate
	case !r.Identity.known():
		return ErrIdentity.at("identity")
	case r.Conditions != conditions:
		return ErrConditions.at("conditions")
	}
	g := v.Guests[r.Guest]
	if g.Person != "" { // the directory may have changed since the application
		if p := s.person(g.Person); p == nil || !p.Active {
			return ErrUnknown.at("guest")
		}
		if by.Person == g.Person {
			return ErrSamePerson
		}
	}
	if v.Contract != "" && g.Category == directory.Contractor {
		if err := s.holds(v.Contract, nowMS, nowMS+1); err != nil {
			return err
		}
	}
	declared, err := v.declare(r.Declared, nowMS, s)
	if err != nil {
		return err
	}
	b := r.Badge
	switch {
	case b == nil || b.Kind != VisitorBadge || b.Status != BadgeActive:
		return ErrBadge.at("badge")
	case lent(b.ID) != "":
		return ErrBadgeLent.at("badge")
	}
	carriers, escort := v.Carriers, r.Carrier
	if escort != "" && s.escort(escort, v.Zones) == nil {
		return ErrCarrier.at("carrier")
	}
	if !b.HasCard() {
		now := v.Carrier()
		if now == "" {
			now = r.Carrier
			carriers = []Carrier{{Person: now, FromMS: nowMS}}
		}
		// One visit has one carrier at a time; CarryBy hands over.
		if s.escort(now, v.Zones) == nil || r.Carrier != "" && r.Carrier != now {
			return ErrCarrier.at("carrier")
		}
		escort = now
	}
	g.Escort = escort
	g.Identity, g.Conditions, g.Declared, g.Checked, g.Lent = r.Identity, conditions, declared, by.step(nowMS, ""), by.step(nowMS, "")
	g.Badge, g.Label, g.Look, g.Card = b.ID, b.Label, b.Look, b.HasCard()
	v.setGuest(r.Guest, g)
	v.State, v.Carriers = Running, carriers
	return nil
}

// setGuest replaces one guest in a copy of the list.
func (v *Visit) setGuest(i int, g Guest) {
	v.Guests = append([]Guest(nil), v.Guests...)
	v.Guests[i] = g
}

// Carrier is the escort on whose badge those without a card enter and leave now, "" = nobody.
func (v *Visit) Carrier() directory.PersonID {
	if len(v.Carriers) == 0 {
		return ""
	}
	return v.Carriers[len(v.Carriers)-1].Person
}

// carrierAt is who carried the party at a moment.
func (v *Visit) carrierAt(ms int64) (who directory.PersonID) {
	for _, c := range v.Carriers {
		if c.FromMS <= ms {
			who = c.Person
		}
	}
	return who
}

func (v *Visit) isCarrier(p directory.PersonID) bool {
	for _, c := range v.Carriers {
		if c.Person == p {
			return true
		}
	}
	return false
}

// CarryBy hands the party over to another member of staff, on whose badge it leaves and enters from now on (VE-10, VE-11).
func (v *Visit) CarryBy(carrier directory.PersonID, nowMS int64, s *Site) error {
	switch {
	case v.State != Running || v.Carrier() == carrier || len(v.Carriers) >= 30:
		return ErrState
	case s.escort(carrier, v.Zones) == nil:
		return ErrCarrier.at("carrier")
	}
	v.Carriers = append(append([]Carrier(nil), v.Carriers...), Carrier{Person: carrier, FromMS: nowMS})
	return nil
}

// Party is how many persons the carrier's badge stands for, the carrier included; 0 when nobody is carried.
func (v *Visit) Party() int {
	n := 0
	for i := range v.Guests {
		if g := &v.Guests[i]; g.Here() && !g.Card {
			n++
		}
	}
	if v.CountIn.Done() && !v.CountOut.Done() {
		n += v.HeadsIn
	}
	if n == 0 || v.Carrier() == "" {
		return 0
	}
	return n + 1
}

// Count counts the heads of a tour on its way in, or out again.
func (v *Visit) Count(out bool, heads int, by Actor, nowMS int64) error {
	switch {
	case v.State != Running || v.Type != Tour || out && !v.CountIn.Done():
		return ErrState
	case heads < 0 || heads > 200:
		return ErrTooMany.at("heads")
	}
	if out {
		v.HeadsOut, v.CountOut = heads, by.step(nowMS, "")
	} else {
		v.HeadsIn, v.CountIn = heads, by.step(nowMS, "")
	}
	return nil
}

// ReturnBadge takes guest i's badge back; lost says that it did not come back and never will. The badge stops opening doors
// at once. The visit closes with the last badge, unless somebody is inside by the log or heads are missing: then a person
// closes it with a note (VE-8). inside tells, of each guest, whether the log has them inside.
func (v *Visit) ReturnBadge(i int, lost bool, inside func(guest int) bool, by Actor, nowMS int64, note string) error {
	switch {
	case v.State != Running:
		return ErrState
	case i < 0 || i >= len(v.Guests) || !v.Guests[i].Here():
		return ErrState.at("guest")
	}
	if err := free("note", note, maxText, false); err != nil {
		return err
	}
	g := v.Guests[i]
	if lost {
		g.Lost = true
	} else {
		g.Returned = by.step(nowMS, note)
	}
	v.setGuest(i, g)
	for i := range v.Guests {
		g := &v.Guests[i]
		if g.Here() || g.Received() && !g.Leaving.Done() && inside(i) {
			return nil
		}
		if !g.Received() && !g.Replaced.Done() && nowMS < v.UntilMS {
			return nil // may still come
		}
	}
	if v.Heads > 0 && (!v.CountOut.Done() || v.HeadsIn != v.HeadsOut) {
		return nil
	}
	v.State, v.Ended = Closed, by.step(nowMS, "")
	return nil
}

// Left records what a person says of how and when guest i left, which the log does not show (退室未記録, VE-8).
func (v *Visit) Left(i int, by Actor, nowMS int64, note string) error {
	if v.State != Running || i < 0 || i >= len(v.Guests) || !v.Guests[i].Received() || v.Guests[i].Leaving.Done() {
		return ErrState.at("guest")
	}
	if err := free("note", note, maxText, true); err != nil {
		return err
	}
	g := v.Guests[i]
	g.Leaving = by.step(nowMS, note)
	v.setGuest(i, g)
	return nil
}

// Close closes a visit by a person. Badges must be back or lost. With somebody inside by the log, or heads missing, it needs
// a note that says what became of them (VE-8).
func (v *Visit) Close(inside func(guest int) bool, by Actor, nowMS int64, note string) error {
	if v.State != Running {
		return ErrState
	}
	odd := v.Heads > 0 && v.HeadsIn != v.HeadsOut
	for i := range v.Guests {
		g := &v.Guests[i]
		if g.Here() {
			return ErrState.at("badge")
		}
		odd = odd || g.Received() && !g.Leaving.Done() && inside(i)
	}
	if odd && blank(note) {
		return ErrInside.at("note")
	}
	if err := free("note", note, maxText, false); err != nil {
		return err
	}
	v.State, v.Ended = Closed, by.step(nowMS, note)
	return nil
}

// guestID names a guest whom the directory does not know.
func guestID(visit string, i int) directory.PersonID {
	return directory.PersonID(visit + "." + strconv.Itoa(i+1))
}

// Out lists the badges that are out, by inventory number.
func (v *Visit) Out() (badges []string) {
	for i := range v.Guests {
		if g := &v.Guests[i]; g.Here() {
			badges = append(badges, g.Badge)
		}
	}
	return badges
}

// People lists whose passages tell of the visit: its received guests and who carries or carried them; sinceMS is from when
// on. Nobody is listed before somebody was received.
func (v *Visit) People() (sinceMS int64, people []directory.PersonID) {
	for i := range v.Guests {
		g := &v.Guests[i]
		if !g.Received() {
			continue
		}
		if sinceMS == 0 || g.Checked.AtMS < sinceMS {
			sinceMS = g.Checked.AtMS
		}
		people = append(people, v.PersonID(i))
	}
	for _, c := range v.Carriers {
		people = append(people, c.Person)
	}
	return sinceMS - skewMS, people
}
