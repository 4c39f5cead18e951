package review

import (
	"errors"
	"fmt"

	"monban/firmware/access"
)

// Settings are the thresholds of the rules over time, marked † in the requirements. The zero value is not usable: see
// DefaultSettings. Times are milliseconds.
type Settings struct {
	WindowMS     int64 // refusals, scans and floods are counted within it; 1 min – 1 h
	UnknownCards int   // unknown cards at one door; 2–16
	CardRefusals int   // refusals of one card; 2–16
	DoorRefusals int   // refusals at one door; 2–16
	ScanCards    int   // different cards at one door; 2–16
	ScanDoors    int   // different doors for one card; 2–16
	Flood        int   // findings of one kind at one place that are told one by one; 3–1000

	OverstayMS [4]int64 // by zone level 1–3, [0] is not used; 0 = not watched, else 1 h – 31 days
	AloneMS    [4]int64 // the same

	EscortWithinMS int64 // an escort may follow so long after the outsider; 1 s – 1 h
	FirstUseMS     int64 // a door not entered for so long counts as never; 0 = not watched, else 1 – 400 days
	WarmUpMS       int64 // nobody's first use counts before they and the log are so old; 0 – 400 days
	UsualFrom      int   // usual hours of open days, minutes since midnight, inclusive
	UsualUntil     int   // exclusive; > UsualFrom, ≤ 1440
	Walks          []Walk
	OfflineMS      int64 // a gateway silent for so long is told of; 10 s – 1 h
}

// Walk is the shortest time in which anybody gets from one place to another, either way. A place is a door or a zone.
type Walk struct {
	From, To string
	LeastMS  int64 // > 0
}

const (
	minute = int64(60_000)
	hour   = 60 * minute
	day    = 24 * hour
)

// DefaultSettings are the proposals of the requirements.
func DefaultSettings() Settings {
	return Settings{
		// Three wrong cards within ten minutes is somebody trying; a wrong card out of a purse is one read, perhaps two.
		WindowMS: 10 * minute, UnknownCards: 3, CardRefusals: 5, DoorRefusals: 10, ScanCards: 5, ScanDoors: 4, Flood: 10,
		OverstayMS: [4]int64{0, 12 * hour, 12 * hour, 12 * hour},
		// At levels 1 and 2 working alone is ordinary.
		AloneMS:        [4]int64{0, 0, 0, 4 * hour},
		EscortWithinMS: minute, FirstUseMS: 180 * day, WarmUpMS: 30 * day, UsualFrom: 7 * 60, UsualUntil: 20 * 60, OfflineMS: minute,
	}
}

// Validate says everything that is out of range, each with its name in the configuration.
func (s *Settings) Validate() error {
	var errs []error
	within := func(name string, v, least, most int64) {
		if v < least || v > most {
			errs = append(errs, fmt.Errorf("review.%s: %d is outside %d–%d", name, v, least, most))
		}
	}
	span := func(name string, v, least, most int64) {
		if v < least || v > most {
			errs = append(errs, fmt.Errorf("review.%s: %d s is outside %d–%d s", name, v/1000, least/1000, most/1000))
		}
	}
	span("window", s.WindowMS, minute, hour)
	within("unknown_cards", int64(s.UnknownCards), 2, mostCounted)
	within("card_refusals", int64(s.CardRefusals), 2, mostCounted)
	within("door_refusals", int64(s.DoorRefusals), 2, mostCounted)
	within("scan_cards", int64(s.ScanCards), 2, mostCounted)
	within("scan_doors", int64(s.ScanDoors), 2, mostCounted)
	within("flood", int64(s.Flood), 3, 1000)
	for level := 1; level <= 3; level++ {
		if v := s.OverstayMS[level]; v != 0 {
			span(fmt.Sprintf("overstay_level_%d", level), v, hour, 31*day)
		}
		if v := s.AloneMS[level]; v != 0 {
			span(fmt.Sprintf("alone_level_%d", level), v, 5*minute, 31*day)
		}
	}
	span("escort_within", s.EscortWithinMS, 1000, hour)
	if s.FirstUseMS != 0 {
		span("first_use", s.FirstUseMS, day, 400*day)
	}
	span("warm_up", s.WarmUpMS, 0, 400*day)
	if s.UsualFrom < 0 || s.UsualUntil > 1440 || s.UsualFrom >= s.UsualUntil {
		errs = append(errs, errors.New("review.usual_from: must be before review.usual_until, both within one day"))
	}
	for _, w := range s.Walks {
		if w.From == "" || w.To == "" || w.From == w.To {
			errs = append(errs, fmt.Errorf("review.walk: from %q to %q names no two places", w.From, w.To))
		}
		span("walk", w.LeastMS, 1000, day)
	}
	span("offline_after", s.OfflineMS, 10_000, hour)
	return errors.Join(errs...)
}

// Memory is how long a fact may count in what is found later, ms, leaving aside who is inside: what is remembered lies in two
// generations.
func (s *Settings) Memory() int64 { return 2 * max(s.WindowMS, openings) }

// walk is the least time between two places, 0 when none is set for them.
func (s *Settings) walk(aDoor, bDoor access.DoorID, aZone, bZone access.ZoneID) int64 {
	least := int64(0)
	for i := range s.Walks {
		w := &s.Walks[i]
		from := w.From == string(aDoor) || w.From == string(aZone)
		to := w.To == string(bDoor) || w.To == string(bZone)
		if back := (w.To == string(aDoor) || w.To == string(aZone)) && (w.From == string(bDoor) || w.From == string(bZone)); from && to || back {
			least = max(least, w.LeastMS)
		}
	}
	return least
}
