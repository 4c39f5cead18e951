// Package plot draws the pictures of the pages and papers as SVG: a person sees in a second what a table would hide. It is
// pure: words and numbers in, one self-contained picture out, the same bytes for the same input.
//
// Pictures use presentation attributes only, since the pages' content policy and the PDF writer drop every other style. Each has role="img"
// and a sentence that says what is in it; the caller puts the same numbers beside it as a table. Shape and word stand beside each colour;
// colours are a palette that eyes which see red and green alike tell apart. Sizes are whole pixels.
package plot

import (
	"fmt"
	"html"
	"html/template"
	"strings"
)

// Colours of the palette, each at least 3:1 on white where it carries meaning.
const (
	ink     = "#1b2430"
	soft    = "#525d6b"
	line    = "#c9c6bc"
	blue    = "#0072b2"
	orange  = "#b35900"
	purple  = "#7b3f8c"
	pale    = "#eff0f1"
	missing = "#a1211a"
)

// canvas collects the elements of one picture.
type canvas struct {
	b             strings.Builder
	width, height int
}

// open begins a picture; summary is the sentence that stands for it.
func open(width, height int, summary string) *canvas {
	c := &canvas{width: width, height: height}
	fmt.Fprintf(&c.b, `<svg xmlns="http://www.w3.org/2000/svg" class="plot" role="img" aria-label="%s" viewBox="0 0 %d %d" width="%d" height="%d" font-family="&quot;BIZ UDPGothic&quot;, &quot;Noto Sans CJK JP&quot;, sans-serif">`,
		html.EscapeString(summary), width, height, width, height)
	fmt.Fprintf(&c.b, `<rect width="%d" height="%d" fill="#ffffff"/>`, width, height)
	return c
}

func (c *canvas) close() template.HTML {
	c.b.WriteString("</svg>")
	return template.HTML(c.b.String())
}

func (c *canvas) rect(x, y, w, h int, fill, more string) {
	fmt.Fprintf(&c.b, `<rect x="%d" y="%d" width="%d" height="%d" fill="%s"%s/>`, x, y, w, h, fill, more)
}

func (c *canvas) line(x1, y1, x2, y2 int, stroke, more string) {
	fmt.Fprintf(&c.b, `<line x1="%d" y1="%d" x2="%d" y2="%d" stroke="%s"%s/>`, x1, y1, x2, y2, stroke, more)
}

// text writes a word; anchor is start, middle or end.
func (c *canvas) text(x, y, size int, anchor, fill, s string) {
	fmt.Fprintf(&c.b, `<text x="%d" y="%d" font-size="%d" text-anchor="%s" fill="%s">%s</text>`, x, y, size, anchor, fill, html.EscapeString(s))
}

// titled wraps what follows until end in a group that says a word when it is pointed at.
func (c *canvas) titled(word string) {
	fmt.Fprintf(&c.b, `<g><title>%s</title>`, html.EscapeString(word))
}

func (c *canvas) end() { c.b.WriteString("</g>") }

// scale maps a value in 0…most to 0…size, whole pixels; what is outside is cut to the edge.
func scale(value, most, size int) int {
	if most < 1 {
		return 0
	}
	return min(max(value, 0), most) * size / most
}

// top is the value that an axis ends at: 1, 2 or 5 times a power of ten, at least most.
func top(most int) int {
	for unit := 1; ; unit *= 10 {
		for _, n := range []int{1, 2, 5} {
			if n*unit >= most {
				return n * unit
			}
		}
	}
}
