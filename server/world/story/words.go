package story

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"monban/firmware/access"
)

// verb is one kind of line. The table below is the language; docs/stories.md describes each row, and a
// test compares the two.
type verb struct {
	usage string
	do    func(r *runner, l Line, words []string) error // words without the verb
	still bool                                          // takes no second of site time
}

func verbs() map[string]verb {
	out := map[string]verb{
		"at":      {"at [DATE] TIME", (*runner).at, true},
		"wait":    {"wait DURATION", (*runner).wait, true},
		"mark":    {"mark", (*runner).mark, true},
		"badge":   {"badge DOOR CARD [exit] [pin=DIGITS]", (*runner).badge, false},
		"pin":     {"pin DOOR DIGITS", (*runner).pin, false},
		"purpose": {"purpose DOOR CODE", (*runner).keyPurpose, false},
		"open": {"open DOOR", func(r *runner, l Line, w []string) error {
			return r.one(l, w, func(d string) error { return r.w.Open(d, true) })
		}, false},
		"close": {"close DOOR", func(r *runner, l Line, w []string) error {
			return r.one(l, w, func(d string) error { return r.w.Open(d, false) })
		}, false},
		"push":        {"push DOOR", func(r *runner, l Line, w []string) error { return r.one(l, w, r.w.RequestExit) }, false},
		"link":        {"link down|up|hang GATEWAY|all", (*runner).link, false},
		"power":       {"power cut|on GATEWAY|server|all", (*runner).power, false},
		"restart":     {"restart GATEWAY|server|broker|all", (*runner).restart, false},
		"clock":       {"clock GATEWAY DURATION", (*runner).clock, true},
		"disk":        {"disk GATEWAY|server lost|untold|slow", (*runner).disk, true},
		"network":     {"network [loss=N] [double=N] [late=N]", (*runner).network, true},
		"card-status": {"card-status CARD active|suspended|lost|revoked", (*runner).status, false},
		"mode":        {"mode DOOR normal|locked|lockdown", (*runner).mode, false},
		"fire":        {"fire DOOR on|off", (*runner).fire, false},
		"rearm":       {"rearm DOOR", func(r *runner, l Line, w []string) error { return r.one(l, w, r.w.Rearm) }, false},
		"lock":        {"lock DOOR broken|mended", (*runner).lock, false},
		"unlock":      {"unlock DOOR", func(r *runner, l Line, w []string) error { return r.one(l, w, r.w.Unlock) }, false},
		"forgive":     {"forgive PERSON", func(r *runner, l Line, w []string) error { return r.one(l, w, r.w.Forgive) }, false},
		"empty":       {"empty ZONE", func(r *runner, l Line, w []string) error { return r.one(l, w, r.w.Empty) }, false},
		"expect":      {"expect …", (*runner).expect, true},
	}
	maps.Copy(out, deskVerbs())
	return out
}

// Usage lists every form of line with its usage, sorted: verbs, what can be expected, and the lines that
// make the site.
func Usage() []string {
	var out []string
	for _, v := range verbs() {
		if v.usage != "expect …" {
			out = append(out, v.usage)
		}
	}
	for _, e := range expectations() {
		out = append(out, "expect "+e.usage)
	}
	for n := range maps.Keys(nouns) {
		out = append(out, n+" ID [key=value …]")
	}
	for _, u := range deskNouns {
		out = append(out, u)
	}
	out = append(out, "site FOLDER", "start DATE TIME", "timezone NAME", "seed N")
	slices.SortFunc(out, cmp.Compare[string])
	return out
}

// one is a verb of a single name.
func (r *runner) one(l Line, w []string, do func(string) error) error {
	if len(w) != 1 {
		return r.usage(l)
	}
	return do(w[0])
}

func (r *runner) usage(l Line) error {
	return l.fault("is written: %s", verbs()[l.Words[0]].usage)
}

// dense is how much of a long wait is lived through second by second; the quiet rest is leapt over.
const dense = 30 * time.Minute

// pass lets time pass.
func (r *runner) pass(d time.Duration) error {
	if d > 2*time.Hour {
		if err := r.w.Run(dense); err != nil {
			return err
		}
		r.w.Leap(d - 2*dense)
		d = dense
	}
	return r.w.Run(d)
}

func (r *runner) at(l Line, w []string) error {
	now := r.w.Wall().In(r.zone)
	date, clock := now.Format(time.DateOnly), ""
	switch len(w) {
	case 1:
		clock = w[0]
	case 2:
		date, clock = w[0], w[1]
	default:
		return r.usage(l)
	}
	t, err := moment(date, clock, r.zone)
	if err != nil {
		return l.fault("%v", err)
	}
	if t.Before(now) {
		return l.fault("%s is past: it is %s on the site; name the day too", t.Format("2006-01-02 15:04:05"), now.Format("2006-01-02 15:04:05"))
	}
	return r.pass(t.Sub(now))
}

func (r *runner) wait(l Line, w []string) error {
	if len(w) != 1 {
		return r.usage(l)
	}
	d, err := time.ParseDuration(w[0])
	if err != nil || d < 0 || d > 400*24*time.Hour {
		return l.fault("%q is not a duration such as 10s, 5m or 36h", w[0])
	}
	return r.pass(d)
}

func (r *runner) mark(l Line, w []string) error {
	if len(w) != 0 {
		return r.usage(l)
	}
	r.seen.forget()
	return nil
}

func (r *runner) badge(l Line, w []string) error {
	plain, opts := options(w)
	side := access.SideEnter
	if len(plain) == 3 && plain[2] == "exit" {
		side, plain = access.SideExit, plain[:2]
	}
	for k := range opts {
		if k != "pin" {
			return r.usage(l)
		}
	}
	if len(plain) != 2 {
		return r.usage(l)
	}
	card := plain[1]
	if card != "stranger" {
		var err error
		if card, err = r.w.CardOf(card); err != nil {
			return err
		}
	}
	var err error
	r.seen.begin(plain[0])
	r.seen.attempt, err = r.w.Badge(plain[0], card, side, opts["pin"])
	return err
}

func (r *runner) pin(l Line, w []string) error {
	if len(w) != 2 {
		return r.usage(l)
	}
	attempt := r.seen.attempt
	r.seen.begin(w[0])
	r.seen.attempt = attempt
	return r.w.KeyIn(w[0], w[1])
}

func (r *runner) keyPurpose(l Line, w []string) error {
	if len(w) != 2 || len(w[1]) != 1 || w[1] < "1" || w[1] > "9" {
		return r.usage(l)
	}
	return r.w.KeyPurpose(w[0], w[1][0]-'0')
}

func (r *runner) link(l Line, w []string) error {
	if len(w) != 2 {
		return r.usage(l)
	}
	switch w[0] {
	case "down":
		return r.w.Cable(w[1], true)
	case "up":
		return r.w.Cable(w[1], false)
	case "hang":
		return r.w.Hang(w[1])
	}
	return r.usage(l)
}

func (r *runner) power(l Line, w []string) error {
	if len(w) != 2 || w[0] != "cut" && w[0] != "on" {
		return r.usage(l)
	}
	return r.w.Power(w[1], w[0] == "on")
}

func (r *runner) restart(l Line, w []string) error {
	if len(w) != 1 {
		return r.usage(l)
	}
	if w[0] == "broker" {
		r.w.RestartBroker()
		return nil
	}
	if err := r.w.Power(w[0], false); err != nil {
		return err
	}
	if err := r.w.Run(2 * time.Second); err != nil {
		return err
	}
	return r.w.Power(w[0], true)
}

func (r *runner) clock(l Line, w []string) error {
	if len(w) != 2 {
		return r.usage(l)
	}
	d, err := time.ParseDuration(w[1])
	if err != nil {
		return l.fault("%q is not a duration such as -3h or 20m", w[1])
	}
	return r.w.Clock(w[0], d)
}

func (r *runner) disk(l Line, w []string) error {
	if len(w) != 2 || w[1] != "lost" && w[1] != "untold" && w[1] != "slow" {
		return r.usage(l)
	}
	if w[1] == "slow" {
		return r.w.SlowDisk(w[0])
	}
	return r.w.FailWrite(w[0], w[1] == "untold")
}

func (r *runner) network(l Line, w []string) error {
	plain, opts := options(w)
	percent := map[string]int{"loss": 0, "double": 0, "late": 0}
	for k, v := range opts {
		n, err := strconv.Atoi(v)
		if _, known := percent[k]; !known || err != nil || n < 0 || n > 100 {
			return r.usage(l)
		}
		percent[k] = n
	}
	if len(plain) != 0 {
		return r.usage(l)
	}
	r.w.Network(percent["loss"], percent["double"], percent["late"])
	return nil
}

func (r *runner) status(l Line, w []string) error {
	if len(w) != 2 {
		return r.usage(l)
	}
	card, err := r.w.CardOf(w[0])
	if err != nil {
		return err
	}
	status, ok := map[string]access.CredentialStatus{
		"active": access.CredentialActive, "suspended": access.CredentialSuspended, "lost": access.CredentialLost, "revoked": access.CredentialRevoked,
	}[w[1]]
	if !ok {
		return r.usage(l)
	}
	return r.w.SetCard(card, status)
}

func (r *runner) mode(l Line, w []string) error {
	if len(w) != 2 {
		return r.usage(l)
	}
	mode, ok := map[string]access.DoorMode{"normal": access.ModeNormal, "locked": access.ModeLocked, "lockdown": access.ModeLockdown}[w[1]]
	if !ok {
		return r.usage(l)
	}
	return r.w.SetMode(w[0], mode)
}

func (r *runner) fire(l Line, w []string) error {
	if len(w) != 2 || w[1] != "on" && w[1] != "off" {
		return r.usage(l)
	}
	return r.w.Fire(w[0], w[1] == "on")
}

func (r *runner) lock(l Line, w []string) error {
	if len(w) != 2 || w[1] != "broken" && w[1] != "mended" {
		return r.usage(l)
	}
	return r.w.Break(w[0], w[1] == "broken")
}

// moment reads a date and a time of day of the site.
func moment(date, clock string, zone *time.Location) (time.Time, error) {
	layout := "2006-01-02 15:04:05"
	if strings.Count(clock, ":") == 1 {
		layout = "2006-01-02 15:04"
	}
	t, err := time.ParseInLocation(layout, date+" "+clock, zone)
	if err != nil {
		return t, Fault{Text: "is not a time such as 2026-11-24 09:00:00"}
	}
	return t, nil
}
