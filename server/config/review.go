package config

import (
	"time"

	"monban/server/review"
)

// Review sets the thresholds of the rules that look over time (VR-1, VR-7). docs/reference.md says what each rule counts.
type Review struct {
	// Window is the time within which refusals, scans and floods are counted; 1 min – 1 h.
	Window Duration `toml:"window"`
	// UnknownCards, CardRefusals, DoorRefusals, ScanCards and ScanDoors are how many within it are told; 2–16.
	UnknownCards int `toml:"unknown_cards"`
	CardRefusals int `toml:"card_refusals"`
	DoorRefusals int `toml:"door_refusals"`
	ScanCards    int `toml:"scan_cards"`
	ScanDoors    int `toml:"scan_doors"`
	// Flood is how many findings of one kind at one place are told one by one within the window; 3–1000.
	Flood int `toml:"flood"`
	// OverstayLevel1 to 3 are how long somebody may be inside a zone of that level; 0 = not watched, 1 h – 744 h.
	OverstayLevel1 Duration `toml:"overstay_level_1"`
	OverstayLevel2 Duration `toml:"overstay_level_2"`
	OverstayLevel3 Duration `toml:"overstay_level_3"`
	// AloneLevel1 to 3 are how long somebody may be alone in one; 0 = not watched, 5 min – 744 h.
	AloneLevel1 Duration `toml:"alone_level_1"`
	AloneLevel2 Duration `toml:"alone_level_2"`
	AloneLevel3 Duration `toml:"alone_level_3"`
	// EscortWithin is how long after an outsider an escort may follow; 1 s – 1 h.
	EscortWithin Duration `toml:"escort_within"`
	// FirstUse is after how long a door counts as never used by a person; 0 = not watched, 24 h – 9600 h.
	FirstUse Duration `toml:"first_use"`
	// WarmUp is how old the log, and a person in it, must be before a first use counts; 0 – 9600 h.
	WarmUp Duration `toml:"warm_up"`
	// UsualFrom and UsualUntil are the usual hours of open days, "HH:MM"; "24:00" is midnight.
	UsualFrom  string `toml:"usual_from"`
	UsualUntil string `toml:"usual_until"`
	// OfflineAfter is the silence after which a gateway is told of; 10 s – 1 h.
	OfflineAfter Duration `toml:"offline_after"`
	// Walk is a table for each two places between which nobody walks faster; none = no travel is impossible.
	Walk []ReviewWalk `toml:"walk"`
}

// ReviewWalk is one line of that table.
type ReviewWalk struct {
	// From and To are doors or zones; either way.
	From string `toml:"from"`
	To   string `toml:"to"`
	// Least is the shortest time; 1 s – 24 h.
	Least Duration `toml:"least"`
}

// clock is a time of day as the file has it.
const clock = "15:04"

func defaultReview() Review {
	s := review.DefaultSettings()
	ms := func(v int64) Duration { return D(time.Duration(v) * time.Millisecond) }
	return Review{
		Window: ms(s.WindowMS), UnknownCards: s.UnknownCards, CardRefusals: s.CardRefusals, DoorRefusals: s.DoorRefusals, ScanCards: s.ScanCards,
		ScanDoors: s.ScanDoors, Flood: s.Flood, OverstayLevel1: ms(s.OverstayMS[1]), OverstayLevel2: ms(s.OverstayMS[2]), OverstayLevel3: ms(s.OverstayMS[3]),
		AloneLevel1: ms(s.AloneMS[1]), AloneLevel2: ms(s.AloneMS[2]), AloneLevel3: ms(s.AloneMS[3]), EscortWithin: ms(s.EscortWithinMS), FirstUse: ms(s.FirstUseMS),
		WarmUp: ms(s.WarmUpMS), UsualFrom: "07:00", UsualUntil: "20:00", OfflineAfter: ms(s.OfflineMS),
	}
}

// minuteOf reads "HH:MM"; -1 for anything else.
func minuteOf(s string) int {
	if s == "24:00" {
		return 1440
	}
	t, err := time.Parse(clock, s)
	if err != nil || len(s) != len(clock) {
		return -1
	}
	return t.Hour()*60 + t.Minute()
}

// Thresholds gives the settings of the rules over time. Of a checked Config they are in range.
func (c *Config) Thresholds() review.Settings {
	r := &c.Review
	ms := func(d Duration) int64 { return d.Std().Milliseconds() }
	s := review.Settings{
		WindowMS: ms(r.Window), UnknownCards: r.UnknownCards, CardRefusals: r.CardRefusals, DoorRefusals: r.DoorRefusals, ScanCards: r.ScanCards,
		ScanDoors: r.ScanDoors, Flood: r.Flood, OverstayMS: [4]int64{0, ms(r.OverstayLevel1), ms(r.OverstayLevel2), ms(r.OverstayLevel3)},
		AloneMS: [4]int64{0, ms(r.AloneLevel1), ms(r.AloneLevel2), ms(r.AloneLevel3)}, EscortWithinMS: ms(r.EscortWithin), FirstUseMS: ms(r.FirstUse),
		WarmUpMS: ms(r.WarmUp), UsualFrom: minuteOf(r.UsualFrom), UsualUntil: minuteOf(r.UsualUntil), OfflineMS: ms(r.OfflineAfter),
	}
	for _, w := range r.Walk {
		s.Walks = append(s.Walks, review.Walk{From: w.From, To: w.To, LeastMS: ms(w.Least)})
	}
	return s
}

func (c *Config) validateReview(f *faults) {
	s := c.Thresholds()
	if err := s.Validate(); err != nil {
		joined, ok := err.(interface{ Unwrap() []error }) //nolint:errorlint // errors.Join's own value, made just above
		if !ok {
			*f = append(*f, err)
			return
		}
		*f = append(*f, joined.Unwrap()...)
	}
}
