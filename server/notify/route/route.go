// Package route decides who is told of a finding, and when. It is pure: no clock, no database, no network. The words are
// Alertmanager's: routes are tried in order, findings of one kind at one place are grouped, an alert that explains others
// inhibits them, a silence holds alerts back until its end. Nothing is dropped: what is not told at once is held for the
// morning digest.
package route

import (
	"slices"
	"strings"
	"time"

	"monban/firmware/calendar"
	"monban/server/review"
)

// Item is a finding as routing sees it. It holds no name, no card and no person.
type Item struct {
	ID       int64 // leaf of the finding
	Kind     review.Kind
	Severity review.Severity
	Gateway  string   // "" = none is meant
	Door     string   // "" = none is meant
	Zones    []string // that it lies in: the one into which the door leads, else those of what it is about; none = of no zone
	Handled  bool     // somebody has taken or closed it already
}

// Route says who is told. A field that is nil or zero inherits from the root (Tree.Root).
type Route struct {
	Name string
	// What it takes; zero values take everything.
	Least review.Severity
	Kinds []review.Kind
	Zones []string
	// Whom it tells, by names of channels.
	Hours    []string // while the office is open
	OffHours []string // otherwise, and only what rings
	Then     []string // one after the other, while nobody acknowledges
}

// takes reports whether a route is for an item.
func (r *Route) takes(it *Item) bool {
	return it.Severity >= r.Least && (len(r.Kinds) == 0 || slices.Contains(r.Kinds, it.Kind)) && (len(r.Zones) == 0 || slices.ContainsFunc(it.Zones, func(z string) bool { return slices.Contains(r.Zones, z) }))
}

// zone is by which zone an item is grouped: where it has a door or a gateway, that says it.
func (it *Item) zone() string {
	if it.Door != "" || it.Gateway != "" {
		return ""
	}
	return strings.Join(it.Zones, " ")
}

// Limits are the times of a tree; each > 0.
type Limits struct {
	Group       time.Duration // findings of one kind at one place that are told together
	Acknowledge time.Duration // until the next contact is told
	Inhibit     time.Duration // how long a lost gateway explains faults of its devices
	Burst       int           // alerts in one Group time that are told at once, beside severe ones; the rest waits for the digest
}

// Defaults are the limits of a site that sets none.
var Defaults = Limits{Group: 5 * time.Minute, Acknowledge: 10 * time.Minute, Inhibit: time.Hour, Burst: 20}

// MostSilence is the longest time for which alerts may be held back by a silence (AL-3).
const MostSilence = 8 * time.Hour

// Tree is who is told, as the site has set it.
type Tree struct {
	Root   Route   // what routes inherit, and the route of what no other takes
	Routes []Route // the first that takes an item counts
	Every  []string
	Digest []string
	// Secret are the channels that may be told of a PIN under duress (AD-13); no others are.
	Secret []string
	Limits Limits
	Hours  calendar.Hours
	Closed calendar.Calendar
	Zone   *time.Location
}

// Open reports whether the point of contact is there (AL-2).
func (t *Tree) Open(at time.Time) bool { return t.Closed.InHours(t.Hours, at, t.Zone) }

// NextOpen is when the office opens next: at itself while it is open. Without a day on which it opens, at itself.
func (t *Tree) NextOpen(at time.Time) time.Time {
	if t.Open(at) || t.Hours.Open >= t.Hours.Close {
		return at
	}
	local := at.In(t.Zone)
	day := t.Closed.NextBusinessDay(calendar.DateOf(local))
	if opens := t.clock(day); opens.After(at) || day.IsZero() {
		return opens
	}
	return t.clock(t.Closed.NextBusinessDay(day.AddDays(1)))
}

func (t *Tree) clock(day calendar.Date) time.Time {
	return time.Date(day.Year, day.Month, day.Day, t.Hours.Open/3600, t.Hours.Open/60%60, t.Hours.Open%60, 0, t.Zone)
}

// Rings reports whether a kind may wake somebody (D27, AL-6). Everything else waits for the morning. It is fixed, so that no
// setting fills the night with what nobody has to act on.
func Rings(k review.Kind) bool {
	switch k {
	case review.ForcedOpen, review.Duress, review.FireRelease, review.Tamper, review.ChainFork, review.LogDoubt, review.LogFork,
		review.RecoveryUsed, review.EmergencyEntry, review.EmergencyBegun, review.EscortLeft:
		return true
	}
	return false
}

// Silenceable reports whether a silence holds a kind back. Signs that somebody is threatened or that the log is false are
// never held back.
func Silenceable(k review.Kind) bool {
	switch k {
	case review.Duress, review.ChainFork, review.LogDoubt, review.LogFork, review.GatewayCloned, review.GatewayRolledBack:
		return false
	}
	return true
}

// Of finds the route of an item and fills it from the root.
func (t *Tree) Of(it *Item) Route {
	for _, r := range t.Routes {
		if r.takes(it) {
			return t.filled(r)
		}
	}
	return t.Root
}

// named finds a route by its name, for alerts that have one already.
func (t *Tree) named(name string) Route {
	for _, r := range t.Routes {
		if r.Name == name {
			return t.filled(r)
		}
	}
	return t.Root // it has been taken out of the settings
}

func (t *Tree) filled(r Route) Route {
	if r.Hours == nil {
		r.Hours = t.Root.Hours
	}
	if r.OffHours == nil {
		r.OffHours = t.Root.OffHours
	}
	if r.Then == nil {
		r.Then = t.Root.Then
	}
	return r
}

// Filled lists the routes as they act, the root last.
func (t *Tree) Filled() []Route {
	var out []Route
	for _, r := range t.Routes {
		out = append(out, t.filled(r))
	}
	return append(out, t.Root)
}

// may leaves the channels that may be told of a kind.
func (t *Tree) may(k review.Kind, channels []string) []string {
	if k != review.Duress {
		return channels
	}
	var out []string
	for _, c := range channels {
		if slices.Contains(t.Secret, c) {
			out = append(out, c)
		}
	}
	return out
}
