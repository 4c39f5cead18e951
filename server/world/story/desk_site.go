package story

import (
	"strconv"
	"strings"
	"time"

	"monban/firmware/access"
	"monban/server/visit"
	"monban/server/world/sim"
)

// deskNouns are the lines before the story that no import file holds.
var deskNouns = map[string]string{
	"stock":          "stock BADGE [kind=visitor|temporary] [card=no]",
	"visit-settings": "visit-settings key=value …",
}

// stock reads a badge of reception's drawer.
func stock(l Line, number int) (sim.Stock, error) {
	plain, opts := options(l.Words[1:])
	bad := l.fault("is written: %s", deskNouns["stock"])
	if len(plain) != 1 {
		return sim.Stock{}, bad
	}
	s := sim.Stock{
		ID: plain[0], Kind: visit.VisitorBadge, Label: plain[0], Look: "yellow",
		Number: sim.Number{Format: "H10301", Facility: 123, Number: uint64(number)}, //nolint:gosec // counts lines
	}
	for k, v := range opts {
		switch {
		case k == "kind" && (v == "visitor" || v == "temporary"):
			s.Kind = visit.BadgeKind(v)
		case k == "card" && (v == "yes" || v == "no"):
			s.Plain = v == "no"
		default:
			return sim.Stock{}, bad
		}
	}
	return s, nil
}

// settings reads the numbers of visits: names as in docs/reference.md without their unit, times as 17:15, durations as 15m;
// purpose_labels.ZONE=a,b and bring_in.ZONE=flag|deny for a zone.
func settings(l Line) (*visit.Settings, error) {
	s := visit.DefaultSettings()
	plain, opts := options(l.Words[1:])
	if len(plain) != 0 {
		return nil, l.fault("is written: %s", deskNouns["visit-settings"])
	}
	for k, v := range opts {
		name, zone, _ := strings.Cut(k, ".")
		var err error
		var d time.Duration
		long := map[string]*int64{
			"grace": &s.GraceMS, "early": &s.EarlyMS, "max_window": &s.MaxWindowMS, "emergency": &s.EmergencyMS, "report": &s.ReportMS, "key_loan": &s.KeyLoanMS,
		}[name]
		switch {
		case long != nil:
			d, err = time.ParseDuration(v)
			*long = d.Milliseconds()
		case name == "closing":
			var t time.Time
			t, err = time.Parse("15:04", v)
			s.ClosingS = t.Hour()*3600 + t.Minute()*60
		case name == "temporary_month":
			s.TemporaryMonth, err = strconv.Atoi(v)
		case name == "purpose_days":
			s.PurposeDays, err = strconv.Atoi(v)
		case name == "purpose_zones":
			s.PurposeZones = []access.ZoneID{}
			for _, z := range words(v) {
				s.PurposeZones = append(s.PurposeZones, access.ZoneID(z))
			}
		case name == "purpose_labels" && zone != "":
			if s.PurposeLabels == nil {
				s.PurposeLabels = map[access.ZoneID][]string{}
			}
			s.PurposeLabels[access.ZoneID(zone)] = words(v)
		case name == "bring_in" && zone != "":
			if s.BringIn == nil {
				s.BringIn = map[access.ZoneID]visit.BringIn{}
			}
			s.BringIn[access.ZoneID(zone)] = visit.BringIn(v)
		default:
			return nil, l.fault("visits have no setting %q; docs/stories.md lists them", k)
		}
		if err != nil {
			return nil, l.fault("%s: %q cannot be read", k, v)
		}
	}
	if err := s.Validate(); err != nil {
		return nil, l.fault("%v", err)
	}
	return &s, nil
}
