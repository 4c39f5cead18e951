package story

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"monban/firmware/access"
	"monban/server/directory"
	"monban/server/visit"
)

// deskVerbs are the lines that happen at reception's counter, at an officer's desk or on My page. Each is one step of
// server/visit on the site's directory. Who does it stands in by=; without it reception does.
func deskVerbs() map[string]verb {
	return map[string]verb{
		"apply":        {"apply VISIT key=value …", (*runner).apply, false},
		"approve":      {"approve VISIT|PERMIT by=WHO", (*runner).approve, false},
		"turn-down":    {"turn-down VISIT by=WHO", r1(func(r *runner, d deed) error { return r.w.RefuseVisit(d.id, "not now", d.by) }), false},
		"extend":       {"extend VISIT TIME by=WHO", (*runner).extend, false},
		"confirm":      {"confirm VISIT by=WHO", r1(func(r *runner, d deed) error { return r.w.ConfirmOral(d.id, true, d.by) }), false},
		"disown":       {"disown VISIT by=WHO", r1(func(r *runner, d deed) error { return r.w.ConfirmOral(d.id, false, d.by) }), false},
		"substitute":   {"substitute VISIT GUEST OTHER by=WHO", (*runner).substitute, false},
		"receive":      {"receive VISIT GUEST BADGE [key=value …]", (*runner).receive, false},
		"take-back":    {"take-back BADGE [lost]", (*runner).takeBack, false},
		"carry-by":     {"carry-by VISIT PERSON", (*runner).carryBy, false},
		"heads":        {"heads VISIT in|out N", (*runner).heads, false},
		"left":         {"left VISIT GUEST NOTE", (*runner).left, false},
		"finish":       {"finish VISIT [NOTE]", (*runner).finish, false},
		"permit":       {"permit PERMIT key=value …", (*runner).permit, false},
		"come":         {"come PERMIT VISIT", (*runner).come, false},
		"temporary":    {"temporary PERSON BADGE [pin=DIGITS]", (*runner).temporary, false},
		"stop":         {"stop CARD [lost] [sure=TIME] by=WHO", (*runner).stop, false},
		"mine":         {"mine CARD N yes|no by=WHO", (*runner).mine, false},
		"found":        {"found CARD by=WHO", r1(func(r *runner, d deed) error { return r.w.AskResume(d.id, "it was found", d.by) }), false},
		"resume":       {"resume CARD by=WHO", r1(func(r *runner, d deed) error { return r.w.ResumeCard(d.id, d.by) }), false},
		"emergency":    {"emergency NAME zone=ZONE persons=PERSON,… [for=DURATION] [glass] by=WHO", (*runner).emergency, false},
		"agree":        {"agree NAME by=WHO", r1(func(r *runner, d deed) error { return r.w.AgreeEmergency(d.id, d.by) }), false},
		"stand-down":   {"stand-down NAME by=WHO", r1(func(r *runner, d deed) error { return r.w.EndEmergency(d.id, d.by) }), false},
		"report":       {"report NAME by=WHO", r1(func(r *runner, d deed) error { return r.w.ReportEmergency(d.id, "what was done", d.by) }), false},
		"carry":        {"carry NAME in|out|move key=value …", (*runner).carry, false},
		"items":        {"items NAME ITEM …", (*runner).items, false},
		"carried":      {"carried NAME", r1(func(r *runner, d deed) error { return r.w.ShutCarry(d.id, d.by) }), false},
		"settle":       {"settle NAME by=WHO", r1(func(r *runner, d deed) error { return r.w.SettleCarry(d.id, "it stays", d.by) }), false},
		"lend-key":     {"lend-key KEY PERSON", (*runner).lendKey, false},
		"key-back":     {"key-back KEY [lost]", (*runner).keyBack, false},
		"says-purpose": {"says-purpose PERSON TEXT", (*runner).saysPurpose, false},
	}
}

// deed is a step of one matter.
type deed struct {
	id string
	by visit.Actor
}

// r1 is a verb that takes the name of a matter and who does it.
func r1(do func(r *runner, d deed) error) func(r *runner, l Line, w []string) error {
	return func(r *runner, l Line, w []string) error {
		plain, opts, by, err := r.deskWords(l, w, 1, 1)
		if err != nil || len(opts) > 0 {
			return r.or(err, l)
		}
		id, err := r.matter(plain[0])
		if err != nil {
			return err
		}
		return r.step(do(r, deed{id, by}))
	}
}

func (r *runner) or(err error, l Line) error {
	if err == nil {
		err = r.usage(l)
	}
	return err
}

// deskWords takes who acts out of the options.
func (r *runner) deskWords(l Line, w []string, least, most int) (plain []string, opts map[string]string, by visit.Actor, err error) {
	plain, opts = options(w)
	if len(plain) < least || len(plain) > most {
		return nil, nil, by, r.usage(l)
	}
	by = r.actor(opts["by"])
	delete(opts, "by")
	return plain, opts, by, nil
}

// actor is a person of the directory with an account, or an account of nobody there: reception, guard.
func (r *runner) actor(who string) visit.Actor {
	if who == "" {
		who = "reception"
	}
	a := visit.Actor{Account: "account-" + who, From: "lan"}
	if r.w.Person(who) {
		a.Person = directory.PersonID(who)
	}
	return a
}

// matter is what the story calls a matter by.
func (r *runner) matter(name string) (string, error) {
	id, ok := r.matters[name]
	if !ok {
		return "", errors.New("nothing that was begun is called " + strconv.Quote(name) + "; there are " + list(slices.Sorted(maps.Keys(r.matters))))
	}
	return id, nil
}

// step keeps a refusal for the expectation that follows; other errors are faults of the story.
func (r *runner) step(err error) error {
	var refused *visit.Error
	if errors.As(err, &refused) {
		r.refused = refused
		return nil
	}
	return err
}

// named is step of what begins a matter.
func (r *runner) named(name, id string, warned []string, err error) error {
	if r.warned = warned; err == nil {
		r.matters[name] = id
	}
	return r.step(err)
}

// ms reads a time as 09:30 (today) or 2026-11-25/09:30; one that is not after `after` is meant a day later.
func (r *runner) ms(l Line, word string, after int64) (int64, error) {
	date, clock, dated := strings.Cut(word, "/")
	if !dated {
		date, clock = r.w.Wall().In(r.zone).Format(time.DateOnly), word
	}
	t, err := moment(date, clock, r.zone)
	if err != nil {
		return 0, l.fault("%q is not a time such as 22:00 or 2026-11-25/05:00", word)
	}
	if !dated && t.UnixMilli() <= after {
		t = t.AddDate(0, 0, 1)
	}
	return t.UnixMilli(), nil
}

// words splits a list a,b,c; "" is none.
func words(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}

// application reads the options that an application and a permit share.
func (r *runner) application(l Line, opts map[string]string) (visit.Application, error) {
	app := visit.Application{
		Type: visit.Work, Purpose: "disk exchange", System: "residents", Section: "section", Company: "ACME",
		Attendee: directory.PersonID(opts["attendee"]), Contract: opts["contract"],
	}
	for _, z := range words(opts["zone"]) {
		app.Zones = append(app.Zones, access.ZoneID(z))
	}
	for _, g := range words(opts["workers"]) {
		app.Guests = append(app.Guests, r.guest(g, directory.Contractor))
	}
	for _, g := range words(opts["visitors"]) {
		app.Guests = append(app.Guests, r.guest(g, directory.Visitor))
	}
	for k, v := range opts {
		switch k {
		case "attendee", "contract", "zone", "workers", "visitors":
		case "type":
			app.Type = visit.Type(v)
		case "purpose":
			app.Purpose = v
		case "company":
			app.Company = v
		case "heads":
			n, err := strconv.Atoi(v)
			if err != nil {
				return app, l.fault("heads: %q is not a number", v)
			}
			app.Heads = n
		default:
			return app, r.usage(l)
		}
	}
	return app, nil
}

// guest is a worker whom the directory knows, by person id, or somebody by name.
func (r *runner) guest(name string, c directory.Category) visit.Guest {
	g := visit.Guest{Name: name, Category: c}
	if r.w.Person(name) {
		g.Person = directory.PersonID(name)
	}
	return g
}

func (r *runner) apply(l Line, w []string) error {
	plain, opts, by, err := r.deskWords(l, w, 1, 1)
	if err != nil {
		return err
	}
	from, until, phone := opts["from"], opts["until"], opts["phone"]
	delete(opts, "from")
	delete(opts, "until")
	delete(opts, "phone")
	app, err := r.application(l, opts)
	if err != nil {
		return err
	}
	if app.FromMS, err = r.ms(l, from, 0); err != nil {
		return err
	}
	if app.UntilMS, err = r.ms(l, until, app.FromMS); err != nil {
		return err
	}
	id, warned, err := r.w.ApplyVisit(app, directory.PersonID(phone), by)
	return r.named(plain[0], id, warned, err)
}

func (r *runner) approve(l Line, w []string) error {
	plain, opts, by, err := r.deskWords(l, w, 1, 1)
	if err != nil || len(opts) > 0 {
		return r.or(err, l)
	}
	id, err := r.matter(plain[0])
	if err != nil {
		return err
	}
	if strings.HasPrefix(id, visit.KindPermit+"-") {
		return r.step(r.w.GrantPermit(id, by))
	}
	return r.step(r.w.ApproveVisit(id, by))
}

func (r *runner) extend(l Line, w []string) error {
	plain, opts, by, err := r.deskWords(l, w, 2, 2)
	if err != nil || len(opts) > 0 {
		return r.or(err, l)
	}
	id, err := r.matter(plain[0])
	if err != nil {
		return err
	}
	until, err := r.ms(l, plain[1], r.w.Wall().UnixMilli())
	if err != nil {
		return err
	}
	return r.step(r.w.ExtendVisit(id, until, "it takes longer", by))
}

func (r *runner) substitute(l Line, w []string) error {
	plain, opts, by, err := r.deskWords(l, w, 3, 3)
	if err != nil || len(opts) > 0 {
		return r.or(err, l)
	}
	id, i, err := r.visitor(plain)
	if err != nil {
		return err
	}
	return r.step(r.w.ChangeWorker(id, i, r.guest(plain[2], directory.Contractor), by))
}

// visitor reads VISIT GUEST.
func (r *runner) visitor(plain []string) (id string, guest int, err error) {
	if id, err = r.matter(plain[0]); err == nil {
		guest, err = r.w.GuestOf(id, plain[1])
	}
	return id, guest, err
}

func (r *runner) receive(l Line, w []string) error {
	plain, opts, by, err := r.deskWords(l, w, 3, 3)
	if err != nil {
		return err
	}
	id, i, err := r.visitor(plain)
	if err != nil {
		return err
	}
	in := visit.Reception{Guest: i, Identity: visit.CompanyCard}
	conditions := -1
	for k, v := range opts {
		switch k {
		case "carrier":
			in.Carrier = directory.PersonID(v)
		case "identity":
			in.Identity = visit.Identity(strings.TrimSuffix(v, "none"))
		case "conditions":
			if conditions, err = strconv.Atoi(v); err != nil || conditions < 0 {
				return r.usage(l)
			}
		case "pin":
		case "brings": // phone, or computer:exception=EX-1, camera:outside
			for _, x := range words(v) {
				what, how, _ := strings.Cut(x, ":")
				d := visit.Declared{What: what, Personal: true, Outside: how == "outside"}
				if ex, ok := strings.CutPrefix(how, "exception:"); ok {
					d.Exception = ex
				}
				in.Declared = append(in.Declared, d)
			}
		default:
			return r.usage(l)
		}
	}
	return r.step(r.w.ReceiveGuest(id, in, plain[2], conditions, opts["pin"], by))
}

func (r *runner) takeBack(l Line, w []string) error {
	plain, opts, by, err := r.deskWords(l, w, 1, 2)
	if err != nil || len(opts) > 0 || len(plain) == 2 && plain[1] != "lost" {
		return r.or(err, l)
	}
	return r.step(r.w.ReturnBadge(plain[0], len(plain) == 2, by))
}

func (r *runner) carryBy(l Line, w []string) error {
	plain, opts, by, err := r.deskWords(l, w, 2, 2)
	if err != nil || len(opts) > 0 {
		return r.or(err, l)
	}
	id, err := r.matter(plain[0])
	if err != nil {
		return err
	}
	return r.step(r.w.HandOverParty(id, directory.PersonID(plain[1]), by))
}

func (r *runner) heads(l Line, w []string) error {
	plain, opts, by, err := r.deskWords(l, w, 3, 3)
	if err != nil || len(opts) > 0 || plain[1] != "in" && plain[1] != "out" {
		return r.or(err, l)
	}
	id, err := r.matter(plain[0])
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(plain[2])
	if err != nil {
		return r.usage(l)
	}
	return r.step(r.w.CountHeads(id, plain[1] == "out", n, by))
}

func (r *runner) left(l Line, w []string) error {
	plain, opts, by, err := r.deskWords(l, w, 3, 3)
	if err != nil || len(opts) > 0 {
		return r.or(err, l)
	}
	id, i, err := r.visitor(plain)
	if err != nil {
		return err
	}
	return r.step(r.w.GuestLeft(id, i, plain[2], by))
}

func (r *runner) finish(l Line, w []string) error {
	plain, opts, by, err := r.deskWords(l, w, 1, 2)
	if err != nil || len(opts) > 0 {
		return r.or(err, l)
	}
	id, err := r.matter(plain[0])
	if err != nil {
		return err
	}
	note := ""
	if len(plain) == 2 {
		note = plain[1]
	}
	return r.step(r.w.CloseVisit(id, note, by))
}

func (r *runner) saysPurpose(l Line, w []string) error {
	if len(w) != 2 {
		return r.usage(l)
	}
	return r.step(r.w.StatePurpose(r.seen.attempt, w[1], r.actor(w[0])))
}
