package board

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the sheets anew")

// The sheets in hardware/ are those of the profiles; a profile that was changed and not drawn again fails here.
func TestSheets(t *testing.T) {
	for _, name := range Names() {
		data, err := Text(name)
		if err != nil {
			t.Fatal(err)
		}
		p, err := Parse(name, data)
		if err != nil {
			t.Fatal(err)
		}
		for path, want := range map[string][]byte{"../wiring/" + name + ".svg": p.Draw(), "../bom/" + name + ".md": p.PartsList()} {
			if *update {
				if err := os.WriteFile(path, want, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			got, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s differs from its profile: run `go test ./hardware/board -update`", path)
			}
		}
	}
}

// Every pin, channel and reader of a profile is on its drawing, which is well-formed; a name cannot break out of it.
func TestDrawingIsWhole(t *testing.T) {
	p, err := Parse("f", []byte(strings.Replace(full, `name = "Test"`, `name = "<a & b>"`, 1)))
	if err != nil {
		t.Fatal(err)
	}
	svg := p.Draw()
	dec := xml.NewDecoder(bytes.NewReader(svg))
	var all strings.Builder
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if c, ok := tok.(xml.CharData); ok {
			all.Write(c)
		}
	}
	for _, u := range p.Uses() {
		if want := fmt.Sprintf("GPIO %d (pin ", u.Pin); !strings.Contains(all.String(), want) {
			t.Errorf("%s: %q is not drawn", u.Key, want)
		}
	}
	for _, want := range []string{"<a & b>", "adc, AIN0", "adc, AIN1", "exp, A0", "address 1", "address 2", "/dev/input/by-path/usb-1"} {
		if !strings.Contains(all.String(), want) {
			t.Errorf("%q is not drawn", want)
		}
	}
	if bytes.Contains(svg, []byte("<a &")) {
		t.Error("the name is not escaped")
	}
}

// Each GPIO has its own place on the header.
func TestHeaderPins(t *testing.T) {
	seen := map[int]int{}
	for gpio := 2; gpio <= 27; gpio++ {
		at := headerPin[gpio]
		if other, twice := seen[at]; twice || at < 3 || at > 40 {
			t.Errorf("GPIO %d at %d, which is also GPIO %d", gpio, at, other)
		}
		seen[at] = gpio
	}
}
