package review

import "slices"

// Number is one threshold of Settings under its name in the configuration.
type Number struct {
	Name string
	Span bool // Value is a time in ms, 0 = not watched; else a count, or with Clock minutes since midnight
	// Clock: a time of day.
	Clock bool

	get func(*Settings) int64
	set func(*Settings, int64)
	// weaker reports whether fewer findings come of new than of old.
	weaker func(old, new int64) bool
}

// Of reads the number in s.
func (n *Number) Of(s *Settings) int64 { return n.get(s) }

// Put writes the number into s.
func (n *Number) Put(s *Settings, v int64) { n.set(s, v) }

// Numbers lists every threshold but the walks, in the order of the configuration's table.
func Numbers() []Number {
	more := func(old, new int64) bool { return new > old }
	less := func(old, new int64) bool { return new < old }
	longer := func(old, new int64) bool { return old != 0 && (new == 0 || new > old) } // 0 is not watched
	count := func(name string, at func(*Settings) *int, weaker func(old, new int64) bool) Number {
		return Number{Name: name, get: func(s *Settings) int64 { return int64(*at(s)) }, set: func(s *Settings, v int64) { *at(s) = int(v) }, weaker: weaker}
	}
	span := func(name string, at func(*Settings) *int64, weaker func(old, new int64) bool) Number {
		return Number{Name: name, Span: true, get: func(s *Settings) int64 { return *at(s) }, set: func(s *Settings, v int64) { *at(s) = v }, weaker: weaker}
	}
	clock := func(name string, at func(*Settings) *int, weaker func(old, new int64) bool) Number {
		n := count(name, at, weaker)
		n.Clock = true
		return n
	}
	return []Number{
		span("window", func(s *Settings) *int64 { return &s.WindowMS }, less),
		count("unknown_cards", func(s *Settings) *int { return &s.UnknownCards }, more),
		count("card_refusals", func(s *Settings) *int { return &s.CardRefusals }, more),
		count("door_refusals", func(s *Settings) *int { return &s.DoorRefusals }, more),
		count("scan_cards", func(s *Settings) *int { return &s.ScanCards }, more),
		count("scan_doors", func(s *Settings) *int { return &s.ScanDoors }, more),
		count("flood", func(s *Settings) *int { return &s.Flood }, less),
		span("overstay_level_1", func(s *Settings) *int64 { return &s.OverstayMS[1] }, longer),
		span("overstay_level_2", func(s *Settings) *int64 { return &s.OverstayMS[2] }, longer),
		span("overstay_level_3", func(s *Settings) *int64 { return &s.OverstayMS[3] }, longer),
		span("alone_level_1", func(s *Settings) *int64 { return &s.AloneMS[1] }, longer),
		span("alone_level_2", func(s *Settings) *int64 { return &s.AloneMS[2] }, longer),
		span("alone_level_3", func(s *Settings) *int64 { return &s.AloneMS[3] }, longer),
		span("escort_within", func(s *Settings) *int64 { return &s.EscortWithinMS }, more),
		span("first_use", func(s *Settings) *int64 { return &s.FirstUseMS }, longer),
		span("warm_up", func(s *Settings) *int64 { return &s.WarmUpMS }, more),
		clock("usual_from", func(s *Settings) *int { return &s.UsualFrom }, less),
		clock("usual_until", func(s *Settings) *int { return &s.UsualUntil }, more),
		span("offline_after", func(s *Settings) *int64 { return &s.OfflineMS }, more),
	}
}

// Settle gives what counts from now on when asked is wanted and inForce is what people have agreed to: what asks for more findings counts at
// once, what asks for fewer waits for somebody's word, and its names are given. Both are valid, and so is what comes out.
func Settle(inForce, asked Settings) (now Settings, waits []string) {
	now = asked
	now.Walks = slices.Clone(asked.Walks)
	for _, n := range Numbers() {
		if old := n.get(&inForce); n.weaker(old, n.get(&asked)) {
			n.set(&now, old)
			waits = append(waits, n.Name)
		}
	}
	if now.UsualFrom >= now.UsualUntil { // a stricter begin with an older end: the hours go together
		now.UsualFrom, now.UsualUntil = inForce.UsualFrom, inForce.UsualUntil
	}
	walks := false
	for _, w := range inForce.Walks {
		same := func(x Walk) bool { return x.From == w.From && x.To == w.To || x.From == w.To && x.To == w.From }
		if i := slices.IndexFunc(now.Walks, same); i < 0 {
			now.Walks, walks = append(now.Walks, w), true
		} else if now.Walks[i].LeastMS < w.LeastMS {
			now.Walks[i].LeastMS, walks = w.LeastMS, true
		}
	}
	if walks {
		waits = append(waits, "walk")
	}
	return now, waits
}

// Same reports whether two settings are equal.
func (s *Settings) Same(o *Settings) bool {
	for _, n := range Numbers() {
		if n.get(s) != n.get(o) {
			return false
		}
	}
	return slices.Equal(s.Walks, o.Walks)
}
