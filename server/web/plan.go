package web

import (
	"cmp"
	"strconv"

	"monban/firmware/access"
	"monban/server/plot"
)

// doorShapes are how tones of a door's state are drawn; what is not here is not known.
var doorShapes = map[Tone]plot.DoorShape{ToneGood: plot.DoorShut, ToneNote: plot.DoorAjar, ToneWarn: plot.DoorBarred, ToneAlarm: plot.DoorAlarm}

// plan draws zones as boxes in boxes with their doors' states (plot 5). A zone that lies in none, in one that is not there or in a circle, stands by
// itself; so does a door without a zone.
func (b speaker) plan(o *Overview) figure {
	f := figure{ID: "plan", Title: b.T("plan.title"), Empty: b.T("live.no_doors"), AsTable: b.T("plot.as_table"),
		Head: []string{b.T("register.zone"), b.T("plan.inside"), b.T("plan.people"), b.T("col.door"), b.T("register.state"), b.T("door.contact")}}
	names, notes := map[access.ZoneID]string{"": b.T("register.blank")}, map[access.ZoneID]string{}
	for _, r := range o.Rooms {
		names[r.ID] = r.Name
		if r.People > 0 {
			notes[r.ID] = b.T("plan.now", "n", strconv.Itoa(r.People), "time", b.span(max(o.UpTo.Sub(r.Since), 0)))
		}
	}
	drawn, doors, heed := map[access.ZoneID]bool{}, 0, 0
	room := func(zone, parent access.ZoneID) plot.Room {
		r := plot.Room{Name: names[zone], Note: notes[zone]}
		for _, d := range o.Doors {
			if d.Zone != zone {
				continue
			}
			c := b.doorCard(d)
			r.Doors = append(r.Doors, plot.PlanDoor{Name: d.Name, State: c.Word, Shape: doorShapes[c.Tone]})
			f.Rows = append(f.Rows, []string{names[zone], names[parent], cmp.Or(notes[zone], b.T("register.blank")), d.Name, c.Word, c.Contact.Word})
			if doors++; c.Tone == ToneAlarm || c.Tone == ToneWarn || c.Tone == ToneLost {
				heed++
			}
		}
		return r
	}
	var build func(PlanRoom) plot.Room
	build = func(z PlanRoom) plot.Room {
		drawn[z.ID] = true
		r := room(z.ID, z.Parent)
		for _, in := range o.Rooms {
			if in.Parent == z.ID && !drawn[in.ID] {
				r.Inside = append(r.Inside, build(in))
			}
		}
		return r
	}
	var rooms []plot.Room
	for _, z := range o.Rooms {
		if _, ok := names[z.Parent]; z.Parent == "" || !ok {
			rooms = append(rooms, build(z))
		}
	}
	for _, z := range o.Rooms { // in a circle
		if !drawn[z.ID] {
			rooms = append(rooms, build(z))
		}
	}
	names[""] = b.T("plan.outside")
	if r := room("", ""); len(r.Doors) > 0 {
		rooms = append(rooms, r)
	}
	f.Text = b.T("plan.text", "doors", strconv.Itoa(doors), "rooms", strconv.Itoa(len(o.Rooms)), "heed", strconv.Itoa(heed))
	if len(rooms) > 0 {
		f.Picture = plot.Plan(rooms, f.Text)
	}
	return f
}
