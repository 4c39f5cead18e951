package story

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"monban/firmware/access"
	"monban/server/directory"
	"monban/server/visit"
)

func (r *runner) permit(l Line, w []string) error {
	plain, opts, by, err := r.deskWords(l, w, 1, 1)
	if err != nil {
		return err
	}
	var p visit.Permit
	for k, at := range map[string]*int{"from": &p.FromS, "until": &p.ToS} {
		t, err := time.Parse("15:04", opts[k])
		if err != nil {
			return l.fault("%s: %q is not a time such as 22:00", k, opts[k])
		}
		*at = t.Hour()*3600 + t.Minute()*60
	}
	if p.Days = directory.DayWeekdays; opts["days"] == "every" {
		p.Days = directory.DayEvery
	}
	for _, k := range []string{"from", "until", "days"} {
		delete(opts, k)
	}
	app, err := r.application(l, opts)
	if err != nil {
		return err
	}
	p.Type, p.Purpose, p.System, p.Zones, p.Section, p.Company = app.Type, app.Purpose, app.System, app.Zones, app.Section, app.Company
	p.Contract, p.Attendee, p.Guests = app.Contract, app.Attendee, app.Guests
	id, warned, err := r.w.ApplyPermit(p, by)
	return r.named(plain[0], id, warned, err)
}

func (r *runner) come(l Line, w []string) error {
	plain, opts, by, err := r.deskWords(l, w, 2, 2)
	if err != nil || len(opts) > 0 {
		return r.or(err, l)
	}
	permit, err := r.matter(plain[0])
	if err != nil {
		return err
	}
	id, err := r.w.VisitFromPermit(permit, by)
	return r.named(plain[1], id, nil, err)
}

func (r *runner) temporary(l Line, w []string) error {
	plain, opts, by, err := r.deskWords(l, w, 2, 2)
	if err != nil {
		return err
	}
	pin := opts["pin"]
	if delete(opts, "pin"); len(opts) > 0 {
		return r.usage(l)
	}
	id, err := r.w.IssueTemporary(visit.TemporaryRequest{Person: directory.PersonID(plain[0]), Identity: visit.KnownInPerson}, plain[1], pin, by)
	return r.named(plain[1], id, nil, err)
}

func (r *runner) stop(l Line, w []string) error {
	plain, opts, by, err := r.deskWords(l, w, 1, 2)
	if err != nil || len(plain) == 2 && plain[1] != "lost" {
		return r.or(err, l)
	}
	card, err := r.w.CardOf(plain[0])
	if err != nil {
		return err
	}
	var sure int64
	if opts["sure"] != "" {
		if sure, err = r.ms(l, opts["sure"], 0); err != nil {
			return err
		}
	}
	if delete(opts, "sure"); len(opts) > 0 {
		return r.usage(l)
	}
	id, err := r.w.SuspendCard(card, len(plain) == 2, sure, "not where it should be", by)
	return r.named(plain[0], id, nil, err)
}

func (r *runner) mine(l Line, w []string) error {
	plain, opts, by, err := r.deskWords(l, w, 3, 3)
	if err != nil || len(opts) > 0 || plain[2] != "yes" && plain[2] != "no" {
		return r.or(err, l)
	}
	id, err := r.matter(plain[0])
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(plain[1])
	if err != nil {
		return r.usage(l)
	}
	return r.step(r.w.AnswerEntry(id, n, plain[2] == "yes", by))
}

func (r *runner) emergency(l Line, w []string) error {
	plain, opts, by, err := r.deskWords(l, w, 1, 2)
	if err != nil || len(plain) == 2 && plain[1] != "glass" {
		return r.or(err, l)
	}
	var zones []access.ZoneID
	for _, z := range words(opts["zone"]) {
		zones = append(zones, access.ZoneID(z))
	}
	var persons []directory.PersonID
	for _, p := range words(opts["persons"]) {
		persons = append(persons, directory.PersonID(p))
	}
	var d time.Duration
	if opts["for"] != "" {
		if d, err = time.ParseDuration(opts["for"]); err != nil {
			return l.fault("%q is not a duration such as 30m", opts["for"])
		}
	}
	id, err := r.w.DeclareEmergency(zones, persons, d.Milliseconds(), len(plain) == 2, by)
	return r.named(plain[0], id, nil, err)
}

// carry reads a session; item=… stands in the order of the line, so options are read by hand.
func (r *runner) carry(l Line, w []string) error {
	plain, opts, by, err := r.deskWords(l, w, 2, 2)
	if err != nil {
		return err
	}
	c := visit.Carry{
		Direction: visit.Direction(plain[1]), Zone: access.ZoneID(opts["zone"]), To: access.ZoneID(opts["to"]), Purpose: "equipment",
		Attendee: directory.PersonID(opts["attendee"]), Authorization: opts["authorization"],
		Impact: visit.Impact{Result: opts["impact"], Checker: directory.PersonID(opts["checker"])},
	}
	for _, d := range words(opts["doors"]) {
		c.Doors = append(c.Doors, access.DoorID(d))
	}
	if v := opts["visit"]; v != "" {
		if c.Visit, err = r.matter(v); err != nil {
			return err
		}
	}
	if c.Items, err = items(l, words(opts["items"])); err != nil {
		return err
	}
	for k := range opts {
		if !slices.Contains([]string{"zone", "to", "attendee", "authorization", "impact", "checker", "doors", "visit", "items"}, k) {
			return l.fault("a carry session has no %q; see docs/stories.md", k)
		}
	}
	id, warned, err := r.w.OpenCarry(c, by)
	return r.named(plain[0], id, warned, err)
}

// items reads things as WHAT[:SERIAL][:stays][:data][:PROTECTION after data]; a number in place of a serial is a count.
func items(l Line, list []string) (out []visit.Item, err error) {
	for _, w := range list {
		parts := strings.Split(w, ":")
		x := visit.Item{What: parts[0]}
		for _, p := range parts[1:] {
			k, v, _ := strings.Cut(p, "/")
			switch k {
			case "serial":
				x.Serial = v
			case "asset":
				x.Asset = v
			case "count":
				if x.Count, err = strconv.Atoi(v); err != nil {
					return nil, l.fault("%q is not a count", v)
				}
			case "stays":
				x.Stays = true
			case "data":
				x.Medium, x.PersonalData = true, true
			case "protection":
				x.Protection = v
			default:
				return nil, l.fault("a thing is written WHAT:serial/NUMBER:asset/NUMBER:count/N:stays:data:protection/HOW, not %q", w)
			}
		}
		out = append(out, x)
	}
	return out, nil
}

func (r *runner) items(l Line, w []string) error {
	if len(w) < 2 {
		return r.usage(l)
	}
	id, err := r.matter(w[0])
	if err != nil {
		return err
	}
	list, err := items(l, w[1:])
	if err != nil {
		return err
	}
	r.warned, err = r.w.SetCarryItems(id, list, r.actor(""))
	return r.step(err)
}

func (r *runner) lendKey(l Line, w []string) error {
	plain, opts, by, err := r.deskWords(l, w, 2, 2)
	if err != nil || len(opts) > 0 {
		return r.or(err, l)
	}
	id, err := r.w.LendKey(plain[0], directory.PersonID(plain[1]), by)
	return r.named(plain[0], id, nil, err)
}

func (r *runner) keyBack(l Line, w []string) error {
	plain, opts, by, err := r.deskWords(l, w, 1, 2)
	if err != nil || len(opts) > 0 || len(plain) == 2 && plain[1] != "lost" {
		return r.or(err, l)
	}
	id, err := r.matter(plain[0])
	if err != nil {
		return err
	}
	return r.step(r.w.ReturnKey(id, len(plain) == 2, by))
}
