package board

import (
	"fmt"

	"monban/firmware/supervision"
)

// StandardLoop is 2.2 kΩ in series, 8.2 kΩ across the contact, 2.2 kΩ to the rail.
func StandardLoop() Loop {
	b := supervision.Standard()
	return Loop{PullUp: 2200, Series: 2200, Parallel: 8200, Short: b.ShortMost, Low: []float64{b.RestLeast, b.RestMost},
		High: []float64{b.ActiveLeast, b.ActiveMost}, Cut: b.CutLeast}
}

// ratios are what the line shows with the contact closed and open.
func (l *Loop) ratios() (low, high float64) {
	s, b := float64(l.Series), float64(l.Series+l.Parallel)
	return s / (s + float64(l.PullUp)), b / (b + float64(l.PullUp))
}

// fill makes the bands from the resistors where the file gives none: a tenth of the rail around each ratio, cut and
// short half way to the ends.
func (l *Loop) fill() {
	if l.PullUp <= 0 || l.Series <= 0 || l.Parallel <= 0 {
		return // Validate says so
	}
	low, high := l.ratios()
	margin := min(0.10, (high-low)/3, (1-high)/3, low/3)
	if len(l.Low) == 0 {
		l.Low = []float64{low - margin, low + margin}
	}
	if len(l.High) == 0 {
		l.High = []float64{high - margin, high + margin}
	}
	if l.Short == 0 {
		l.Short = low / 2
	}
	if l.Cut == 0 {
		l.Cut = 1 - (1-high)/3
	}
}

// Bands are the loop's bands; swapped when the contact is open at rest. Call it on a valid loop.
func (l *Loop) Bands(normallyOpen bool) supervision.Bands {
	return supervision.Bands{ShortMost: l.Short, RestLeast: l.Low[0], RestMost: l.Low[1], ActiveLeast: l.High[0], ActiveMost: l.High[1],
		CutLeast: l.Cut, Swapped: normallyOpen}
}

// Loop finds the loop of an input.
func (p *Profile) Loop(name string) (Loop, bool) {
	if name == "" {
		return StandardLoop(), true
	}
	for _, l := range p.Loops {
		if l.Name == name {
			return l, true
		}
	}
	return Loop{}, false
}

// tolerance of the resistors, and of the rail: 1 % parts over a cable's life.
const tolerance = 0.05

func (l *Loop) validate(f *faults, key string) {
	if l.PullUp <= 0 || l.Series <= 0 || l.Parallel <= 0 {
		f.add(key, "pull_up, series and parallel are resistors in ohms, all above 0")
		return
	}
	if len(l.Low) != 2 || len(l.High) != 2 {
		f.add(key, "low and high are two numbers each: from, to")
		return
	}
	if err := l.Bands(false).Validate(); err != nil {
		f.add(key, "%v; move them apart or leave them out, then they follow from the resistors", err)
		return
	}
	low, high := l.ratios()
	for _, b := range []struct {
		what string
		r    float64
		band []float64
	}{{"low", low, l.Low}, {"high", high, l.High}} {
		if least, most := b.r*(1-tolerance), min(b.r*(1+tolerance), 1); least < b.band[0] || most > b.band[1] {
			f.add(key+"."+b.what, "the resistors give %.2f–%.2f, the band is %.2f–%.2f: another resistor is fitted, or the band is wrong", least, most, b.band[0], b.band[1])
		}
	}
}

// String is for the parts list.
func (l *Loop) String() string {
	return fmt.Sprintf("%s in series, %s across the contact, %s to 3.3 V", ohms(l.Series), ohms(l.Parallel), ohms(l.PullUp))
}

func ohms(n int) string {
	if n >= 1000 {
		return fmt.Sprintf("%g kΩ", float64(n)/1000)
	}
	return fmt.Sprintf("%d Ω", n)
}
