package directory

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"monban/firmware/card"
)

// Op is what a change does.
type Op string

// Ops.
const (
	OpAdd    Op = "add"
	OpChange Op = "change"
	OpRemove Op = "remove"
)

// Change is one row added, changed or removed. Exactly one of the pointers is set: the row as it
// will be, or, for a removal, as it was.
type Change struct {
	Op     Op
	Fields []Field // what differs, for people to read; card and PIN references appear as words only

	Person     *Person
	Credential *Credential
	Zone       *Zone
	Door       *Door
	Gateway    *Gateway
	Schedule   *Schedule
	Grant      *Grant
	ClosedDay  *ClosedDay
	Group      *Group
	Contract   *Contract
	Exception  *Exception
	Conditions *Conditions
	Item       *Item
	Enrolment  *Enrolment
	Round      *Round
	Transfer   *Transfer
}

// Field is one value before and after.
type Field struct{ Name, Was, Is string }

// Noun gives the kind of row in one word: person, card, zone, door, gateway, schedule, grant,
// closed_day, group, contract, exception, conditions, item, enrolment, recertification, transfer.
func (c *Change) Noun() string { n, _ := c.row(); return n }

// ID gives the row's identifier.
func (c *Change) ID() string { _, id := c.row(); return id }

func (c *Change) row() (noun, id string) {
	switch {
	case c.Person != nil:
		return "person", string(c.Person.ID)
	case c.Credential != nil:
		return "card", string(c.Credential.ID)
	case c.Zone != nil:
		return "zone", string(c.Zone.ID)
	case c.Door != nil:
		return "door", string(c.Door.ID)
	case c.Gateway != nil:
		return "gateway", string(c.Gateway.ID)
	case c.Schedule != nil:
		return "schedule", string(c.Schedule.ID)
	case c.Grant != nil:
		return "grant", string(c.Grant.ID)
	case c.ClosedDay != nil:
		return "closed_day", c.ClosedDay.Day.String()
	case c.Group != nil:
		return "group", string(c.Group.ID)
	case c.Contract != nil:
		return "contract", string(c.Contract.ID)
	case c.Exception != nil:
		return "exception", string(c.Exception.ID)
	case c.Conditions != nil:
		return "conditions", strconv.FormatUint(uint64(c.Conditions.Version), 10)
	case c.Item != nil:
		return "item", string(c.Item.ID)
	case c.Enrolment != nil:
		return "enrolment", c.Enrolment.key()
	case c.Round != nil:
		return "recertification", string(c.Round.ID)
	case c.Transfer != nil:
		return "transfer", string(c.Transfer.Person)
	}
	return "", ""
}

// Subject is the person a change is about, "" when it is about nobody.
func (c *Change) Subject() PersonID {
	switch {
	case c.Person != nil:
		return c.Person.ID
	case c.Credential != nil:
		return c.Credential.Person
	case c.Grant != nil:
		return c.Grant.Person
	case c.Enrolment != nil:
		return c.Enrolment.Person
	case c.Transfer != nil:
		return c.Transfer.Person
	case c.Exception != nil && c.Exception.Subject == "person":
		return PersonID(c.Exception.SubjectID)
	}
	return ""
}

// String is one line of a dry run: "change card C-014: status active → suspended".
func (c *Change) String() string {
	noun, id := c.row()
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s", c.Op, noun, id)
	for i, f := range c.Fields {
		sep := ", "
		if i == 0 {
			sep = ": "
		}
		if c.Op == OpChange {
			fmt.Fprintf(&b, "%s%s %s → %s", sep, f.Name, orNone(f.Was), orNone(f.Is))
		} else {
			fmt.Fprintf(&b, "%s%s %s", sep, f.Name, f.Is)
		}
	}
	return b.String()
}

func orNone(s string) string {
	if s == "" {
		return "(none)"
	}
	return s
}

// Diff lists what has to change to get from base to next, in the order in which rows can be written
// without a reference that leads nowhere: additions and changes in reading order, then removals.
func Diff(base, next Snapshot) []Change {
	var d differ
	compare(&d, base.Zones, next.Zones, same, zoneFields, func(z Zone) string { return string(z.ID) }, func(c *Change, z *Zone) { c.Zone = z })
	compare(&d, base.Gateways, next.Gateways, same, gatewayFields, func(g Gateway) string { return string(g.ID) }, func(c *Change, g *Gateway) { c.Gateway = g })
	compare(&d, base.Schedules, next.Schedules, sameSchedule, scheduleFields, func(s Schedule) string { return string(s.ID) }, func(c *Change, s *Schedule) { c.Schedule = s })
	compare(&d, base.ClosedDays, next.ClosedDays, same, closedDayFields, func(x ClosedDay) string { return x.Day.String() }, func(c *Change, x *ClosedDay) { c.ClosedDay = x })
	compare(&d, base.Conditions, next.Conditions, same, conditionsFields, func(x Conditions) string { return fmt.Sprint(x.Version) }, func(c *Change, x *Conditions) { c.Conditions = x })
	compare(&d, base.People, next.People, same, personFields, func(p Person) string { return string(p.ID) }, func(c *Change, p *Person) { c.Person = p })
	compare(&d, base.Groups, next.Groups, Group.equal, groupFields, func(g Group) string { return string(g.ID) }, func(c *Change, g *Group) { c.Group = g })
	compare(&d, base.Contracts, next.Contracts, Contract.equal, contractFields, func(x Contract) string { return string(x.ID) }, func(c *Change, x *Contract) { c.Contract = x })
	compare(&d, base.Credentials, next.Credentials, same, credentialFields, func(x Credential) string { return string(x.ID) }, func(c *Change, x *Credential) { c.Credential = x })
	compare(&d, base.Doors, next.Doors, same, doorFields, func(x Door) string { return string(x.ID) }, func(c *Change, x *Door) { c.Door = x })
	compare(&d, base.Exceptions, next.Exceptions, same, exceptionFields, func(x Exception) string { return string(x.ID) }, func(c *Change, x *Exception) { c.Exception = x })
	compare(&d, base.Grants, next.Grants, same, grantFields, func(g Grant) string { return string(g.ID) }, func(c *Change, g *Grant) { c.Grant = g })
	compare(&d, base.Items, next.Items, same, itemFields, func(x Item) string { return string(x.ID) }, func(c *Change, x *Item) { c.Item = x })
	compare(&d, base.Enrolments, next.Enrolments, same, enrolmentFields, Enrolment.key, func(c *Change, x *Enrolment) { c.Enrolment = x })
	compare(&d, base.Rounds, next.Rounds, Round.equal, roundFields, func(x Round) string { return string(x.ID) }, func(c *Change, x *Round) { c.Round = x })
	compare(&d, base.Transfers, next.Transfers, same, transferFields, func(x Transfer) string { return string(x.Person) }, func(c *Change, x *Transfer) { c.Transfer = x })
	slices.Reverse(d.removed) // grants before the people they name
	return append(d.changes, d.removed...)
}

type differ struct{ changes, removed []Change }

func same[T comparable](a, b T) bool { return a == b }

func sameSchedule(a, b Schedule) bool {
	return a.ID == b.ID && a.Name == b.Name && a.NameEN == b.NameEN && slices.Equal(a.Windows, b.Windows) &&
		a.ValidFrom == b.ValidFrom && a.ValidUntil == b.ValidUntil && slices.EqualFunc(a.Dates, b.Dates, DateHours.equal)
}

// compare appends the changes of one noun. fields gives the values people see, in a fixed order.
func compare[T any](d *differ, base, next []T, equal func(a, b T) bool, fields func(T) []Field, id func(T) string, set func(*Change, *T)) {
	old := make(map[string]T, len(base))
	for _, v := range base {
		old[id(v)] = v
	}
	for _, v := range next {
		was, existed := old[id(v)]
		delete(old, id(v))
		if existed && equal(was, v) {
			continue
		}
		c := Change{Op: OpAdd}
		set(&c, &v)
		is := fields(v)
		if !existed {
			for _, f := range is {
				if f.Is != "" {
					c.Fields = append(c.Fields, f)
				}
			}
		} else {
			c.Op = OpChange
			for i, f := range fields(was) {
				if f.Is != is[i].Is {
					c.Fields = append(c.Fields, Field{Name: f.Name, Was: f.Is, Is: is[i].Is})
				}
			}
		}
		d.changes = append(d.changes, c)
	}
	for _, v := range base {
		if _, gone := old[id(v)]; gone {
			c := Change{Op: OpRemove}
			set(&c, &v)
			d.removed = append(d.removed, c)
		}
	}
}

// list makes fields of names and values in turn.
func list(pairs ...string) []Field {
	var out []Field
	for i := 0; i+1 < len(pairs); i += 2 {
		out = append(out, Field{Name: pairs[i], Is: pairs[i+1]})
	}
	return out
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func gatewayFields(g Gateway) []Field { return list("name", g.Name, "key_mode", string(g.KeyMode)) }

func scheduleFields(s Schedule) []Field {
	var w []string
	for _, x := range s.Windows {
		w = append(w, x.String())
	}
	var dates []string
	for _, d := range s.Dates {
		dates = append(dates, d.String())
	}
	return list("name", s.Name, "name_en", s.NameEN, "windows", strings.Join(w, "; "), "first_day", s.ValidFrom.String(), "last_day", s.ValidUntil.String(),
		"dates", strings.Join(dates, "; "))
}

func closedDayFields(c ClosedDay) []Field { return list("name", c.Name) }

func doorFields(x Door) []Field {
	return list("name", x.Name, "name_en", x.NameEN, "gateway_id", string(x.Gateway), "enter_zone", string(x.Enter),
		"exit_zone", string(x.Exit), "kind", DoorKindName(x.Kind), "exit", ExitSensingName(x.Sensing), "offline", x.Offline.String(),
		"max_age", x.MaxAge.String(), "mode", x.Mode.String(), "guards_server", yesOrNone(x.GuardsServer),
		"recovery_cards", x.Recovery.String(), "remote_unlock", x.Remote.String(), "interlock", string(x.Interlock))
}

// yesOrNone is "" for the ordinary case, which a dry run need not mention.
func yesOrNone(b bool) string {
	if b {
		return "yes"
	}
	return ""
}

// credentialFields shows that a card or PIN changed, never what it is.
func credentialFields(c Credential) []Field {
	return list("person_id", string(c.Person), "card", c.Masked, "format", c.Format, "assurance", c.Assurance.String(),
		"status", c.Status.String(), "valid_from", c.ValidFrom.String(), "valid_until", c.ValidUntil.String(),
		"pin", isSet(c.PIN), "duress_pin", isSet(c.Duress))
}

func isSet(p card.PINRef) string {
	if p == (card.PINRef{}) {
		return ""
	}
	return "set"
}

func wordOf[T comparable](words []word[T], v T) string {
	for _, w := range words {
		if w.value == v {
			name, _, _ := strings.Cut(w.names, " ")
			return name
		}
	}
	return ""
}

// String gives "mon-fri 08:30–17:15" for a dry run; days as bits of Day.
func (w Window) String() string {
	names := [...]string{"mon", "tue", "wed", "thu", "fri", "sat", "sun", "closed"}
	var days []string
	for i, n := range names {
		if w.Days&(1<<i) != 0 {
			days = append(days, n)
		}
	}
	return strings.Join(days, " ") + " " + w.hours()
}

func (w Window) hours() string {
	return fmt.Sprintf("%02d:%02d–%02d:%02d", w.From/3600, w.From/60%60, w.To/3600, w.To/60%60)
}

// String gives "2026-12-24 09:00–12:00", or "2026-12-24 none" where nobody enters.
func (h DateHours) String() string {
	words := []string{h.Day.String()}
	for _, w := range h.Windows {
		words = append(words, w.hours())
	}
	if len(h.Windows) == 0 {
		words = append(words, "none")
	}
	return strings.Join(words, " ")
}

// ModesOnly reports whether changes concern nothing but door modes, so that only the `modes` part of
// the policy moves (D13).
func ModesOnly(changes []Change) bool {
	for i := range changes {
		c := &changes[i]
		if c.Door == nil || c.Op != OpChange || len(c.Fields) != 1 || c.Fields[0].Name != "mode" {
			return false
		}
	}
	return len(changes) > 0
}
