package access

import (
	"strings"
	"testing"

	"monban/firmware/calendar"
	"monban/firmware/card"
)

// Validate names every fault with its row.
func TestValidateNamesEveryFault(t *testing.T) {
	r := site(t)
	r.Version, r.Site, r.TimeZone = 0, "City Hall", ""
	r.Persons[0].ID, r.Persons[1].ID = "髙橋", r.Persons[2].ID
	r.Persons[2].Category = 0
	r.Persons[1].UntilMS, r.Persons[1].FromMS = 5, 5
	r.Credentials[0].Person, r.Credentials[1].Status = 44, 0
	r.Credentials[2].Key, r.Credentials[3].Key = Key{}, r.Credentials[0].Key
	r.Credentials[1].Duress = r.Credentials[1].PIN
	r.Credentials[3].HasPIN = true
	r.Zones[0].Level, r.Zones[1].MinAssurance, r.Zones[2].OfflineRules = 4, card.AssuranceUnknown, 9
	r.Doors[0].EnterZone, r.Doors[1].ExitZone, r.Doors[2].MaxAgeMS = "nowhere", "moon", 0
	r.Doors[0].Sides, r.Doors[1].Sides, r.Doors[2].OfflineMode = nil, []Side{SideExit, SideEnter}, 9
	r.Grants[0].Zone, r.Grants[1].Person, r.Grants[2].Schedule, r.Grants[3].UntilMS = "attic", 9, 7, 0
	r.Schedules[0].Windows[0].From = -1
	r.Calendar.Closed = append(r.Calendar.Closed, calendar.ClosedDay{Name: "\xff"})
	err := r.Validate()
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{
		"version is 0", `site "City Hall"`, "no time zone",
		"person 0: id is not", "person 2: same id as person 1", "person 2: category 0", "person 1: validity ends",
		"credential 0: person 44", "credential 1: status 0", "credential 2: key is all zero", "credential 3: same key as credential 0",
		"credential 1: a duress reference", "credential 3: has_pin and pin disagree",
		"zone 0 (lobby): level 4", `zone 1 (server-room): minimum assurance "unknown"`, "zone 2 (archive): offline rule 9",
		`door 0 (server-door): enter zone "nowhere"`, `door 1 (archive-door): exit zone "moon"`, "door 2 (front): max_age 0",
		"door 0 (server-door): no side", "door 1 (archive-door): sides must be", "door 2 (front): offline mode 9",
		`grant 0: zone "attic"`, "grant 1: person 9", "grant 2: schedule 7", "grant 3: no end",
		"schedule 0:", "calendar:", "its name is not text",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no word of %q", want)
		}
	}
	if t.Failed() {
		t.Log(err)
	}
	if _, err := Compile(r, tokyo(t)); err == nil {
		t.Error("Compile accepts")
	}
	if _, err := EncodeRules(&r); err == nil {
		t.Error("EncodeRules accepts")
	}
}

// D11, AD-8…AD-10, VE-2, DS-9: the rules about who is inside, and zones in zones.
func TestValidateZoneRules(t *testing.T) {
	room := func(r *Rules) *Zone { return &r.Zones[1] }
	for name, c := range map[string]struct {
		spoil func(r *Rules)
		want  string // "" = valid
	}{
		"as it is":           {func(*Rules) {}, ""},
		"all rules":          {allRules, ""},
		"passback":           {func(r *Rules) { room(r).AntiPassback = 9 }, "anti-passback 9 is unknown"},
		"timed without time": {func(r *Rules) { room(r).AntiPassback = AntiPassbackTimed }, "timed with 0 ms"},
		"time too long":      {func(r *Rules) { room(r).AntiPassbackMS = maxAPBMS + 1 }, "anti-passback off with"},
		"cap below minimum":  {func(r *Rules) { room(r).MinInside, room(r).MaxInside = 3, 2 }, "at least 3 and at most 2"},
		"cap of millions":    {func(r *Rules) { room(r).MaxInside = maxInside + 1 }, "do not go together"},
		"two into one":       {func(r *Rules) { room(r).MaxInside, room(r).TwoPersonMS = 1, 1 }, "room for one"},
		"always of nothing":  {func(r *Rules) { room(r).TwoPersonAlways = true }, "need two_person_ms"},
		"staff of nothing":   {func(r *Rules) { room(r).StaffNeeded = true }, "need two_person_ms"},
		"window of a day":    {func(r *Rules) { room(r).TwoPersonMS = 86_400_000 }, "two_person_ms 86400000"},
		"escort":             {func(r *Rules) { room(r).Escort = 3 }, "escort 3 is unknown"},
		"ratio":              {func(r *Rules) { room(r).EscortRatio = 101 }, "101 outsiders"},
		"grace":              {func(r *Rules) { room(r).EscortGraceMS = -1 }, "escort_grace_ms -1"},
		"within":             {func(r *Rules) { room(r).EscortWithinMS = maxWindowMS + 1 }, "escort_within_ms"},
		"training":           {func(r *Rules) { room(r).Training = 3 }, "training 3 is unknown"},
		"no parent":          {func(r *Rules) { room(r).Parent = "moon" }, `parent "moon" does not exist`},
		"its own parent":     {func(r *Rules) { room(r).Parent = "server-room" }, "lies in itself"},
		"circle":             {func(r *Rules) { r.Zones[0].Parent, r.Zones[1].Parent = "server-room", "lobby" }, "lies in itself"},
		"into a circle":      {func(r *Rules) { r.Zones[0].Parent, r.Zones[1].Parent, r.Zones[2].Parent = "archive", "lobby", "lobby" }, "zone 1 (server-room): lies deeper"},
		"no exit: hard":      {func(r *Rules) { r.Zones[2].AntiPassback = AntiPassbackHard }, "zone 2 (archive): anti-passback hard, a cap or an escort rule needs an exit reader"},
		"no exit: timed":     {func(r *Rules) { r.Zones[2].AntiPassback, r.Zones[2].AntiPassbackMS = AntiPassbackTimed, 1 }, "needs an exit reader"},
		"no exit: cap":       {func(r *Rules) { r.Zones[2].MaxInside = 3 }, "needs an exit reader"},
		"no exit: escort":    {func(r *Rules) { r.Zones[2].Escort = EscortVisitors }, "needs an exit reader"},
		"no exit: soft":      {func(r *Rules) { r.Zones[2].AntiPassback, r.Zones[2].MinInside = AntiPassbackSoft, 2 }, ""},
		"cap around":         {func(r *Rules) { r.Zones[0].MaxInside, r.Zones[1].Parent = 9, "lobby" }, "zone 0 (lobby)"},
		"elsewhere":          {func(r *Rules) { r.Zones[2].MaxInside, r.Zones[2].Shared = 3, true }, ""},
		"visitor as escort":  {func(r *Rules) { r.Persons[visitor].MayEscort = true }, "a visitor cannot be an escort"},
		"training past":      {func(r *Rules) { r.Persons[staff].TrainingUntilMS = -1 }, "person 0: training"},
		"own airlock":        {func(r *Rules) { r.Doors[0].Interlock = "server-door" }, "its own airlock"},
		"airlock of nothing": {func(r *Rules) { r.Doors[0].Interlock = "moon" }, "does not exist on the same gateway"},
		"one-sided airlock":  {func(r *Rules) { r.Doors[0].Interlock = "front" }, "does not name it"},
	} {
		r := site(t)
		c.spoil(&r)
		err := r.Validate()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %q", name, err, c.want)
		}
	}
	five := site(t)
	for i := range 4 {
		five.Zones = append(five.Zones, Zone{ID: ZoneID("z" + string(rune('a'+i))), Level: 1, MinAssurance: card.UIDOnly, Parent: five.Zones[len(five.Zones)-1].ID})
	}
	if err := five.Validate(); err == nil || !strings.Contains(err.Error(), "deeper than 4 zones") {
		t.Errorf("five zones in one another: %v", err)
	}
	five.Zones = five.Zones[:6]
	if err := five.Validate(); err != nil {
		t.Errorf("four zones in one another: %v", err)
	}
}
