package plot

import (
	"fmt"
	"html/template"
	"strconv"
)

// Series are numbers by day of one door, gateway or kind.
type Series struct {
	Name  string
	Count []int // one a day
}

// Days draws one small picture for each series below each other, all on one scale, so that they can be compared: a bar a day, and the alert
// line where alert > 0. Bars above the line are of another colour and have their number above them. days are the labels of the axis.
func Days(days []string, series []Series, alert int, summary string) template.HTML {
	const left, right, head, plotted, gap, width = 150, 20, 10, 60, 34, 960
	c := open(width, head+max(len(series), 1)*(plotted+gap)+4, summary)
	most := alert
	for _, s := range series {
		for _, n := range s.Count {
			most = max(most, n)
		}
	}
	most = top(max(most, 1))
	inner := width - left - right
	for i, s := range series {
		y := head + i*(plotted+gap)
		base := y + plotted
		c.text(left-10, y+plotted/2+4, 12, "end", ink, s.Name)
		c.text(left-4, y+9, 10, "end", soft, strconv.Itoa(most))
		c.text(left-4, base, 10, "end", soft, "0")
		c.line(left, base, width-right, base, soft, "")
		for d, n := range s.Count {
			x := left + d*inner/max(len(s.Count), 1)
			w := max((d+1)*inner/max(len(s.Count), 1)-d*inner/max(len(s.Count), 1)-2, 1)
			h := scale(n, most, plotted-10)
			if n > 0 {
				h = max(h, 2)
			}
			fill := blue
			over := alert > 0 && n >= alert
			if over {
				fill = missing
			}
			if d < len(days) {
				c.titled(days[d] + " " + strconv.Itoa(n))
			} else {
				c.titled(strconv.Itoa(n))
			}
			c.rect(x+1, base-h, w, h, fill, "")
			if over {
				c.text(x+1+w/2, base-h-3, 10, "middle", missing, strconv.Itoa(n))
			}
			c.end()
			if d < len(days) && (d == 0 || d%max(len(days)/10, 1) == 0) {
				c.text(x+1+w/2, base+14, 10, "middle", soft, days[d])
			}
		}
		if alert > 0 {
			at := base - scale(alert, most, plotted-10)
			c.line(left, at, width-right, at, missing, ` stroke-dasharray="6 3"`)
		}
	}
	return c.close()
}

// CalendarDay is a cell of the calendar of a year.
type CalendarDay struct {
	State string // signed, open, late, exception, closed; "" = not of the log
	Mark  string // one letter
	Word  string
}

// CalendarMonth is a row of it: its name, the column of the 1st (0 = Sunday) and its days.
type CalendarMonth struct {
	Name  string
	First int
	Days  []CalendarDay
}

// Calendar draws the days of a fiscal year, a month a row, a cell a day under its weekday. Each state has its own shade and letter.
func Calendar(weekdays [7]string, months []CalendarMonth, summary string) template.HTML {
	const left, head, cell, row = 90, 22, 22, 24
	const columns = 37 // the most that a month of 31 days can reach
	c := open(left+columns*cell+10, head+row*len(months)+8, summary)
	for i := range columns {
		c.text(left+i*cell+cell/2, head-7, 10, "middle", soft, weekdays[i%7])
	}
	for m, month := range months {
		y := head + m*row
		c.text(left-8, y+16, 12, "end", ink, month.Name)
		for d, day := range month.Days {
			x := left + (month.First+d)*cell
			fill, word, more := pale, soft, ""
			switch day.State {
			case "signed":
				fill, word = "#0b4f80", "#ffffff"
			case "open":
				fill, word, more = "#ffffff", ink, fmt.Sprintf(` stroke="%s"`, ink)
			case "late":
				fill, word = missing, "#ffffff"
			case "exception":
				fill, word = orange, "#ffffff"
			case "closed":
				fill, word = "#d6e6f2", ink
			}
			c.titled(day.Word)
			c.rect(x+1, y+1, cell-2, row-3, fill, more)
			c.text(x+cell/2, y+16, 11, "middle", word, day.Mark)
			c.end()
		}
	}
	return c.close()
}
