package web

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/firmware/door"
)

// Plot 5 (RR-2): each door stands once in the picture and once in the table, in its zone; zones in a circle or in one that is not there are drawn
// all the same; a door that is not known is never drawn shut.
func TestFloorPlan(t *testing.T) {
	words, err := loadCatalogues(files)
	if err != nil {
		t.Fatal(err)
	}
	b := speaker{lang: English, words: words[English], zone: time.UTC}
	state := func(name string, zone access.ZoneID, s door.StateName, linked bool) DoorState {
		return DoorState{Door: access.DoorID(name), Name: name, Zone: zone, Known: true, Linked: linked, State: s}
	}
	o := Overview{
		UpTo:  time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC),
		Rooms: []PlanRoom{{ID: "a", Name: "Hall"}, {ID: "b", Name: "Room", Parent: "a", People: 2, Since: time.Date(2026, 11, 24, 8, 15, 0, 0, time.UTC)}, {ID: "c", Name: "Lost", Parent: "none"}, {ID: "d", Name: "Circle 1", Parent: "e"}, {ID: "e", Name: "Circle 2", Parent: "d"}},
		Doors: []DoorState{state("front door", "b", door.Secured, true), state("back door", "b", door.Forced, true), state("far door", "c", door.Secured, false), state("round door", "e", door.Open, true), state("street door", "", door.Secured, true)},
	}
	f := b.plan(&o)
	picture := string(f.Picture)
	for _, d := range o.Doors {
		if n := strings.Count(picture, "<title>"+d.Name+" "); n != 1 {
			t.Errorf("%s is %d times in the picture", d.Name, n)
		}
	}
	for _, z := range o.Rooms {
		if strings.Count(picture, ">"+z.Name+"</text>") != 1 {
			t.Errorf("zone %s is not once in the picture", z.Name)
		}
	}
	if strings.Count(picture, "2 people inside, longest 45") != 1 || strings.Count(fmt.Sprint(f.Rows), "2 people inside, longest 45") != 2 {
		t.Error("who is inside is not told beside the room, once, and in the table")
	}
	if len(f.Rows) != len(o.Doors) {
		t.Errorf("%d rows of the table for %d doors", len(f.Rows), len(o.Doors))
	}
	if !strings.Contains(picture, "far door "+b.T("state.unknown")) || strings.Count(picture, `fill="#0072b2"`) != 2 {
		t.Error("a door that is not known is drawn as one that is")
	}
	if f.Text == "" || !strings.Contains(picture, f.Text) || !strings.Contains(f.Text, "5 doors in 5 zones; 2 need") {
		t.Errorf("the sentence: %q", f.Text)
	}
}
