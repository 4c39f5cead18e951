package visit

import (
	"slices"

	"monban/firmware/access"
	"monban/server/directory"
)

// Kinds of matters about times in which doors are not as always.
const (
	KindOutage = "outage"      // a door out of service, in paper mode (OP-8)
	KindPaper  = "paper_entry" // a line of a paper register, typed in (OP-8)
	KindDrill  = "drill"       // 訓練 (OP-6), or with Disaster the mode for an earthquake or a flood (OP-7)
)

// Longest times, in ms.
const (
	outageMost   = 30 * 24 * 3_600_000
	drillMost    = 12 * 3_600_000
	disasterMost = 24 * 3_600_000
)

// Outage is a door that people pass by a paper register until it is mended. It changes nothing at the door.
type Outage struct {
	ID      string        `json:"id"`
	Door    access.DoorID `json:"door"`
	Zone    access.ZoneID `json:"zone"`
	Ticket  string        `json:"ticket"` // number of the order to mend it
	Owner   string        `json:"owner"`  // who sees to it, as written
	Why     string        `json:"why"`
	FromMS  int64         `json:"from_ms"`
	UntilMS int64         `json:"until_ms"` // exclusive; at most 30 days later
	Begun   Step          `json:"begun"`
	Ended   Step          `json:"ended,omitzero"`
}

// Head implements Matter.
func (x *Outage) Head() Head {
	h := Head{ID: x.ID, Kind: KindOutage, State: "paper", Open: true, Zone: string(x.Zone), Doors: []string{string(x.Door)}, FromMS: x.FromMS, UntilMS: x.UntilMS}
	if x.Ended.Done() {
		h.State, h.Open, h.UntilMS = "ended", false, min(x.UntilMS, x.Ended.AtMS)
	}
	return h
}

// Subject implements Matter.
func (x *Outage) Subject() directory.PersonID { return "" }

// Until is when the paper mode ended or will end, UTC ms.
func (x *Outage) Until() int64 { return x.Head().UntilMS }

// BeginOutage takes a door out of service. x.Door, Ticket, Owner, Why, FromMS and UntilMS count; FromMS may lie up to 30 days back, when
// the fault is found late.
func BeginOutage(x Outage, by Actor, nowMS int64, s *Site) (Outage, error) {
	i := slices.IndexFunc(s.Dir.Doors, func(d directory.Door) bool { return d.ID == x.Door })
	if i < 0 {
		return x, ErrUnknown.at("door")
	}
	if err := firstErr(free("ticket", x.Ticket, maxName, true), free("owner", x.Owner, maxName, true), free("why", x.Why, maxText, true)); err != nil {
		return x, err
	}
	if x.FromMS < nowMS-outageMost || x.UntilMS <= max(x.FromMS, nowMS) || x.UntilMS > x.FromMS+outageMost {
		return x, ErrWindow.at("until")
	}
	x.Zone, x.Begun, x.Ended = s.Dir.Doors[i].Enter, by.step(nowMS, ""), Step{}
	return x, nil
}

// End puts the door back into service.
func (x *Outage) End(note string, by Actor, nowMS int64) error {
	if x.Ended.Done() {
		return ErrState
	}
	if err := free("note", note, maxText, false); err != nil {
		return err
	}
	x.Ended = by.step(nowMS, note)
	return nil
}

// Expire ends it by itself at its end.
func (x *Outage) Expire(nowMS int64) bool {
	if x.Ended.Done() || nowMS < x.UntilMS {
		return false
	}
	x.Ended = Step{AtMS: x.UntilMS, Note: "expired"}
	return true
}

// PaperEntry is a line of a paper register as it was typed in. It counts when a second person has compared it with the paper.
type PaperEntry struct {
	ID      string        `json:"id"`
	Zone    access.ZoneID `json:"zone"`
	Door    access.DoorID `json:"door"`
	No      string        `json:"no"` // number printed on the sheet, and the line
	Name    string        `json:"name"`
	Company string        `json:"company,omitempty"`
	Purpose string        `json:"purpose"`
	InMS    int64         `json:"in_ms"`
	OutMS   int64         `json:"out_ms,omitempty"` // 0 = the paper says nothing
	Typed   Step          `json:"typed"`
	Second  Step          `json:"second,omitzero"`
}

// Head implements Matter.
func (x *PaperEntry) Head() Head {
	h := Head{ID: x.ID, Kind: KindPaper, State: "typed", Open: true, Zone: string(x.Zone), Doors: []string{string(x.Door)}, FromMS: x.InMS, UntilMS: max(x.InMS, x.OutMS) + 1}
	if x.Second.Done() {
		h.State, h.Open = "compared", false
	}
	return h
}

// Subject implements Matter.
func (x *PaperEntry) Subject() directory.PersonID { return "" }

// Span is an interval in which the door's records are proven to be missing, UTC ms; ToMS is exclusive, 0 = until now.
type Span struct{ FromMS, ToMS int64 }

func (s Span) holds(ms int64) bool { return ms >= s.FromMS && (s.ToMS == 0 || ms < s.ToMS) }

// TypePaper types a line in. Its times lie in the gaps: where the log has its own record, paper is no proof.
func TypePaper(x PaperEntry, gaps []Span, by Actor, nowMS int64) (PaperEntry, error) {
	if err := firstErr(free("no", x.No, 40, true), free("name", x.Name, maxName, true), free("company", x.Company, maxName, false), free("purpose", x.Purpose, maxText, true)); err != nil {
		return x, err
	}
	in := func(ms int64) bool { return slices.ContainsFunc(gaps, func(g Span) bool { return g.holds(ms) }) }
	switch {
	case x.InMS <= 0 || x.InMS > nowMS || !in(x.InMS):
		return x, ErrNoGap.at("in")
	case x.OutMS != 0 && (x.OutMS <= x.InMS || x.OutMS > nowMS || !in(x.OutMS)):
		return x, ErrNoGap.at("out")
	}
	x.Typed, x.Second = by.step(nowMS, ""), Step{}
	return x, nil
}

// Compare is the second signature.
func (x *PaperEntry) Compare(by Actor, nowMS int64) error {
	switch {
	case x.Second.Done():
		return ErrState
	case x.Typed.same(by):
		return ErrSamePerson
	}
	x.Second = by.step(nowMS, "")
	return nil
}

// Drill marks what happens at some doors for a while. It hides nothing: every event is recorded and every finding made, also at those doors.
// A Disaster is of the whole site and lets pages put door alarms together; it ends by itself.
type Drill struct {
	ID       string          `json:"id"`
	Disaster bool            `json:"disaster,omitempty"`
	Doors    []access.DoorID `json:"doors,omitempty"`
	Why      string          `json:"why"`
	FromMS   int64           `json:"from_ms"`
	UntilMS  int64           `json:"until_ms"`
	Begun    Step            `json:"begun"`
	Ended    Step            `json:"ended,omitzero"`
}

// Head implements Matter.
func (x *Drill) Head() Head {
	h := Head{ID: x.ID, Kind: KindDrill, State: "drill", Open: true, FromMS: x.FromMS, UntilMS: x.UntilMS}
	for _, d := range x.Doors {
		h.Doors = append(h.Doors, string(d))
	}
	if x.Disaster {
		h.State = "disaster"
	}
	if x.Ended.Done() {
		h.Open, h.UntilMS = false, min(x.UntilMS, x.Ended.AtMS)
	}
	return h
}

// Subject implements Matter.
func (x *Drill) Subject() directory.PersonID { return "" }

// BeginDrill begins one, now or later: x.Disaster, Doors, Why, FromMS and UntilMS count. A drill names its doors; a disaster begins now.
func BeginDrill(x Drill, by Actor, nowMS int64, s *Site) (Drill, error) {
	if err := free("why", x.Why, maxText, true); err != nil {
		return x, err
	}
	most := int64(drillMost)
	if x.Disaster {
		most, x.Doors, x.FromMS = disasterMost, nil, nowMS
	} else if len(x.Doors) == 0 {
		return x, ErrMissing.at("doors")
	}
	for _, d := range x.Doors {
		if !slices.ContainsFunc(s.Dir.Doors, func(y directory.Door) bool { return y.ID == d }) {
			return x, ErrUnknown.at("doors")
		}
	}
	if x.FromMS < nowMS-60_000 || x.UntilMS <= max(x.FromMS, nowMS) || x.UntilMS > x.FromMS+most {
		return x, ErrWindow.at("until")
	}
	x.Begun, x.Ended = by.step(nowMS, ""), Step{}
	return x, nil
}

// End ends it before its time.
func (x *Drill) End(by Actor, nowMS int64) error {
	if x.Ended.Done() {
		return ErrState
	}
	x.Ended = by.step(nowMS, "")
	return nil
}

// Expire ends it by itself.
func (x *Drill) Expire(nowMS int64) bool {
	if x.Ended.Done() || nowMS < x.UntilMS {
		return false
	}
	x.Ended = Step{AtMS: x.UntilMS, Note: "expired"}
	return true
}
