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
	for i := range in.Items {
		s.item(&in.Items[i])
	}
	for _, a := range st.Alerts {
		if a.Acked.IsZero() && slices.Contains(in.Handled, a.ID) {
			a.Acked = now
			s.touch(a)
		}
		s.tick(a)
	}
	if in.Digest {
		s.digest()
	}
	st.Alerts = slices.DeleteFunc(st.Alerts, func(a *Alert) bool { return a.Done })
	return s.out
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
	for _, a := range s.st.Alerts {
		if a.Kind == it.Kind && a.Door == it.Door && a.Gateway == it.Gateway && s.now.Before(a.Window) {
			a.Count, a.Last, a.LastID, a.Severity = a.Count+1, s.now, it.ID, max(a.Severity, it.Severity)
			s.touch(a)
			return
		}
	}
	r := s.tree.Of(it)
	a := &Alert{
		ID: it.ID, Kind: it.Kind, Severity: it.Severity, Gateway: it.Gateway, Door: it.Door, Route: r.Name, Count: 1, Told: 1,
		First: s.now, Last: s.now, LastID: it.ID, Window: s.now.Add(s.tree.Limits.Group), Held: s.held(it),
	}
	if it.Handled {
		a.Acked = s.now
	}
	s.st.Alerts = append(s.st.Alerts, a)
	s.touch(a)
	if a.Held == HeldNot {
		if to := s.tree.may(a.Kind, s.first(&r)); len(to) > 0 {
			a.Escalate = s.after(a)
			s.send(a, WhatAlert, 1, to, s.tree.Every)
			return
		}
		a.Held = HeldNobody
		if a.escalatesWithout() && len(s.tree.may(a.Kind, r.Then)) > 0 { // the route begins with its contacts
			a.Held, a.Escalate = HeldNot, s.now
		}
	}
	s.send(a, WhatAlert, 1, s.tree.Every)
}

// escalatesWithout is escalates for an alert that nobody was told of first.
func (a *Alert) escalatesWithout() bool { return a.Severity == review.High || a.Rings() }

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
