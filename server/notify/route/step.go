package route

import (
	"slices"
	"time"

	"monban/server/review"
)

// State is what Step works on: the alerts that are not done and the silences that have not ended.
type State struct {
	Alerts   []*Alert
	Silences []Silence
}

// Input is what has come since the last step.
type Input struct {
	Items   []Item  // new findings, in the order of the log
	Handled []int64 // findings that somebody has taken or closed
	Digest  bool    // it is time for the digest
}

// Out is what a step wants done. Alerts whose fields have changed are those in Changed.
type Out struct {
	Sends   []Send
	Changed []*Alert
	Digest  *Digest // nil when none was asked for
}

// Digest is the morning's list.
type Digest struct {
	Channels []string
	Held     []*Alert // held back since the last one
	Waiting  []*Alert // told, and acknowledged by nobody
}

// Step takes what is new at now and says what is to be sent. The same input on the same state gives the same output, and it
// changes nothing but st.
func (t *Tree) Step(st *State, now time.Time, in Input) Out {
	s := &step{tree: t, st: st, now: now, changed: map[*Alert]bool{}}
	for _, a := range st.Alerts {
		s.rewind(a)
	}
	for _, a := range st.Alerts { // first: what has been seen takes in nothing new
		if a.Acked.IsZero() && slices.Contains(in.Handled, a.ID) {
			a.Acked = now
			s.touch(a)
		}
	}
	for i := range in.Items {
		s.item(&in.Items[i])
	}
	for _, a := range st.Alerts {
		s.tick(a)
	}
	if in.Digest {
		s.digest()
	}
	st.Alerts = slices.DeleteFunc(st.Alerts, func(a *Alert) bool { return a.Done })
	return s.out
}

// rewind takes an alert that a clock which was ahead has put into the future to now: else its group would swallow, its lost gateway explain
// and its next contact wait for all that comes until then.
func (s *step) rewind(a *Alert) {
	if a.Last.After(s.now) {
		a.Last, a.First = s.now, earlier(a.First, s.now)
		a.Window = earlier(a.Window, s.now.Add(s.tree.Limits.Group))
		s.touch(a)
	}
	ack := s.tree.Limits.Acknowledge
	if latest := s.tree.NextOpen(s.now.Add(ack)).Add(ack); a.Escalate.After(latest) {
		a.Escalate = latest
		s.touch(a)
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

type step struct {
	tree    *Tree
	st      *State
	now     time.Time
	out     Out
	changed map[*Alert]bool
}

func (s *step) touch(a *Alert) {
	if !s.changed[a] {
		s.changed[a] = true
		s.out.Changed = append(s.out.Changed, a)
	}
}

func (s *step) send(a *Alert, what What, number int, channels ...[]string) {
	var told []string
	for _, c := range s.tree.may(a.Kind, slices.Concat(channels...)) {
		if !slices.Contains(told, c) {
			told = append(told, c)
			s.out.Sends = append(s.out.Sends, Send{What: what, Alert: a.ID, Channel: c, Step: number})
		}
	}
}

// item puts a finding into its group, or begins one.
func (s *step) item(it *Item) {
	r := s.tree.Of(it)
	b := s.begins(it, &r)
	for _, a := range s.st.Alerts {
		if s.joins(a, it, &r, b.held) {
			s.join(a, it)
			return
		}
	}
	a := &Alert{
		ID: it.ID, Kind: it.Kind, Severity: it.Severity, Gateway: it.Gateway, Door: it.Door, Zone: it.zone(), Route: r.Name, Count: 1, Told: 1,
		First: s.now, Last: s.now, LastID: it.ID, Window: s.now.Add(s.tree.Limits.Group), Held: b.held,
	}
	if it.Handled {
		a.Acked = s.now
	}
	s.st.Alerts = append(s.st.Alerts, a)
	s.touch(a)
	switch {
	case b.then:
		a.Escalate = s.now
	case a.Held == HeldNot:
		a.Escalate = s.after(a)
	}
	s.send(a, WhatAlert, 1, b.to, s.tree.Every)
}

// beginning is what an alert of a finding would be, if it began now.
type beginning struct {
	held Held
	to   []string // told at once, beside Every
	then bool     // the route names nobody for this hour: it begins with its contacts
}

func (s *step) begins(it *Item, r *Route) beginning {
	held := s.held(it)
	if held != HeldNot {
		return beginning{held: held}
	}
	if to := s.tree.may(it.Kind, s.first(r)); len(to) > 0 {
		return beginning{to: to}
	}
	if (it.Severity == review.High || Rings(it.Kind)) && len(s.tree.may(it.Kind, r.Then)) > 0 {
		return beginning{then: true}
	}
	return beginning{held: HeldNobody}
}

// joins reports whether a finding that would be held like this is of an alert's group. It is not when the group has been seen or
// has stood in a digest, or would now be told otherwise: then nobody would hear of the finding, and it begins an alert of its own.
func (s *step) joins(a *Alert, it *Item, r *Route, held Held) bool {
	if a.Kind != it.Kind || a.Door != it.Door || a.Gateway != it.Gateway || a.Zone != it.zone() || a.Route != r.Name || !s.now.Before(a.Window) {
		return false
	}
	if !a.Acked.IsZero() && !it.Handled || !a.Digest.IsZero() {
		return false
	}
	return a.Held == held || a.Held == HeldNot && held == HeldBurst // a group that is told adds no message for each finding
}

// join adds a finding. One that makes the alert severe also sets the clock for the next contact.
func (s *step) join(a *Alert, it *Item) {
	before := a.escalates()
	a.Count, a.Last, a.LastID, a.Severity = a.Count+1, s.now, it.ID, max(a.Severity, it.Severity)
	if !before && a.escalates() {
		a.Escalate = s.after(a)
	}
	s.touch(a)
}

// first is whom a route tells at this hour.
func (s *step) first(r *Route) []string {
	if s.tree.Open(s.now) {
		return r.Hours
	}
	return r.OffHours
}

// held says why an item waits for the digest.
func (s *step) held(it *Item) Held {
	rings := Rings(it.Kind)
	for i := range s.st.Silences {
		if s.st.Silences[i].holds(it, s.now) {
			return HeldSilenced
		}
	}
	switch {
	case s.inhibited(it):
		return HeldInhibited
	case rings:
		return HeldNot
	case it.Severity == review.Low:
		return HeldLow
	case !s.tree.Open(s.now):
		return HeldHours
	case it.Severity < review.High && s.burst():
		return HeldBurst
	}
	return HeldNot
}

// inhibited reports whether a lost gateway explains an item. Only faults of devices are explained: never a door that was
// forced or a box that was opened.
func (s *step) inhibited(it *Item) bool {
	if it.Gateway == "" || it.Kind == review.GatewayOffline || Rings(it.Kind) || it.Kind.Entry().Threat != review.DeviceFault {
		return false
	}
	for _, a := range s.st.Alerts {
		if a.Kind == review.GatewayOffline && a.Gateway == it.Gateway && s.now.Sub(a.Last) < s.tree.Limits.Inhibit {
			return true
		}
	}
	return false
}

// burst reports whether as many ordinary alerts were told in the last Group time as may be.
func (s *step) burst() bool {
	n := 0
	for _, a := range s.st.Alerts {
		if a.Held == HeldNot && a.Severity < review.High && s.now.Sub(a.First) < s.tree.Limits.Group {
			n++
		}
	}
	return n >= s.tree.Limits.Burst
}

// after is when the next contact is told of an alert. What does not ring waits for the office to be open.
func (s *step) after(a *Alert) time.Time {
	if !a.escalates() {
		return time.Time{}
	}
	at := s.now.Add(s.tree.Limits.Acknowledge)
	if !a.Rings() && !s.tree.Open(at) {
		at = s.tree.NextOpen(at).Add(s.tree.Limits.Acknowledge)
	}
	return at
}

// tick does what has become due for an alert.
func (s *step) tick(a *Alert) {
	r := s.tree.named(a.Route)
	if a.Acked.IsZero() && !a.Escalate.IsZero() && !s.now.Before(a.Escalate) {
		s.escalate(a, &r)
	}
	if !a.Window.IsZero() && !s.now.Before(a.Window) {
		a.Window = time.Time{}
		s.touch(a)
		if a.Count > a.Told {
			a.Told = a.Count
			var to []string
			if a.Held == HeldNot && a.Acked.IsZero() && (a.Rings() || s.tree.Open(s.now)) {
				to = s.first(&r)
			}
			s.send(a, WhatMore, a.Count, to, s.tree.Every)
		}
	}
	// An alert that is held is done with the digest; one that was told, when somebody has seen it.
	if a.Window.IsZero() && !a.Done && (a.Held == HeldNot && !a.Acked.IsZero() || a.Held != HeldNot && !a.Digest.IsZero()) {
		a.Done = true
		s.touch(a)
	}
}

// escalate tells the next contact who may be told.
func (s *step) escalate(a *Alert, r *Route) {
	s.touch(a)
	for a.Level < len(r.Then) {
		c := r.Then[a.Level]
		a.Level++
		if to := s.tree.may(a.Kind, []string{c}); len(to) > 0 {
			s.send(a, WhatEscalation, a.Level, to)
			break
		}
	}
	a.Escalate = time.Time{}
	if a.Level < len(r.Then) {
		a.Escalate = s.after(a)
	}
}

// digest lists what was held since the last one and what nobody has acknowledged. It names no duress: mail is read by many.
func (s *step) digest() {
	d := &Digest{Channels: s.tree.Digest}
	for _, a := range s.st.Alerts {
		if a.Kind == review.Duress {
			if a.Held != HeldNot { // told on the officer's page alone
				a.Digest = s.now
				s.touch(a)
			}
			continue
		}
		switch {
		case a.Held != HeldNot && a.Digest.IsZero():
			d.Held = append(d.Held, a)
			a.Digest = s.now
			s.touch(a)
		case a.Held == HeldNot && a.Acked.IsZero():
			d.Waiting = append(d.Waiting, a)
			s.touch(a)
		}
	}
	s.out.Digest = d
	for _, a := range s.st.Alerts {
		s.tick(a)
	}
}
