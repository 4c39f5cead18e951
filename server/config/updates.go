package config

import "time"

// Updates is the roll-out of releases to gateways (ADR 0084).
type Updates struct {
	// Listen is host:port of the HTTPS port from which gateways fetch releases; TLS 1.3 with the site's certificates always. Empty means that
	// there is none: releases come to gateways by hand.
	Listen string `toml:"listen"`
	// Settle is how long a gateway must be well with a release before the next one has its turn; 10 s – 24 h.
	Settle Duration `toml:"settle"`
	// Limit is how long a gateway may take until it asks, and from its turn until it runs the release; 10 min – 24 h. Then the roll-out stops.
	Limit Duration `toml:"limit"`
	// From and Until are the hours, HH:MM in the site's zone, in which turns are given; Until may be earlier than From, over midnight. Both or
	// neither; neither means at any hour.
	From  string `toml:"from"`
	Until string `toml:"until"`
}

// defaultUpdates: a quarter of an hour shows what a night of heartbeats would show; an hour is time for a door that stands open.
func defaultUpdates() Updates { return Updates{Settle: D(15 * time.Minute), Limit: D(time.Hour)} }

func (u *Updates) validate(f *faults) {
	if u.Listen != "" {
		f.address("updates.listen", u.Listen)
	}
	f.between("updates.settle", u.Settle, 10*time.Second, 24*time.Hour)
	f.between("updates.limit", u.Limit, 10*time.Minute, 24*time.Hour)
	if (u.From == "") != (u.Until == "") {
		f.add("updates.from", "and updates.until belong together: one of them is missing")
		return
	}
	for key, at := range map[string]string{"updates.from": u.From, "updates.until": u.Until} {
		if s, ok := TimeOfDay(at); at != "" && (!ok || s >= 24*3600) {
			f.add(key, "%q is no HH:MM", at)
		}
	}
	if u.From != "" && u.From == u.Until {
		f.add("updates.until", "is updates.from: no turn would ever be given; leave both out for any hour")
	}
}

// Hours says whether a turn may be given at a moment, and since when; the zero time with true means at any hour. zone is the site's.
func (u *Updates) Hours(at time.Time, zone *time.Location) (since time.Time, open bool) {
	if u.From == "" {
		return time.Time{}, true
	}
	from, ok1 := TimeOfDay(u.From)
	until, ok2 := TimeOfDay(u.Until)
	if !ok1 || !ok2 {
		return time.Time{}, false // Validate has refused this
	}
	local := at.In(zone)
	clock := func(days, seconds int) time.Time {
		return time.Date(local.Year(), local.Month(), local.Day()+days, seconds/3600, seconds/60%60, 0, 0, zone)
	}
	length := until - from
	if length < 0 {
		length += 24 * 3600
	}
	for _, days := range []int{0, -1} {
		begin := clock(days, from)
		if end := begin.Add(time.Duration(length) * time.Second); !at.Before(begin) && at.Before(end) {
			return begin, true
		}
	}
	return time.Time{}, false
}
