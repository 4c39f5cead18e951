package plot

import (
	"fmt"
	"html/template"
)

// PresentDay is one day's row of somebody's presence.
type PresentDay struct {
	Name  string // of the day
	Quiet bool   // a day on which the offices are closed
	Stays []Stay // Name, Outsider and With are not drawn
}

// Presence draws the days of one person, one row a day from midnight to midnight, oldest on top: a bar a stay, dashed where its beginning or
// end is not recorded.
func Presence(days []PresentDay, summary string) template.HTML {
	const left, right, row, head, width = 96, 20, 14, 24, 720
	height := head + row*max(len(days), 1) + 8
	c := open(width, height, summary)
	inner := width - left - right
	at := func(m int) int { return left + scale(min(max(m, 0), minutes), minutes, inner) }
	for i, d := range days {
		if d.Quiet {
			c.rect(left, head+i*row, inner, row, pale, "")
		}
	}
	for h := 0; h <= 24; h += 3 {
		c.line(at(h*60), head, at(h*60), height-8, line, "")
		c.text(at(h*60), head-8, 11, "middle", soft, fmt.Sprintf("%d:00", h))
	}
	for i, d := range days {
		y := head + i*row
		c.text(left-8, y+11, 10, "end", ink, d.Name)
		for _, s := range d.Stays {
			c.titled(s.Word)
			from := at(s.From)
			w := max(at(s.Until)-from, 2)
			if s.NoEntry || s.NoExit {
				c.rect(from, y+3, w, row-6, "#ffffff", fmt.Sprintf(` stroke="%s" stroke-width="2" stroke-dasharray="4 2"`, blue))
			} else {
				c.rect(from, y+3, w, row-6, blue, "")
			}
			c.end()
		}
	}
	return c.close()
}
