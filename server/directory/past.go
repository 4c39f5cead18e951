package directory

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"monban/firmware/access"
)

// Deed is one action leaf about the directory, with what its opening says.
type Deed struct {
	Leaf    int64
	AtMS    int64 // UTC ms
	Account string
	Verb    string // of the leaf: grant_add, proposal_made …
	Noun    string // its target
	ID      string // of the row, from the leaf or its opening
	Text    string // of the opening; "" = erased
}

// Op is what was done with the row; false of another act, as that it was seen or exported.
func (d *Deed) Op() (Op, bool) {
	op, ok := strings.CutPrefix(d.Verb, d.Noun+"_")
	return Op(op), ok && slices.Contains([]Op{OpAdd, OpChange, OpRemove}, Op(op))
}

// row finds the row in the text: reasons stand before it, and may be of several lines. -1 = it cannot be told any more.
func (d *Deed) row(op Op) (at int, head string) {
	head = string(op) + " " + d.Noun + " " + d.ID
	if d.Text == "" || d.ID == "" {
		return -1, head
	}
	return strings.LastIndex("\n"+d.Text, "\n"+head), head
}

// Fields are the values that the act gave the row, in the words of the log and without why: name value, or name was → is.
func (d *Deed) Fields() []string {
	op, _ := d.Op()
	at, head := d.row(op)
	if at < 0 {
		return nil
	}
	return strings.Split(strings.TrimPrefix(d.Text[at+len(head):], ": "), ", ")
}

// Giving is the act that put a right into force, or changed what it gives.
type Giving struct {
	Leaf     int64 // 0 = unknown
	AtMS     int64
	Account  string // who did it, and agreed to it where it was proposed; "" = the command line
	Proposer string // account, "" when nothing was proposed
	Proposal string // its id
	Asked    int64  // leaf of the proposal, 0 = none or unknown
	Reason   string
}

// PastRight is a grant of somebody as it stood on a day.
type PastRight struct {
	Person PersonID
	Grant  Grant
	Group  *Group // nil = the person's own
	Given  Giving // of the grant
	Joined Giving // into the group
	// Inactive says that the person was suspended as a whole.
	Inactive bool
}

// Past is who had which right, folded out of the log in its order (RR-8). It reads no table of the directory, so both can be held against
// each other.
type Past struct {
	grants    map[GrantID]Grant
	given     map[GrantID]Giving
	groups    map[GroupID]Group
	joined    map[GroupID]map[PersonID]Giving
	inactive  map[PersonID]bool
	proposals map[string]int64
	// Unread counts deeds whose content cannot be told any more: erased, or too long for an opening.
	Unread int
}

// NewPast begins before the first leaf.
func NewPast() *Past {
	return &Past{grants: map[GrantID]Grant{}, given: map[GrantID]Giving{}, groups: map[GroupID]Group{}, joined: map[GroupID]map[PersonID]Giving{}, inactive: map[PersonID]bool{}, proposals: map[string]int64{}}
}

// Concerns reports whether a leaf of this target has to be given to Add.
func (p *Past) Concerns(noun string) bool {
	return noun == "grant" || noun == "group" || noun == "person" || noun == "proposal"
}

// Add takes the next leaf.
func (p *Past) Add(d Deed) {
	if d.Noun == "proposal" {
		if d.Verb == "proposal_made" {
			p.proposals[d.ID] = d.Leaf
		}
		return
	}
	op, ok := d.Op()
	if !ok {
		return // another act on such a row: seen, exported
	}
	at, head := d.row(op)
	if at < 0 || len(d.Text) >= openingText-utf8Slack {
		p.Unread++
		return
	}
	g := Giving{Leaf: d.Leaf, AtMS: d.AtMS, Account: d.Account, Reason: strings.TrimSuffix(d.Text[:at], "\n")}
	if reason, note, ok := strings.Cut(g.Reason, "\nproposed by "); ok {
		by, id, _ := strings.Cut(note, ", proposal ")
		g.Reason, g.Proposer, g.Proposal = reason, by, strings.TrimSpace(id)
		g.Asked = p.proposals[g.Proposal]
	}
	fields := strings.TrimPrefix(d.Text[at+len(head):], ": ")
	switch d.Noun {
	case "grant":
		p.grant(GrantID(d.ID), op, fields, g)
	case "group":
		p.group(GroupID(d.ID), op, fields, g)
	case "person":
		for f := range strings.SplitSeq(fields, ", ") {
			switch f {
			case "active no", "active yes → no":
				p.inactive[PersonID(d.ID)] = true
			case "active yes", "active no → yes":
				delete(p.inactive, PersonID(d.ID))
			}
		}
	}
}

// utf8Slack is what clipText may cut off besides, of a letter that does not fit.
const utf8Slack = 3

// values reads the values after a change out of "name value, name was → is, …". The names come in their order; only the last one may
// hold a comma.
func values(op Op, text string, names []string, was map[string]string) map[string]string {
	out := map[string]string{}
	for i, name := range names {
		rest, ok := strings.CutPrefix(text, name+" ")
		if !ok {
			continue
		}
		value := rest
		if i < len(names)-1 {
			value, text, _ = strings.Cut(rest, ", ")
		}
		if op == OpChange {
			value = after(was[name], value)
		}
		out[name] = value
	}
	return out
}

// after reads the new value out of "was → is", where either may hold an arrow too.
func after(was, text string) string {
	is := strings.TrimPrefix(text, orNone(was)+" → ")
	if is == orNone("") {
		return ""
	}
	return is
}

func (p *Past) grant(id GrantID, op Op, text string, by Giving) {
	if op == OpRemove {
		delete(p.grants, id)
		delete(p.given, id)
		return
	}
	g := Grant{ID: id}
	if op == OpChange {
		g = p.grants[id]
	}
	var names []string
	was := map[string]string{}
	for _, f := range grantFields(g) {
		names = append(names, f.Name)
		was[f.Name] = f.Is
	}
	set := values(op, text, names, was)
	gives := op == OpAdd
	for name, v := range set {
		switch name {
		case "person_id":
			g.Person = PersonID(v)
		case "group_id":
			g.Group = GroupID(v)
		case "zone_id":
			g.Zone = access.ZoneID(v)
		case "schedule_id":
			g.Schedule = ScheduleID(v)
		case "valid_from":
			g.ValidFrom, _ = ParseDate(v) // none, as the row had none
		case "valid_until":
			g.ValidUntil, _ = ParseDate(v)
		case "suspended":
			g.Suspended = v == "yes"
			continue
		case "basis":
			g.Basis = v
		}
		gives = true
	}
	g.ID, p.grants[id] = id, g
	if gives {
		g := p.grants[id]
		p.grants[id], p.given[id] = g, by
	}
}

// group reads the members, which stand last; the names before may hold anything.
func (p *Past) group(id GroupID, op Op, text string, by Giving) {
	if op == OpRemove {
		delete(p.groups, id)
		delete(p.joined, id)
		return
	}
	g := p.groups[id]
	g.ID = id
	if at := strings.LastIndex(", "+text, ", members "); at >= 0 {
		list := text[at+len("members "):]
		if op == OpChange {
			list = after(people(g.Members), list)
		}
		was := p.joined[id]
		now := map[PersonID]Giving{}
		g.Members = nil
		for _, m := range strings.Fields(list) {
			g.Members = append(g.Members, PersonID(m))
			if old, there := was[PersonID(m)]; there {
				now[PersonID(m)] = old
			} else {
				now[PersonID(m)] = by
			}
		}
		p.joined[id] = now
	}
	p.groups[id] = g
}

// Member reports whether a person is in a group.
func (p *Past) Member(group GroupID, id PersonID) bool {
	_, in := p.joined[group][id]
	return in
}

// Rights lists who had which grant, by person, zone and grant; also those that had ended or not begun.
func (p *Past) Rights() (out []PastRight) {
	for id, g := range p.grants {
		if g.Group == "" {
			out = append(out, PastRight{Person: g.Person, Grant: g, Given: p.given[id], Inactive: p.inactive[g.Person]})
			continue
		}
		group := p.groups[g.Group]
		for _, m := range group.Members {
			out = append(out, PastRight{Person: m, Grant: g, Group: &group, Given: p.given[id], Joined: p.joined[g.Group][m], Inactive: p.inactive[m]})
		}
	}
	slices.SortFunc(out, func(a, b PastRight) int {
		return cmp.Or(cmp.Compare(a.Person, b.Person), cmp.Compare(a.Grant.Zone, b.Grant.Zone), cmp.Compare(a.Grant.ID, b.Grant.ID))
	})
	return out
}

// Differs lists the grants and groups of a directory that are not as the log tells, by number. With the whole log added and nothing
// unread, it is empty unless somebody changed the directory's tables behind the program's back.
func (p *Past) Differs(s *Snapshot) (out []string) {
	left := maps.Clone(p.grants)
	for _, g := range s.Grants {
		told, there := left[g.ID]
		delete(left, g.ID)
		if !there || told != g {
			out = append(out, string(g.ID))
		}
	}
	for id := range left {
		out = append(out, string(id))
	}
	groups := maps.Clone(p.groups)
	for _, g := range s.Groups {
		told, there := groups[g.ID]
		delete(groups, g.ID)
		if !there || !slices.Equal(told.Members, g.Members) {
			out = append(out, string(g.ID))
		}
	}
	for id := range groups {
		out = append(out, string(id))
	}
	slices.Sort(out)
	return out
}
