package visit

import (
	"slices"

	"monban/firmware/access"
	"monban/server/directory"
)

// State of a visit.
type State string

// States. A visit that was received and not closed is running, whatever the time.
const (
	Applied   State = "applied"
	Approved  State = "approved"
	Refused   State = "refused"
	Withdrawn State = "withdrawn"
	Running   State = "running" // somebody was received
	Closed    State = "closed"
	NoShow    State = "no_show" // the window is over and nobody came
)

// Type is what a visit is for; the forms differ, the rules do not.
type Type string

// Types of visits.
const (
	Work       Type = "work"       // a contractor works on something
	Meeting    Type = "meeting"    // inspection, meeting, audit
	Tour       Type = "tour"       // a leader and a head count
	Delivery   Type = "delivery"   // something is brought or fetched
	Cleaning   Type = "cleaning"   // cleaning, air conditioning
	Inspection Type = "inspection" // by law or contract
)

func (t Type) known() bool {
	switch t {
	case Work, Meeting, Tour, Delivery, Cleaning, Inspection:
		return true
	}
	return false
}

// MaxGuests is how many named persons one visit has; a larger group is a tour with a head count, or several visits.
const MaxGuests = 20

// Application is what an applicant fills in (VE-1). All fields are mandatory but those that say so.
type Application struct {
	Type     Type
	Purpose  string          // 入室目的・作業内容
	System   string          // 対象システム
	Zones    []access.ZoneID // every zone that has to be entered, the outer ones too
	FromMS   int64           // [FromMS, UntilMS), UTC ms; may cross midnight (VE-9)
	UntilMS  int64
	Section  string             // 主管課, the owning section
	Company  string             // of the guests; may be empty when each guest has one
	Contract string             // id; mandatory when a guest is a contractor (VE-4)
	Attendee directory.PersonID // 立会者: staff who attends
	Guests   []Guest            // at least one; only the fields of who they are
	Heads    int                // of a tour: how many come without a name, beside the guests; 0–200
}

// Guest is one person of a visit.
type Guest struct {
	// Who they are, from the application.
	Name     string               `json:"name"`
	Kana     string               `json:"kana,omitempty"`
	Company  string               `json:"company,omitempty"`
	Category directory.Category   `json:"category"`         // Contractor or Visitor; school employees are visitors (AD-2)
	Kind     directory.PersonKind `json:"kind,omitempty"`   // within the category: supplier, school_employee, inspector, …; "" = not said
	Person   directory.PersonID   `json:"person,omitempty"` // a worker whom the directory knows; "" = nobody there

	// What became of them.
	Substitute bool       `json:"substitute,omitempty"` // named on the day by the owning section, not by the contract (VE-12)
	Replaced   Step       `json:"replaced,omitzero"`    // by a substitute: does not come
	Identity   Identity   `json:"identity,omitempty"`   // kind of document seen (VE-5); no number, no copy
	Checked    Step       `json:"checked,omitzero"`     // by whom, when: the guest was received
	Conditions uint32     `json:"conditions,omitempty"` // version of the entry conditions that was accepted (VE-6)
	Declared   []Declared `json:"declared,omitempty"`   // what is brought in (EQ-2)
	Badge      string     `json:"badge,omitempty"`      // inventory number (VE-3)
	Label      string     `json:"label,omitempty"`      // what is printed on it
	Look       string     `json:"look,omitempty"`       // badge type
	Card       bool       `json:"card,omitempty"`       // the badge opens doors; else the guest enters on the carrier's badge

	Escort   directory.PersonID `json:"escort,omitempty"` // who took the guest over at the counter; "" = nobody was named
	Lent     Step               `json:"lent,omitzero"`
	Returned Step               `json:"returned,omitzero"`
	Lost     bool               `json:"lost,omitempty"`   // the badge was not returned and is lost
	Leaving  Step               `json:"leaving,omitzero"` // a person said how and when the guest left, since the log does not (VE-8)
}

// Received reports whether the guest was received at reception.
func (g *Guest) Received() bool { return g.Checked.Done() }

// Here reports whether the guest was received and has not given the badge back.
func (g *Guest) Here() bool { return g.Checked.Done() && !g.Returned.Done() && !g.Lost }

// Oral is an approval by phone (口頭承認) of an urgent receipt (VE-12).
type Oral struct {
	Approver  directory.PersonID `json:"approver"` // who said yes
	DueMS     int64              `json:"due_ms"`   // to be confirmed until then: closing time of the next open day
	Confirmed Step               `json:"confirmed,omitzero"`
	Denied    Step               `json:"denied,omitzero"` // the named approver says that it was not so
}

// Carrier is an escort on whose badge the party enters and leaves, from a moment on.
type Carrier struct {
	Person directory.PersonID `json:"person"`
	FromMS int64              `json:"from_ms"`
}

// Visit is one visit.
type Visit struct {
	ID       string             `json:"id"`
	State    State              `json:"state"`
	Type     Type               `json:"type"`
	Purpose  string             `json:"purpose"`
	System   string             `json:"system"`
	Zones    []access.ZoneID    `json:"zones"`
	FromMS   int64              `json:"from_ms"`
	UntilMS  int64              `json:"until_ms"`
	Section  string             `json:"section"`
	Company  string             `json:"company,omitempty"`
	Contract string             `json:"contract,omitempty"`
	Attendee directory.PersonID `json:"attendee"`
	Guests   []Guest            `json:"guests"`
	Heads    int                `json:"heads,omitempty"`
	HeadsIn  int                `json:"heads_in,omitempty"`
	HeadsOut int                `json:"heads_out,omitempty"`
	CountIn  Step               `json:"count_in,omitzero"`
	CountOut Step               `json:"count_out,omitzero"`
	Carriers []Carrier          `json:"carriers,omitempty"` // staff whose badge carries those without a card, the last one now (VE-11)
	Permit   string             `json:"permit,omitempty"`   // the standing permit it comes from
	Asked    Step               `json:"asked"`
	Decided  Step               `json:"decided,omitzero"` // approval, refusal or withdrawal
	Oral     *Oral              `json:"oral,omitempty"`
	Extended Step               `json:"extended,omitzero"`
	Ended    Step               `json:"ended,omitzero"`
}

// Head implements Matter.
func (v *Visit) Head() Head {
	h := Head{ID: v.ID, Kind: KindVisit, State: string(v.State), FromMS: v.FromMS, UntilMS: v.UntilMS}
	if len(v.Zones) > 0 {
		h.Zone = string(v.Zones[0])
	}
	switch v.State {
	case Applied, Approved, Running:
		h.Open = true
	case Closed, NoShow:
		// An oral approval that nobody has confirmed is still owed.
		h.Open = v.Oral != nil && !v.Oral.Confirmed.Done() && !v.Oral.Denied.Done()
	}
	return h
}

// Subject implements Matter.
func (v *Visit) Subject() directory.PersonID {
	if len(v.Guests) > 0 {
		return v.Guests[0].Person
	}
	return ""
}

// PersonID is what a guest is called in the directory's overlay, in records and in the register: the directory's own id of a
// known worker, else one of this visit only.
func (v *Visit) PersonID(i int) directory.PersonID {
	if g := &v.Guests[i]; g.Person != "" {
		return g.Person
	}
	return guestID(v.ID, i)
}

// Apply makes a visit of an application (VE-1), or says what is wrong with it. warnings name fields that look like an
// Individual Number where a number is expected. The id is the caller's to set.
func Apply(app Application, by Actor, nowMS int64, s *Site) (v Visit, warnings []string, err error) {
	v = Visit{
		State: Applied, Type: app.Type, Purpose: app.Purpose, System: app.System, Zones: app.Zones, FromMS: app.FromMS, UntilMS: app.UntilMS,
		Section: app.Section, Company: app.Company, Contract: app.Contract, Attendee: app.Attendee, Heads: app.Heads, Asked: by.step(nowMS, ""),
	}
	if warnings, err = v.check(nowMS, s); err != nil {
		return Visit{}, nil, err
	}
	v.Zones = s.withOuter(v.Zones)
	if len(app.Guests) == 0 {
		return Visit{}, nil, ErrMissing.at("guests")
	}
	if len(app.Guests) > MaxGuests {
		return Visit{}, nil, ErrTooMany.at("guests")
	}
	for _, g := range app.Guests {
		// Only who they are: nobody applies for an identity that was checked.
		g = Guest{Name: g.Name, Kana: g.Kana, Company: g.Company, Category: g.Category, Kind: g.Kind, Person: g.Person}
		if err := v.checkGuest(&g, s, false); err != nil {
			return Visit{}, nil, err
		}
		v.Guests = append(v.Guests, g)
	}
	return v, warnings, nil
}

// check looks at everything but the guests.
func (v *Visit) check(nowMS int64, s *Site) (warnings []string, err error) {
	warn, err := number("contract", v.Contract)
	err = firstErr(
		free("purpose", v.Purpose, maxText, true), free("system", v.System, maxLine, true), free("section", v.Section, maxName, true),
		free("company", v.Company, maxName, false), err,
	)
	switch {
	case err != nil:
		return nil, err
	case !v.Type.known():
		return nil, ErrMissing.at("type")
	case len(v.Zones) == 0:
		return nil, ErrMissing.at("zones")
	case len(v.Zones) > 10:
		return nil, ErrTooMany.at("zones")
	case v.UntilMS <= v.FromMS || v.UntilMS <= nowMS || v.UntilMS-v.FromMS > s.Settings.MaxWindowMS:
		return nil, ErrWindow.at("until")
	case v.Attendee == "":
		return nil, ErrMissing.at("attendee")
	case s.staff(v.Attendee) == nil:
		return nil, ErrNotStaff.at("attendee")
	case v.Heads < 0 || v.Heads > 200 || v.Heads > 0 && v.Type != Tour:
		return nil, ErrTooMany.at("heads")
	}
	for _, z := range v.Zones {
		if s.zone(string(z)) == nil {
			return nil, ErrUnknown.at("zones")
		}
	}
	if v.Contract != "" {
		if err := s.holds(v.Contract, v.FromMS, v.UntilMS); err != nil {
			return nil, err
		}
	}
	if warn != "" {
		warnings = append(warnings, warn)
	}
	return warnings, nil
}

// withOuter adds the zones around zones that some door leads into: who may enter the inner one has to pass them.
func (s *Site) withOuter(zones []access.ZoneID) []access.ZoneID {
	out := slices.Clone(zones)
	for _, z := range zones {
		for n := 0; z != "" && n < access.MaxZoneDepth; n++ {
			x := s.zone(string(z))
			if x == nil {
				break
			}
			entered := slices.ContainsFunc(s.Dir.Doors, func(d directory.Door) bool { return d.Enter == z })
			if entered && !slices.Contains(out, z) {
				out = append(out, z)
			}
			z = x.Parent
		}
	}
	return out
}

// holds reports whether a contract covers a window (A21).
func (s *Site) holds(id string, fromMS, untilMS int64) error {
	c := s.contract(id)
	switch {
	case c == nil || c.ValidFrom.StartMS(s.Zone) > fromMS || c.ValidUntil.EndMS(s.Zone) < untilMS:
		return ErrContract.at("contract")
	case c.Tier >= 2 && blank(c.Approval):
		return ErrTier.at("contract")
	}
	return nil
}

// checkGuest looks at one person. A substitute need not stand in the contract: the owning section vouches for this day.
func (v *Visit) checkGuest(g *Guest, s *Site, substitute bool) error {
	if err := firstErr(free("name", g.Name, maxName, true), free("kana", g.Kana, maxName, false), free("guest_company", g.Company, maxName, false)); err != nil {
		return err
	}
	if g.Person != "" {
		p := s.person(g.Person)
		if p == nil || !p.Active {
			return ErrUnknown.at("person")
		}
		g.Category, g.Kind = p.Category, p.Kind
	} else if probs := (&directory.Snapshot{People: []directory.Person{v.personOf(g, s)}}).Validate(); len(probs) > 0 && (g.Category == directory.Visitor || g.Category == directory.Contractor) {
		return ErrText.at("name") // the policy is compiled of it: the directory's rules count
	}
	switch g.Category {
	case directory.Visitor:
	case directory.Contractor:
		c := s.contract(v.Contract)
		if c == nil {
			return ErrContract.at("contract")
		}
		if substitute {
			break
		}
		for _, w := range c.Workers {
			if w == g.Person && w != "" {
				return nil
			}
		}
		return ErrUnnamed.at("person")
	default:
		return ErrMissing.at("category") // staff need no visit
	}
	return nil
}

// personOf is a guest whom the directory does not know, as a person of the directory.
func (v *Visit) personOf(g *Guest, s *Site) directory.Person {
	p := directory.Person{
		ID: "guest", Name: g.Name, Kana: g.Kana, Section: v.Section, Company: g.Company, Category: g.Category, Kind: g.Kind, Active: true,
		Conditions: g.Conditions,
	}
	if p.Company == "" {
		p.Company = v.Company
	}
	if g.Category == directory.Contractor { // a substitute: for this day only
		p.ContractFrom, p.ContractUntil = s.dayOf(v.FromMS), s.dayOf(v.UntilMS-1)
	}
	return p
}

// Approve lets a second person approve (VE-1): who applied, or is a guest, may not.
func (v *Visit) Approve(by Actor, nowMS int64, note string) error {
	switch {
	case v.State != Applied:
		return ErrState
	case v.Asked.same(by) || v.isGuest(by.Person):
		return ErrSamePerson
	case nowMS >= v.UntilMS:
		return ErrTooLate
	}
	if err := free("note", note, maxText, false); err != nil {
		return err
	}
	v.State, v.Decided = Approved, by.step(nowMS, note)
	return nil
}

func (v *Visit) isGuest(p directory.PersonID) bool {
	for i := range v.Guests {
		if p != "" && v.Guests[i].Person == p {
			return true
		}
	}
	return false
}

// Refuse turns an application down; the reason is told to the applicant.
func (v *Visit) Refuse(by Actor, nowMS int64, reason string) error {
	if v.State != Applied {
		return ErrState
	}
	if err := free("reason", reason, maxText, true); err != nil {
		return err
	}
	v.State, v.Decided = Refused, by.step(nowMS, reason)
	return nil
}

// Withdraw ends a visit that nobody was received for.
func (v *Visit) Withdraw(by Actor, nowMS int64, reason string) error {
	if v.State != Applied && v.State != Approved {
		return ErrState
	}
	if err := free("reason", reason, maxText, false); err != nil {
		return err
	}
	v.State, v.Ended = Withdrawn, by.step(nowMS, reason)
	return nil
}

// Extend moves the end of an approved window; it takes an approver, who may be anybody but the applicant and the guests.
func (v *Visit) Extend(untilMS int64, by Actor, nowMS int64, reason string, s *Site) error {
	switch {
	case v.State != Approved && v.State != Running:
		return ErrState
	case v.Asked.same(by) || v.isGuest(by.Person):
		return ErrSamePerson
	case untilMS <= v.UntilMS || untilMS <= nowMS || untilMS-v.FromMS > 2*s.Settings.MaxWindowMS:
		return ErrWindow.at("until")
	}
	if err := free("reason", reason, maxText, true); err != nil {
		return err
	}
	v.UntilMS, v.Extended = untilMS, by.step(nowMS, reason)
	return nil
}

// ChangeWorker replaces guest i by a substitute on the day (VE-12). by acts for the owning section. The one who is replaced
// stays in the record.
func (v *Visit) ChangeWorker(i int, with Guest, by Actor, nowMS int64, reason string, s *Site) error {
	switch {
	case v.State != Approved && v.State != Running:
		return ErrState
	case i < 0 || i >= len(v.Guests) || v.Guests[i].Received() || v.Guests[i].Replaced.Done():
		return ErrState.at("guest")
	case len(v.Guests) >= MaxGuests+10:
		return ErrTooMany.at("guests")
	case nowMS >= v.UntilMS:
		return ErrTooLate
	}
	if err := free("reason", reason, maxText, true); err != nil {
		return err
	}
	g := Guest{Name: with.Name, Kana: with.Kana, Company: with.Company, Category: with.Category, Kind: with.Kind, Person: with.Person, Substitute: true}
	if g.Company == "" {
		g.Company = v.Guests[i].Company
	}
	if err := v.checkGuest(&g, s, true); err != nil {
		return err
	}
	guests := append([]Guest(nil), v.Guests...) // a refusal later on must find the old ones
	guests[i].Replaced = by.step(nowMS, reason)
	v.Guests = append(guests, g)
	return nil
}

// Urgent makes a visit that somebody approved by phone (口頭承認): the receptionist records who. It has to be confirmed
// until the closing time of the next open day (VE-12).
func Urgent(app Application, approver directory.PersonID, by Actor, nowMS int64, s *Site) (Visit, []string, error) {
	v, warnings, err := Apply(app, by, nowMS, s)
	switch {
	case err != nil:
		return Visit{}, nil, err
	case s.staff(approver) == nil:
		return Visit{}, nil, ErrNotStaff.at("approver")
	case approver == by.Person || v.isGuest(approver):
		return Visit{}, nil, ErrSamePerson.at("approver")
	}
	v.State = Approved
	v.Oral = &Oral{Approver: approver, DueMS: s.nextClosing(nowMS, 1)}
	return v, warnings, nil
}

// ConfirmOral confirms an approval by phone; denied says that it was not given. Nobody confirms what they recorded
// themselves. A visit whose approval is denied lets nobody in any more.
func (v *Visit) ConfirmOral(denied bool, by Actor, nowMS int64, note string) error {
	switch {
	case v.Oral == nil || v.Oral.Confirmed.Done() || v.Oral.Denied.Done():
		return ErrState
	case v.Asked.same(by) || v.isGuest(by.Person):
		return ErrSamePerson
	}
	if err := free("note", note, maxText, denied); err != nil {
		return err
	}
	o := *v.Oral
	if denied {
		o.Denied = by.step(nowMS, note)
		if v.State == Approved { // nobody has come yet; a running visit is seen off by reception
			v.State, v.Ended = Withdrawn, by.step(nowMS, note)
		}
	} else {
		o.Confirmed = by.step(nowMS, note)
	}
	v.Oral = &o
	return nil
}

// Expire ends, by a job, a visit that nobody came to.
func (v *Visit) Expire(nowMS int64) bool {
	switch {
	case v.State == Approved && nowMS >= v.UntilMS:
		v.State = NoShow
	case v.State == Applied && nowMS >= v.UntilMS:
		v.State = Refused // nobody has decided in time; nobody was let in
	default:
		return false
	}
	v.Ended = Step{AtMS: nowMS}
	return true
}
