package board

import (
	"encoding/xml"
	"fmt"
	"strings"
)

// Measures of the drawing, in SVG units.
const (
	drawWidth   = 1400
	rowHeight   = 34
	groupHeight = 30
	leftWidth   = 240
	rightStart  = 960
)

// Draw is the wiring diagram of a valid profile as SVG: one row a wire, from the gateway on the left to what hangs at its
// end on the right. The same profile gives the same bytes.
func (p *Profile) Draw() []byte {
	wires, _ := p.Sheet()
	var b strings.Builder
	height, group := 90, ""
	for _, w := range wires {
		if w.Group != group {
			group = w.Group
			height += groupHeight
		}
		height += rowHeight
	}
	fmt.Fprintf(&b, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" font-size=\"13\">\n", drawWidth, height, drawWidth, height)
	fmt.Fprintf(&b, "<title>%s</title>\n<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n", escape(p.Name))
	text(&b, 20, 36, "font-size=\"20\" font-weight=\"bold\"", p.Name)
	text(&b, 20, 60, "fill=\"#444\"", "Wiring sheet, drawn from the board profile. Lock supplies, fire release and the maglock's exit button are wires of their own: see the installation guide.")
	y := 80
	group = ""
	for _, w := range wires {
		if w.Group != group {
			group = w.Group
			fmt.Fprintf(&b, "<rect x=\"20\" y=\"%d\" width=\"%d\" height=\"22\" fill=\"#1f3a5f\"/>\n", y, drawWidth-40)
			text(&b, 28, y+16, "fill=\"#fff\" font-weight=\"bold\"", group)
			y += groupHeight
		}
		mid := y + rowHeight/2 - 4
		fmt.Fprintf(&b, "<line x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\" stroke=\"#1f3a5f\" stroke-width=\"1.5\"/>\n", 20+leftWidth, mid, rightStart, mid)
		box(&b, 20, mid, leftWidth, w.From, "#e8eef6")
		x := 20 + leftWidth + 16
		for _, v := range w.Via {
			width := width(v)
			box(&b, x, mid, width, v, "#fff")
			x += width + 12
		}
		box(&b, rightStart, mid, drawWidth-20-rightStart, w.To, "#eef6ea")
		y += rowHeight
	}
	b.WriteString("</svg>\n")
	return []byte(b.String())
}

// width is what a text takes at the size of the drawing's boxes; full-width characters count double.
func width(s string) int {
	n := 0
	for _, r := range s {
		n += 7
		if r > 0x2FFF {
			n += 6
		}
	}
	return n + 14
}

func box(b *strings.Builder, x, mid, w int, s, fill string) {
	fmt.Fprintf(b, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"24\" rx=\"3\" fill=\"%s\" stroke=\"#1f3a5f\"/>\n", x, mid-12, w, fill)
	fit := ""
	if width(s) > w { // squeezed rather than cut off: a pin that cannot be read is a wrong pin
		fit = fmt.Sprintf(" textLength=\"%d\" lengthAdjust=\"spacingAndGlyphs\"", w-12)
	}
	text(b, x+7, mid+4, "font-size=\"12\""+fit, s)
}

func text(b *strings.Builder, x, y int, attrs, s string) {
	fmt.Fprintf(b, "<text x=\"%d\" y=\"%d\" %s>%s</text>\n", x, y, attrs, escape(s))
}

func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a builder does not fail
	return b.String()
}

// PartsList is the parts list and the terminals of a valid profile as Markdown.
func (p *Profile) PartsList() []byte {
	wires, parts := p.Sheet()
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n## Parts\n\n| number | part |\n|---|---|\n", cell(p.Name))
	for _, x := range parts {
		fmt.Fprintf(&b, "| %d | %s |\n", x.Count, cell(x.What))
	}
	b.WriteString("\nBeside these: box with lock, terminals, cable, fuses, mains supply with battery.\n\n## Terminals\n\n| group | gateway | by way of | to | checked |\n|---|---|---|---|---|\n")
	for _, w := range wires {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | ☐ |\n", cell(w.Group), cell(w.From), cell(strings.Join(w.Via, " → ")), cell(w.To))
	}
	return []byte(b.String())
}

func cell(s string) string { return strings.ReplaceAll(s, "|", "\\|") }
