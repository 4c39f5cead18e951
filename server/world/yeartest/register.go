package yeartest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"monban/firmware/access"
	"monban/server/register"
	"monban/server/web"
	"monban/server/world/year"
)

// Book is what came of holding the register of one zone against the bodies.
type Book struct {
	Zone                         string
	Passages, Rows               int // over the zone's border on a card; rows with a passage
	Complete, NoExit, NoEntry    int
	Missing, Double, Wrong       []string // passages in no row, in several; rows that nothing in the world explains
	Lookups, Uncertain, Mistaken int      // times at which who is inside was asked; people whom no sensor can know about; others
	Mistakes                     []string
}

// crossing is one passage over a zone's border.
type crossing struct {
	at     int64
	person string
	out    bool
	seen   bool // on a card of their own, and the contact saw it
	rows   int
}

// Registers holds the registers of all zones, month by month, and who was inside at asked times, against the bodies.
func (p *Plant) Registers(ctx context.Context, asks int) (out []Book, err error) {
	names := map[string]string{} // full name → person
	dir := p.pub.Site().Directory()
	for i := range dir.People {
		names[dir.People[i].Name] = string(dir.People[i].ID)
	}
	for name, person := range p.Year.Guests {
		names[name] = person
	}
	read := p.Site.Registers(p.pub, p.clock)
	zones, err := read.RegisterZones(ctx)
	if err != nil {
		return nil, err
	}
	for _, z := range zones {
		b := Book{Zone: string(z.ID)}
		truth := p.crossings(b.Zone)
		for from := p.Year.Plan.First; ; {
			last := p.Year.Plan.First.AddDays(p.Year.Plan.Days - 1)
			to := from.AddDays(30)
			if last.Before(to) {
				to = last
			}
			reg, err := read.Register(ctx, web.RegisterQuery{Zone: z.ID, From: from.String(), To: to.String(), Names: true})
			if err != nil {
				return nil, err
			}
			for i := range reg.Rows {
				b.row(&reg.Rows[i], names, truth, p.Tell)
			}
			if to == last {
				break
			}
			from = to.AddDays(1)
		}
		for _, person := range slices.Sorted(keys(truth)) {
			for _, c := range truth[person] {
				switch {
				case c.seen && c.rows == 0:
					b.Missing = append(b.Missing, fmt.Sprintf("%s %s out=%v (%d)", p.Tell(c.at), c.person, c.out, c.at))
				case c.rows > 1:
					b.Double = append(b.Double, fmt.Sprintf("%s %s out=%v (%d)", p.Tell(c.at), c.person, c.out, c.at))
				}
				if c.seen {
					b.Passages++
				}
			}
		}
		if err := p.muster(ctx, read, z.ID, names, truth, asks, &b); err != nil {
			return nil, err
		}
		out = append(out, b)
	}
	return out, nil
}

func keys[K comparable, V any](m map[K]V) func(func(K) bool) {
	return func(yield func(K) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// crossings lists each person's passages over a zone's border, oldest first.
func (p *Plant) crossings(zone string) map[string][]*crossing {
	inner := map[string]year.Doorway{}
	for _, d := range p.Year.Doors {
		inner[d.ID] = d
	}
	out := map[string][]*crossing{}
	for _, x := range p.Year.Sheet.Passages {
		d := inner[x.Door]
		if within(d.Inner, zone) == within(d.Outer, zone) {
			continue
		}
		who := cmp.Or(x.As, x.Person) // the register writes down whose card it was
		out[who] = append(out[who], &crossing{at: x.AtMS, person: who, out: x.Out, seen: x.As != "" && !x.Unseen})
	}
	return out
}

// within reports whether a zone of the made city is, or lies in, another.
func within(in, zone string) bool {
	return in == zone || zone == "office" && (in == "server-room" || in == "media-store")
}

// nearMS is how far a row's time may lie from the moment at which the leaf opened.
const nearMS = 1_500

// row looks for a row's passages among those of its person.
func (b *Book) row(r *web.RegisterRow, names map[string]string, truth map[string][]*crossing, tell func(int64) string) {
	if r.EnteredAt.IsZero() && r.ExitedAt.IsZero() {
		return // of no passage: refused, not entered, nobody known
	}
	b.Rows++
	who := names[r.Who.Name]
	list := truth[who]
	in, out := find(list, r.EnteredAt, false), find(list, r.ExitedAt, true)
	bad := func(what string) {
		b.Wrong = append(b.Wrong, fmt.Sprintf("%s: %s %s %s–%s (%d, %d)", what, r.State, who, tell(r.EnteredAt.UnixMilli()), tell(r.ExitedAt.UnixMilli()), r.EnteredAt.UnixMilli(), r.ExitedAt.UnixMilli()))
	}
	if !r.EnteredAt.IsZero() && in < 0 || !r.ExitedAt.IsZero() && out < 0 {
		bad("nobody passed then")
		return
	}
	for _, n := range []int{in, out} {
		if n >= 0 {
			list[n].rows++
		}
	}
	// What a sensor saw of this person over this border between two moments.
	between := func(from, to int) (seen, unseen int) {
		for _, c := range list[from+1 : to] {
			if c.seen {
				seen++
			} else {
				unseen++
			}
		}
		return seen, unseen
	}
	switch r.State {
	case register.Complete:
		b.Complete++
		if seen, _ := between(in, out); seen != 0 || out < in {
			bad("the pair is none")
		}
	case register.ExitNotRecorded:
		b.NoExit++
		if in+1 < len(list) && list[in+1].seen && list[in+1].out {
			bad("the exit was seen")
		}
	case register.EntryNotRecorded:
		b.NoEntry++
		if out > 0 && list[out-1].seen && !list[out-1].out {
			bad("the entry was seen")
		}
	case register.Inside:
		if in+1 < len(list) && list[in+1].seen && list[in+1].out {
			bad("the exit was seen")
		}
	}
}

// find gives the passage of a direction near a time, -1 when there is none.
func find(list []*crossing, at time.Time, out bool) int {
	if at.IsZero() {
		return -1
	}
	best := -1
	for i, c := range list {
		if d := abs(c.at - at.UnixMilli()); c.out == out && c.seen && d <= nearMS && (best < 0 || d < abs(list[best].at-at.UnixMilli())) {
			best = i
		}
	}
	return best
}

func abs(n int64) int64 { return max(n, -n) }

// muster asks at random times who is inside. Of somebody whose last passage no sensor saw, nobody can know; of all others the list has to
// be right. A moment within seconds of a passage is not asked about.
func (p *Plant) muster(ctx context.Context, read web.Registers, zone access.ZoneID, names map[string]string, truth map[string][]*crossing, asks int, b *Book) error {
	begin, span := p.start.UnixMilli(), int64(p.Year.Plan.Days)*86_400_000
	for n := range asks {
		at := begin + (int64(n)*2+1)*span/int64(asks*2) + int64(n)*3_600_000%86_400_000 // at all hours of the day
		at = min(at, begin+span-1)
		reg, err := read.Present(ctx, zone, time.UnixMilli(at), true)
		if err != nil {
			return err
		}
		b.Lookups++
		listed := map[string]bool{}
		for i := range reg.Rows {
			listed[names[reg.Rows[i].Who.Name]] = true
		}
		for person, list := range truth {
			i, _ := slices.BinarySearchFunc(list, at, func(c *crossing, at int64) int { return cmp.Compare(c.at, at) })
			inside := i > 0 && !list[i-1].out
			if inside == listed[person] {
				continue
			}
			if i > 0 && !list[i-1].seen || i > 0 && at-list[i-1].at < 2*nearMS || i < len(list) && list[i].at-at < 2*nearMS {
				b.Uncertain++
				continue
			}
			b.Mistaken++
			b.Mistakes = append(b.Mistakes, fmt.Sprintf("%s %s: listed %v, inside %v", p.Tell(at), person, listed[person], inside))
		}
	}
	return nil
}
