package plot

import (
	"fmt"
	"html/template"
)

// Stay is one bar of an occupancy strip, in minutes since midnight. A stay that began before or ends after the day has From < 0 or
// Until > 1440.
type Stay struct {
	Name     string // as the page shows the person
	From     int
	Until    int
	NoEntry  bool // the beginning is not recorded
	NoExit   bool // the end is not recorded: the bar is dashed up to Until
	Outsider bool // attended by somebody: drawn in the second colour, with the attendant's name
	With     string
	Word     string // the whole stay in words
}

const minutes = 24 * 60

// Strip draws who was inside when on one day: one bar a stay, an attendant's next to the visitor's if the caller orders them so. A bar whose
// beginning or end nobody recorded is dashed. now is the minute up to which anything is known, minutes since midnight; ≥ 1440 = the whole day.
func Strip(stays []Stay, summary string, now int) template.HTML {
	const left, right, row, head, width = 170, 20, 22, 24, 960
	height := head + row*max(len(stays), 1) + 8
	c := open(width, height, summary)
	inner := width - left - right
	at := func(m int) int { return left + scale(m, minutes, inner) }
	if now < minutes {
		c.rect(at(now), head, at(minutes)-at(now), height-head-8, pale, "")
	}
	for h := 0; h <= 24; h += 3 {
		c.line(at(h*60), head, at(h*60), height-8, line, "")
		c.text(at(h*60), head-8, 11, "middle", soft, fmt.Sprintf("%d:00", h))
	}
	for i, s := range stays {
		y := head + i*row
		c.titled(s.Word)
		c.text(left-8, y+15, 12, "end", ink, s.Name)
		fill := blue
		if s.Outsider {
			fill = orange
		}
		from, until := at(s.From), max(at(s.Until), at(s.From)+2)
		if s.NoExit || s.NoEntry {
			c.rect(from, y+4, until-from, row-8, "#ffffff", fmt.Sprintf(` stroke="%s" stroke-width="2" stroke-dasharray="5 3"`, fill))
		} else {
			c.rect(from, y+4, until-from, row-8, fill, "")
		}
		if s.Outsider { // a shape, too: a mark at the beginning
			c.rect(from, y+2, 4, row-4, fill, "")
		}
		if s.From < 0 {
			c.text(left+2, y+15, 11, "start", "#ffffff", "◀")
		}
		if s.Until > minutes {
			c.text(at(minutes)-2, y+15, 11, "end", "#ffffff", "▶")
		}
		c.end()
	}
	return c.close()
}
