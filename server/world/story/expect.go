package story

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"monban/firmware/access"
	"monban/firmware/door"
)

// difference is an expectation that was not met.
type difference struct{ text string }

// Error implements error.
func (d *difference) Error() string { return d.text }

func differs(format string, args ...any) error { return &difference{fmt.Sprintf(format, args...)} }

type expectation struct {
	usage string
	check func(r *runner, l Line, words []string, opts map[string]string) error // words after the first
}

func expectations() map[string]expectation {
	out := map[string]expectation{
		"granted": {"granted [by=server|gateway] [reason=REASON]", func(r *runner, l Line, w []string, o map[string]string) error { return r.decided(l, w, o, true) }},
		"denied":  {"denied [by=server|gateway] [reason=REASON]", func(r *runner, l Line, w []string, o map[string]string) error { return r.decided(l, w, o, false) }},
		"pin":     {"pin", (*runner).asksPIN},
		"waits":   {"waits second|escort", (*runner).waits},
		"inside":  {"inside ZONE N", (*runner).inside},
		"shown":   {"shown DOOR INDICATION", (*runner).shown},
		"nothing": {"nothing", (*runner).nothing},
		"door":    {"door DOOR STATE", (*runner).doorState},
		"unlocks": {"unlocks DOOR N", (*runner).unlocks},
		"event":   {"event DOOR|GATEWAY EVENT [N]", (*runner).event},
		"finding": {"finding KIND [N]", (*runner).finding},
		"linked":  {"linked GATEWAY yes|no", (*runner).linkedIs},
		"log":     {"log complete", (*runner).complete},
		"silence": {"silence N", (*runner).silence},
		"line":    {"line COLUMN=VALUE …", (*runner).line},
	}
	maps.Copy(out, deskExpectations())
	return out
}

// expect checks one expectation.
func (r *runner) expect(l Line, w []string) error {
	plain, opts := options(w)
	if len(plain) == 0 {
		return l.fault("expect what? See docs/stories.md")
	}
	e, ok := expectations()[plain[0]]
	if !ok {
		return l.fault("%q cannot be expected; see docs/stories.md", plain[0])
	}
	return e.check(r, l, plain[1:], opts)
}

func badExpect(l Line) error {
	plain, _ := options(l.Words[1:])
	return l.fault("is written: expect %s", expectations()[plain[0]].usage)
}

// decided compares the decision about the card presented last.
func (r *runner) decided(l Line, w []string, opts map[string]string, granted bool) error {
	if len(w) != 0 {
		return badExpect(l)
	}
	want := outcome{granted: granted}
	var by, reason bool
	for k, v := range opts {
		switch k {
		case "by":
			by = true
			switch v {
			case "server":
				want.by = access.ByServer
			case "gateway":
				want.by = access.ByGateway
			default:
				return badExpect(l)
			}
		case "reason":
			var known bool
			if want.reason, known = access.ParseReason(v); !known {
				return l.fault("%q is no reason; docs/reference.md lists them", v)
			}
			reason = true
		default:
			return badExpect(l)
		}
	}
	got, any := r.seen.outcome[r.seen.attempt]
	if any && got.granted == want.granted && (!by || got.by == want.by) && (!reason || got.reason == want.reason) && got.edge == granted {
		return nil
	}
	return differs("expected %s, got %s", strings.Join(l.Words[1:], " "), r.outcome())
}

// outcome says in words what became of the card presented last.
func (r *runner) outcome() string {
	got, any := r.seen.outcome[r.seen.attempt]
	switch {
	case r.seen.door == "":
		return "nothing: nobody has presented a card"
	case !any:
		if d, err := r.w.LookAt(r.seen.door); err == nil && d.Shown == door.IndPIN {
			return "pin: the reader asks for it"
		} else if err == nil && (d.Shown == door.IndWaitSecond || d.Shown == door.IndWaitEscort) {
			return "waits " + strings.TrimPrefix(d.Shown.String(), "wait_")
		}
		return "nothing: no decision yet"
	}
	word := "denied"
	if got.granted {
		word = "granted"
	}
	text := fmt.Sprintf("%s by=%s reason=%s", word, got.by, got.reason)
	if got.granted != got.edge {
		text += fmt.Sprintf(", and the lock was released: %t", got.edge)
	}
	return text
}

func (r *runner) asksPIN(l Line, w []string, opts map[string]string) error {
	if len(w) != 0 || len(opts) != 0 {
		return badExpect(l)
	}
	if got := r.outcome(); !strings.HasPrefix(got, "pin") {
		return differs("expected pin, got %s", got)
	}
	return nil
}

func (r *runner) nothing(l Line, w []string, opts map[string]string) error {
	if len(w) != 0 || len(opts) != 0 {
		return badExpect(l)
	}
	if got := r.outcome(); !strings.HasPrefix(got, "nothing") {
		return differs("expected nothing, got %s", got)
	}
	return nil
}

func (r *runner) doorState(l Line, w []string, _ map[string]string) error {
	if len(w) != 2 {
		return badExpect(l)
	}
	if _, err := doorStateOf(w[1]); err != nil && w[1] != "off" {
		return l.fault("%q is no state of a door; docs/at-the-door.md lists them", w[1])
	}
	d, err := r.w.LookAt(w[0])
	if err != nil {
		return err
	}
	if d.State != w[1] {
		return differs("expected door %s %s, it is %s", w[0], w[1], d.State)
	}
	return nil
}

func doorStateOf(name string) (door.StateName, error) {
	for n := door.Secured; n <= door.Faulted; n++ {
		if n.String() == name {
			return n, nil
		}
	}
	return door.Secured, errState
}

var errState = errors.New("no state of a door")

// count compares a number; without one, at least one is meant.
func count(l Line, w []string, got int, what string) error {
	if len(w) == 0 {
		if got == 0 {
			return differs("expected %s, there is none", what)
		}
		return nil
	}
	n, err := strconv.Atoi(w[0])
	if err != nil || n < 0 || len(w) > 1 {
		return badExpect(l)
	}
	if got != n {
		return differs("expected %s %d times, got %d", what, n, got)
	}
	return nil
}

func (r *runner) unlocks(l Line, w []string, _ map[string]string) error {
	if len(w) != 2 {
		return badExpect(l)
	}
	if _, err := r.w.LookAt(w[0]); err != nil {
		return err
	}
	return count(l, w[1:], r.seen.unlocks[w[0]], "unlocks of "+w[0])
}

func (r *runner) event(l Line, w []string, _ map[string]string) error {
	if len(w) < 2 {
		return badExpect(l)
	}
	if _, err := r.w.LookAt(w[0]); err != nil {
		if _, also := r.w.Linked(w[0]); also != nil {
			return err
		}
	}
	return count(l, w[2:], r.seen.events[w[0]+" "+w[1]], "event "+w[1]+" at "+w[0])
}

func (r *runner) finding(l Line, w []string, _ map[string]string) error {
	if len(w) < 1 {
		return badExpect(l)
	}
	err := count(l, w[1:], r.w.FindingCount(w[0]), "finding "+w[0])
	if err != nil {
		if d, ok := err.(*difference); ok { //nolint:errorlint // count returns it bare
			d.text += "; the log has " + list(r.w.Findings())
		}
	}
	return err
}

func list(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

func (r *runner) linkedIs(l Line, w []string, _ map[string]string) error {
	if len(w) != 2 || w[1] != "yes" && w[1] != "no" {
		return badExpect(l)
	}
	got, err := r.w.Linked(w[0])
	if err == nil && got != (w[1] == "yes") {
		err = differs("expected linked %s %s, it is the other way", w[0], w[1])
	}
	return err
}

func (r *runner) complete(l Line, w []string, _ map[string]string) error {
	if !slices.Equal(w, []string{"complete"}) {
		return badExpect(l)
	}
	if n := r.w.Missing(); n > 0 {
		return differs("expected log complete, %d records of gateways are not in it", n)
	}
	return nil
}

func (r *runner) silence(l Line, w []string, _ map[string]string) error {
	if len(w) != 1 {
		return badExpect(l)
	}
	return count(l, w, r.w.Gaps(), "silence in the log")
}

// line compares the columns of the log's line of the card presented last.
func (r *runner) line(l Line, w []string, opts map[string]string) error {
	if len(w) != 0 || len(opts) == 0 {
		return badExpect(l)
	}
	row, who, ok := r.w.Line(r.seen.attempt)
	if !ok {
		return differs("expected a line in the log, there is none yet")
	}
	have := map[string]string{
		"outcome": row.Outcome, "reason": row.Reason, "by": row.DecidedBy, "passage": row.Passage, "day": row.Day, "door": row.Door,
		"side": row.Side, "gateway": row.Gateway, "person": who.Person, "failed": row.Failed,
		"name": who.Name, "badge": who.Badge, "purpose": who.Purpose, "attendee": who.Escort, "category": who.Category,
	}
	var wrong []string
	for _, word := range l.Words[2:] {
		k, v, _ := strings.Cut(word, "=")
		got, known := have[k]
		if !known {
			return l.fault("a line has no column %q; it has outcome, reason, by, passage, day, door, side, gateway, person, failed, name, badge, purpose, attendee, category", k)
		}
		if got != v {
			wrong = append(wrong, fmt.Sprintf("%s=%q (expected %q)", k, got, v))
		}
	}
	if len(wrong) > 0 {
		return differs("the line in the log has %s", strings.Join(wrong, ", "))
	}
	return nil
}

// waits: the card presented last waits for somebody else.
func (r *runner) waits(l Line, w []string, opts map[string]string) error {
	if len(w) != 1 || len(opts) != 0 || w[0] != "second" && w[0] != "escort" {
		return badExpect(l)
	}
	if got := r.outcome(); got != "waits "+w[0] {
		return differs("expected waits %s, got %s", w[0], got)
	}
	return nil
}

func (r *runner) inside(l Line, w []string, opts map[string]string) error {
	if len(w) != 2 || len(opts) != 0 {
		return badExpect(l)
	}
	want, err := strconv.Atoi(w[1])
	if err != nil {
		return badExpect(l)
	}
	got, err := r.w.Inside(w[0])
	if err == nil && got != want {
		return differs("expected %d inside %s, got %d", want, w[0], got)
	}
	return err
}

// shown compares what the lights of a door show.
func (r *runner) shown(l Line, w []string, opts map[string]string) error {
	if len(w) != 2 || len(opts) != 0 {
		return badExpect(l)
	}
	d, err := r.w.LookAt(w[0])
	if err == nil && d.Shown.String() != w[1] {
		return differs("expected %s to show %s, it shows %s", w[0], w[1], d.Shown)
	}
	return err
}
