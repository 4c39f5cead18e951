package plot

import "html/template"

// Room is a zone of a floor plan with the doors that lead into it and the zones that lie in it.
type Room struct {
	Name   string
	Note   string // beside the name: who is in it now
	Doors  []PlanDoor
	Inside []Room
}

// PlanDoor is one door of the plan. Its state is a shape and a word beside a colour: closed ones are a filled bar in the wall, open ones a gap with a
// leaf, those that need somebody a cross, those of which nothing is known a dashed frame.
type PlanDoor struct {
	Name  string
	State string // the word
	Shape DoorShape
}

// DoorShape is how a door is drawn. The zero one is not known.
type DoorShape uint8

// Shapes.
const (
	DoorUnknown DoorShape = iota
	DoorShut
	DoorAjar  // unlocked or open, as it may be
	DoorAlarm // forced, held open, released, faulted
	DoorBarred
)

const (
	planWidth  = 960
	planIndent = 18
	planRow    = 24
	planGap    = 10
)

// planHeight is the height of a room with all in it, pixels.
func planHeight(r *Room) int {
	h := planRow + 4 + planRow*len(r.Doors)
	for i := range r.Inside {
		h += planHeight(&r.Inside[i]) + planGap
	}
	return h + 6
}

// Plan draws rooms as boxes in boxes, as zones lie in zones, with each door in the wall of the room that it leads into. It is a diagram: it
// knows no measures.
func Plan(rooms []Room, summary string) template.HTML {
	// Two columns: each next room goes into the shorter one.
	var high [2]int
	column := make([]int, len(rooms))
	for i := range rooms {
		if high[1] < high[0] {
			column[i] = 1
		}
		high[column[i]] += planHeight(&rooms[i]) + planGap
	}
	c := open(planWidth, max(high[0], high[1], planRow)+planGap, summary)
	width := planWidth - 2*planGap
	if high[1] > 0 {
		width = (planWidth - 3*planGap) / 2
	}
	at := [2]int{planGap, planGap}
	for i := range rooms {
		k := column[i]
		c.room(&rooms[i], planGap+k*(width+planGap), at[k], width)
		at[k] += planHeight(&rooms[i]) + planGap
	}
	return c.close()
}

// room draws one room and all in it from a corner.
func (c *canvas) room(r *Room, x, y, w int) {
	c.rect(x, y, w, planHeight(r), "#ffffff", ` stroke="`+ink+`" stroke-width="2"`)
	c.text(x+planIndent, y+17, 13, "start", ink, r.Name)
	if r.Note != "" {
		c.text(x+w-planGap, y+17, 12, "end", ink, r.Note)
	}
	y += planRow + 4
	for i := range r.Doors {
		c.door(&r.Doors[i], x, y)
		y += planRow
	}
	for i := range r.Inside {
		c.room(&r.Inside[i], x+planIndent, y, w-planIndent-planGap)
		y += planHeight(&r.Inside[i]) + planGap
	}
}

// door draws a door in the left wall of a room.
func (c *canvas) door(d *PlanDoor, x, y int) {
	c.titled(d.Name + " " + d.State)
	c.rect(x-3, y, 6, planRow-6, "#ffffff", "")
	fill := ink
	switch d.Shape {
	case DoorShut:
		c.rect(x-3, y, 6, planRow-6, blue, "")
	case DoorAjar:
		c.line(x, y+planRow-6, x+12, y+2, orange, ` stroke-width="3"`)
	case DoorAlarm:
		fill = missing
		c.line(x-6, y, x+8, y+planRow-6, missing, ` stroke-width="3"`)
		c.line(x+8, y, x-6, y+planRow-6, missing, ` stroke-width="3"`)
	case DoorBarred:
		c.rect(x-3, y, 6, planRow-6, purple, "")
		c.line(x-8, y+9, x+8, y+9, purple, ` stroke-width="3"`)
	default:
		c.rect(x-3, y, 6, planRow-6, "#ffffff", ` stroke="`+soft+`" stroke-dasharray="3 2"`)
	}
	c.text(x+planIndent, y+14, 12, "start", fill, d.Name+" · "+d.State)
	c.end()
}
