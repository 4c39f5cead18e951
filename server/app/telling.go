package app

import (
	"cmp"
	"context"
	"strings"

	"monban/firmware/access"
	"monban/server/directory"
	"monban/server/web"
)

// teller says changes of the directory with the names that people use.
type teller struct {
	dir       *directory.Snapshot
	names     names
	people    map[directory.PersonID]string
	groups    map[directory.GroupID]string
	schedules map[directory.ScheduleID]string
}

func (p *peoplePages) teller(ctx context.Context, dir *directory.Snapshot) *teller {
	english := web.LanguageOf(ctx) == web.English
	t := &teller{dir: dir, names: p.pages.names(ctx), people: map[directory.PersonID]string{}, groups: map[directory.GroupID]string{}, schedules: map[directory.ScheduleID]string{}}
	for i := range dir.People {
		t.people[dir.People[i].ID] = dir.People[i].Name
	}
	for i := range dir.Groups {
		g := &dir.Groups[i]
		t.groups[g.ID] = g.Name
		if english && g.NameEN != "" {
			t.groups[g.ID] = g.NameEN
		}
	}
	for i := range dir.Schedules {
		x := &dir.Schedules[i]
		t.schedules[x.ID] = x.Name
		if english && x.NameEN != "" {
			t.schedules[x.ID] = x.NameEN
		}
	}
	return t
}

func (t *teller) changes(list []directory.Change) (out []web.RegChange) {
	for i := range list {
		// Of people and schedules that come with the same change, so that those who are not there yet have a name too.
		if x := list[i].Person; x != nil && list[i].Op != directory.OpRemove {
			t.people[x.ID] = x.Name
		}
	}
	for i := range list {
		out = append(out, t.change(&list[i]))
	}
	return out
}

func named(name, id string) string {
	if name == "" || name == id {
		return id
	}
	return name + " (" + id + ")"
}

func (t *teller) zone(id access.ZoneID) string { return cmp.Or(t.names.zones[id].Name, string(id)) }

func (t *teller) change(c *directory.Change) web.RegChange {
	x := web.RegChange{Op: string(c.Op), Noun: c.Noun(), ID: c.ID()}
	switch {
	case c.Person != nil:
		x.Name = named(c.Person.Name, x.ID)
	case c.Credential != nil:
		x.Name = named(t.people[c.Credential.Person], x.ID)
	case c.Grant != nil:
		x.Zones = []access.ZoneID{c.Grant.Zone}
		who := named(t.people[c.Grant.Person], string(c.Grant.Person))
		if c.Grant.Group != "" {
			who = cmp.Or(t.groups[c.Grant.Group], string(c.Grant.Group))
		}
		x.Name = who + " → " + t.zone(c.Grant.Zone)
	case c.Zone != nil:
		x.Zones, x.Name = []access.ZoneID{c.Zone.ID}, named(c.Zone.Name, x.ID)
	case c.Door != nil:
		x.Zones, x.Name = []access.ZoneID{c.Door.Enter}, named(c.Door.Name, x.ID)
	case c.Round != nil:
		x.Zones, x.Name = []access.ZoneID{c.Round.Zone}, t.zone(c.Round.Zone)
	case c.Schedule != nil:
		x.Name = named(c.Schedule.Name, x.ID)
	case c.Group != nil:
		x.Name = named(c.Group.Name, x.ID)
	case c.Contract != nil:
		x.Name = named(c.Contract.Company, x.ID)
	case c.Transfer != nil:
		x.Name = named(t.people[c.Transfer.Person], x.ID)
	case c.ClosedDay != nil:
		x.Name = c.ClosedDay.Day.String() + " " + c.ClosedDay.Name
	}
	for _, f := range c.Fields {
		x.Fields = append(x.Fields, web.RegField{Name: f.Name, Was: t.value(f.Name, f.Was), Is: t.value(f.Name, f.Is)})
	}
	return x
}

// value gives a row that a value means its name.
func (t *teller) value(field, value string) string {
	if value == "" {
		return ""
	}
	switch field {
	case "person_id":
		return named(t.people[directory.PersonID(value)], value)
	case "group_id":
		return cmp.Or(t.groups[directory.GroupID(value)], value)
	case "zone_id", "zone", "parent", "enter_zone", "exit_zone":
		return t.zone(access.ZoneID(value))
	case "schedule_id":
		return cmp.Or(t.schedules[directory.ScheduleID(value)], value)
	case "members", "workers":
		var out []string
		for id := range strings.FieldsSeq(value) {
			out = append(out, named(t.people[directory.PersonID(id)], id))
		}
		return strings.Join(out, ", ")
	}
	return value
}
