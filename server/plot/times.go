package plot

import (
	"fmt"
	"html/template"
)

// Span is a stretch of a period in minutes from its beginning.
type Span struct{ From, Until int }

// Availability is one gateway's row.
type Availability struct {
	Name   string
	Silent []Span
	Word   string // how much of the period it was heard, and how far its clock was off
}

// Available draws when gateways were heard: a bar over the period of so many minutes, gaps hatched by a crossing and in another colour, the
// sentence at the end. ticks are labels over the period, evenly spaced.
func Available(rows []Availability, period int, ticks []string, summary string) template.HTML {
	const left, right, head, row, width = 150, 220, 24, 26, 960
	c := open(width, head+row*max(len(rows), 1)+6, summary)
	inner := width - left - right
	at := func(m int) int { return left + scale(m, period, inner) }
	for i, t := range ticks {
		x := left + i*inner/max(len(ticks)-1, 1)
		c.line(x, head-4, x, head+row*len(rows), line, "")
		c.text(x, head-9, 10, "middle", soft, t)
	}
	for i, r := range rows {
		y := head + i*row
		c.titled(r.Name + " " + r.Word)
		c.text(left-8, y+17, 12, "end", ink, r.Name)
		c.rect(left, y+5, inner, row-10, blue, "")
		for _, s := range r.Silent {
			x, w := at(s.From), max(at(s.Until)-at(s.From), 2)
			c.rect(x, y+3, w, row-6, "#ffffff", fmt.Sprintf(` stroke="%s" stroke-width="2"`, missing))
			c.line(x, y+3, x+w, y+row-3, missing, "")
		}
		c.text(left+inner+8, y+17, 11, "start", ink, r.Word)
		c.end()
	}
	return c.close()
}

// Dot is one case: how long something took.
type Dot struct {
	Minutes int
	Late    bool // over its target
	Word    string
}

// DotRow is one kind of thing with its target in minutes; 0 = none.
type DotRow struct {
	Name   string
	Target int
	Dots   []Dot
}

// Times draws how long cases took against their target: a dot a case on an axis of powers of ten from a minute to 100 days. A late one is a
// cross.
func Times(rows []DotRow, ticks []string, summary string) template.HTML {
	const left, right, head, row, width = 150, 20, 26, 44, 960
	c := open(width, head+row*max(len(rows), 1)+6, summary)
	inner := width - left - right
	x := func(m int) int { return left + logScale(m, inner) }
	for i, t := range ticks {
		at := left + i*inner/max(len(ticks)-1, 1)
		c.line(at, head-4, at, head+row*len(rows), line, "")
		c.text(at, head-9, 10, "middle", soft, t)
	}
	for i, r := range rows {
		y := head + i*row
		c.text(left-8, y+row/2+4, 12, "end", ink, r.Name)
		c.line(left, y+row/2, width-right, y+row/2, line, "")
		if r.Target > 0 {
			c.line(x(r.Target), y+4, x(r.Target), y+row-4, purple, ` stroke-width="2" stroke-dasharray="6 3"`)
		}
		for j, d := range r.Dots {
			at, v := x(d.Minutes), y+row/2-12+j%5*6
			c.titled(d.Word)
			if d.Late {
				c.line(at-4, v-4, at+4, v+4, missing, ` stroke-width="2"`)
				c.line(at-4, v+4, at+4, v-4, missing, ` stroke-width="2"`)
			} else {
				fmt.Fprintf(&c.b, `<circle cx="%d" cy="%d" r="4" fill="%s"/>`, at, v, blue)
			}
			c.end()
		}
	}
	return c.close()
}

// Decades are the ticks of Times, in minutes: each is a fifth of the axis.
var Decades = []int{1, 10, 100, 1000, 10_000, 100_000}

// logScale maps minutes to pixels by powers of ten in whole numbers: within a decade it is straight, which is near enough and is the same
// everywhere.
func logScale(m, size int) int {
	m = max(m, 1)
	for i := range len(Decades) - 1 {
		if m < Decades[i+1] {
			piece := size / (len(Decades) - 1)
			return i*piece + (m-Decades[i])*piece/(Decades[i+1]-Decades[i])
		}
	}
	return size
}
