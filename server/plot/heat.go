package plot

import (
	"fmt"
	"html/template"
	"strconv"
)

// HeatRow is a kind of day in a heat map: a weekday, or Sundays and holidays.
type HeatRow struct {
	Name  string
	Count [24]int  // by hour
	Open  [24]bool // the hours in which entering is permitted: outlined
}

// Heat draws counts by hour and kind of day. The number stands in each cell that is not empty, so that the shade is not all there is; the
// permitted hours have a border.
func Heat(rows []HeatRow, summary string) template.HTML {
	const left, head, cell, row = 90, 26, 34, 28
	c := open(left+24*cell+12, head+row*len(rows)+10, summary)
	most := 1
	for i := range rows {
		for _, n := range rows[i].Count {
			most = max(most, n)
		}
	}
	for h := range 24 {
		c.text(left+h*cell+cell/2, head-8, 11, "middle", soft, strconv.Itoa(h))
	}
	for i := range rows {
		r := &rows[i]
		y := head + i*row
		c.text(left-8, y+18, 12, "end", ink, r.Name)
		for h, n := range r.Count {
			x := left + h*cell
			fill, word := shade(n, most)
			c.rect(x+1, y+1, cell-2, row-2, fill, "")
			if n > 0 {
				c.text(x+cell/2, y+18, 11, "middle", word, strconv.Itoa(n))
			}
		}
		for h := 0; h < 24; { // one border around neighbouring hours
			if !r.Open[h] {
				h++
				continue
			}
			end := h
			for end < 24 && r.Open[end] {
				end++
			}
			c.rect(left+h*cell, y, (end-h)*cell, row, "none", fmt.Sprintf(` stroke="%s" stroke-width="2"`, ink))
			h = end
		}
	}
	return c.close()
}

// shade gives the colour of a cell and of the number in it: five steps of one blue, light to dark.
func shade(n, most int) (fill, word string) {
	if n == 0 {
		return pale, ink
	}
	steps := []string{"#d6e6f2", "#a6cbe3", "#6aa9d0", "#2f7fb3", "#0b4f80"}
	i := min(n*len(steps)/(most+1), len(steps)-1)
	if word = ink; i >= 3 {
		word = "#ffffff"
	}
	return steps[i], word
}
