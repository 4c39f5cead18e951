package route

import (
	"time"

	"monban/server/review"
)

// Held says why an alert was not told at once. The zero value: it was.
type Held string

// Why alerts wait for the digest.
const (
	HeldNot       Held = ""
	HeldHours     Held = "hours"     // the office is closed and it is none of what rings
	HeldLow       Held = "low"       // it waits for the day review anyway
	HeldSilenced  Held = "silenced"  // somebody has silenced the door or device
	HeldInhibited Held = "inhibited" // a lost gateway explains it
	HeldBurst     Held = "burst"     // too many at once
	HeldNobody    Held = "nobody"    // its route names no channel for this hour
)

// Alert is what one or more findings of one kind at one place have become.
type Alert struct {
	ID       int64 // leaf of the first finding
	Kind     review.Kind
	Severity review.Severity // the highest of its findings
	Gateway  string
	Door     string
	Zone     string // of findings with neither: the zones that they lie in, with a blank between them; "" = none
	Route    string // name of its route, "" = the root
	Count    int    // findings in it
	Told     int    // of which somebody was told
	First    time.Time
	Last     time.Time
	LastID   int64     // leaf of the newest finding
	Window   time.Time // until then another finding joins it
	Held     Held
	Level    int       // how many of the route's Then have been told
	Escalate time.Time // when the next is; zero = never
	Acked    time.Time // zero = not
	Digest   time.Time // when it stood in a digest; zero = not yet
	Done     bool      // nothing more is to be done about it
}

// Rings reports whether the alert may wake somebody.
func (a *Alert) Rings() bool { return Rings(a.Kind) }

// escalates reports whether further contacts are told of it: only of what is severe or rings.
func (a *Alert) escalates() bool {
	return a.Held == HeldNot && (a.Severity == review.High || a.Rings())
}

// Next is when something may be due for it; zero = never.
func (a *Alert) Next() time.Time {
	if a.Done {
		return time.Time{}
	}
	var next time.Time
	sooner := func(t time.Time) {
		if !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	if !a.Window.IsZero() {
		sooner(a.Window)
	}
	if a.Acked.IsZero() {
		sooner(a.Escalate)
	}
	return next
}

// Silence holds alerts of a door or a gateway back.
type Silence struct {
	ID      int64       // leaf that set it
	Kind    review.Kind // "" = all kinds
	Gateway string      // "" = any
	Door    string      // "" = any; one of the two is given
	From    time.Time
	Until   time.Time // exclusive
}

// holds reports whether the silence is for an item.
func (s *Silence) holds(it *Item, now time.Time) bool {
	if now.Before(s.From) || !now.Before(s.Until) || s.Door == "" && s.Gateway == "" || !Silenceable(it.Kind) {
		return false
	}
	return (s.Kind == "" || s.Kind == it.Kind) && (s.Door == "" || s.Door == it.Door) && (s.Gateway == "" || s.Gateway == it.Gateway)
}

// What is why a message is sent.
type What string

// Kinds of messages.
const (
	WhatAlert      What = "alert"      // a finding, at once
	WhatMore       What = "more"       // further findings of a group
	WhatEscalation What = "escalation" // nobody has acknowledged
	WhatDigest     What = "digest"     // the morning's list
	WhatCanary     What = "canary"     // the daily test event
	WhatCheckpoint What = "checkpoint" // the log's daily checkpoint
	WhatTest       What = "test"       // somebody has pressed the button
	WhatOverdue    What = "overdue"    // findings have gone up to the zone manager
	WhatRisen      What = "risen"      // and to the CISO office
	WhatBreach     What = "breach"     // a report of a leak of personal data is due or late
	WhatInside     What = "inside"     // somebody is inside when the office closes
)

// Send tells one channel of one alert.
type Send struct {
	What    What
	Alert   int64
	Channel string
	Step    int // of an escalation, from 1; of WhatMore the number of findings
}
