package report

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/skip2/go-qrcode"
)

// Code is a QR code as one path, a unit a module, with the quiet zone around it.
type Code struct {
	Size int
	Path string
}

// QR draws a text, at most about 1,000 bytes.
func QR(text string) (*Code, error) {
	q, err := qrcode.New(text, qrcode.Medium)
	if err != nil {
		return nil, fmt.Errorf("QR code: %w", err)
	}
	m := q.Bitmap()
	var b bytes.Buffer
	for y, row := range m {
		for x := 0; x < len(row); x++ {
			from := x
			for x < len(row) && row[x] {
				x++
			}
			if x > from {
				fmt.Fprintf(&b, "M%d %dh%dv1h-%dz", from, y, x-from, x-from)
			}
		}
	}
	return &Code{len(m), b.String()}, nil
}

// Box is the viewBox of the picture.
func (c *Code) Box() string { return "0 0 " + strconv.Itoa(c.Size) + " " + strconv.Itoa(c.Size) }

// SVG is the code as a picture of its own.
func (c *Code) SVG() []byte {
	return fmt.Appendf(nil, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="%s" shape-rendering="crispEdges"><rect width="100%%" height="100%%" fill="#fff"/><path fill="#000" d="%s"/></svg>`, c.Box(), c.Path)
}

// QRText draws a text as a QR code for a terminal: dark on light whatever its colours are, two rows of modules a line.
func QRText(text string) (string, error) {
	q, err := qrcode.New(text, qrcode.Medium)
	if err != nil {
		return "", fmt.Errorf("QR code: %w", err)
	}
	m := q.Bitmap()
	dark := func(y, x int) bool { return y < len(m) && m[y][x] }
	var b bytes.Buffer
	for y := 0; y < len(m); y += 2 {
		b.WriteString("\x1b[30;107m") // black on white
		for x := range m[y] {
			b.WriteString(map[[2]bool]string{{false, false}: " ", {true, false}: "▀", {false, true}: "▄", {true, true}: "█"}[[2]bool{dark(y, x), dark(y+1, x)}])
		}
		b.WriteString("\x1b[0m\n")
	}
	return b.String(), nil
}
