package wiegand

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"monban/firmware/card"

	"pgregory.net/rapid"
)

const (
	us = int64(time.Microsecond)
	ms = int64(time.Millisecond)
)

// sent is one train as it was put on the cable.
type sent struct {
	frame Frame
	start int64
	hit   bool // noise or loss touched it: it may be dropped
	noisy bool // noise within it: it must be dropped
}

// drawTrains puts 1–6 trains on the cable: 1–128 bits, 0.2–20 ms a bit, at least the gap between.
func drawTrains(t *rapid.T, lengths *rapid.Generator[int]) ([]sent, []Edge) {
	var trains []sent
	var edges []Edge
	at := 30 * ms
	for range rapid.IntRange(1, 6).Draw(t, "trains") {
		var f Frame
		if n := len(trains); n > 0 && rapid.IntRange(0, 4).Draw(t, "again") == 0 {
			f = trains[n-1].frame
		} else {
			for range lengths.Draw(t, "bits") {
				f = f.push(uint8(rapid.IntRange(0, 1).Draw(t, "bit")))
			}
		}
		interval := rapid.Int64Range(200*us, 20*ms).Draw(t, "interval")
		trains = append(trains, sent{frame: f, start: at})
		for i := range f.Len() {
			if i > 0 {
				at += interval
			}
			edges = append(edges, Edge{Line: f.Bit(i), At: at})
		}
		at += rapid.OneOf(rapid.Just(int64(TrainGap)), rapid.Int64Range(int64(TrainGap), 900*ms)).Draw(t, "gap")
	}
	return trains, edges
}

func anyLength() *rapid.Generator[int] {
	return rapid.OneOf(rapid.IntRange(1, MaxBits), rapid.SampledFrom([]int{4, 8, 26, 34, 37}))
}

// deliver plays the kernel and the reader's goroutine: a buffer of size that numbers the edges and
// forgets the oldest, reads of up to 64 edges at any times, the timer's flush after an empty read.
func deliver(t *rapid.T, edges []Edge, size int) []Event {
	a := NewAssembler(0)
	var events []Event
	add := func(ev Event, ok bool) {
		if ok {
			events = append(events, ev)
		}
	}
	var buffer []Edge
	now, next := int64(0), 0
	fill := func() {
		for next < len(edges) && edges[next].At <= now {
			e := edges[next]
			e.Seqno = uint32(next) + 1
			if buffer = append(buffer, e); len(buffer) > size {
				buffer = buffer[1:]
			}
			next++
		}
	}
	for next < len(edges) || len(buffer) > 0 || func() bool { _, open := a.Deadline(); return open }() {
		now += rapid.OneOf(rapid.Int64Range(0, 2*ms), rapid.Int64Range(0, 60*ms), rapid.Int64Range(0, 3000*ms)).Draw(t, "stall")
		fill()
		n := min(len(buffer), rapid.IntRange(1, 64).Draw(t, "read"))
		for _, e := range buffer[:n] {
			add(a.Add(e))
		}
		buffer = buffer[n:]
		if at, open := a.Deadline(); open && now >= at && n == 0 {
			add(a.Flush(now))
		}
	}
	return events
}

// check holds the events against what was sent: no train that was not, none twice, none lost but the
// hit ones, in order.
func check(t *rapid.T, trains []sent, events []Event) {
	t.Helper()
	i := 0
	for _, ev := range events {
		if ev.Drop != DropNone {
			if ev.Frame != (Frame{}) {
				t.Fatal("a dropped train has bits")
			}
			continue
		}
		for i < len(trains) && trains[i].start != ev.Start {
			if !trains[i].hit {
				t.Fatalf("train %d is lost", i)
			}
			i++
		}
		if i == len(trains) || trains[i].frame != ev.Frame {
			t.Fatalf("a train that was not sent: %d bits at %d", ev.Frame.Len(), ev.Start)
		}
		i++
	}
	for ; i < len(trains); i++ {
		if !trains[i].hit {
			t.Fatalf("train %d is lost", i)
		}
	}
}

// However late and in whatever pieces the edges are read, the trains are those that were sent: two
// cards read late never merge, one never splits.
func TestStallsChangeNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		trains, edges := drawTrains(t, anyLength())
		events := deliver(t, edges, 1024)
		check(t, trains, events)
		if len(events) != len(trains) {
			t.Fatalf("%d events for %d trains", len(events), len(trains))
		}
		for i, ev := range events {
			near := false
			if i > 0 {
				near = events[i-1].Frame == ev.Frame && ev.Start-events[i-1].End <= int64(RepeatWindow)
			}
			if ev.Repeat != near {
				t.Fatalf("train %d: repeat %v", i, ev.Repeat)
			}
		}
	})
}

// A kernel buffer that overflows loses trains, and says so; it makes none.
func TestOverflowMakesNoTrain(t *testing.T) {
	lossy := 0
	rapid.Check(t, func(t *rapid.T) {
		trains, edges := drawTrains(t, anyLength())
		for i := range trains {
			trains[i].hit = true
		}
		events := deliver(t, edges, rapid.IntRange(1, 200).Draw(t, "buffer"))
		check(t, trains, events)
		drops := 0
		for _, ev := range events {
			if ev.Drop != DropNone {
				drops++
			}
		}
		if len(events)-drops < len(trains) && drops == 0 {
			t.Fatalf("%d of %d trains and no event", len(events), len(trains))
		}
		lossy += drops
	})
	if lossy == 0 {
		t.Error("nothing was ever lost: the test tests nothing")
	}
}

// Edges that arrive swapped, twice or not at all have wrong numbers: the train is dropped, the
// others are not.
func TestDisturbedDelivery(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		trains, edges := drawTrains(t, anyLength())
		for i := range edges {
			edges[i].Seqno = uint32(i) + 1
		}
		original := slices.Clone(edges)
		owner := func(at int64) int {
			return slices.IndexFunc(trains, func(s sent) bool { return s.start > at })
		}
		hit := func(e Edge) {
			i := owner(e.At)
			if i < 0 {
				i = len(trains)
			}
			// A hole at a border spoils both neighbours: the lost edge may be of either.
			for _, j := range []int{i - 2, i - 1, i} {
				if j >= 0 && j < len(trains) {
					trains[j].hit = true
				}
			}
		}
		for range rapid.IntRange(1, 4).Draw(t, "faults") {
			if len(edges) < 3 {
				break
			}
			// Not the very last edge: nobody can see that it is missing (kernels forget the oldest).
			i := rapid.IntRange(1, len(edges)-2).Draw(t, "where")
			hit(edges[i])
			hit(edges[i-1])
			hit(edges[i+1])
			switch rapid.IntRange(0, 2).Draw(t, "fault") {
			case 0:
				edges = slices.Delete(edges, i, i+1)
			case 1:
				edges[i], edges[i-1] = edges[i-1], edges[i]
			case 2:
				edges = slices.Insert(edges, i, edges[i])
			}
		}
		a := NewAssembler(0)
		var events []Event
		for _, e := range edges {
			if ev, ok := a.Add(e); ok {
				events = append(events, ev)
			}
		}
		if ev, ok := a.Flush(1 << 60); ok {
			events = append(events, ev)
		}
		check(t, trains, events)
		if !slices.ContainsFunc(events, func(e Event) bool { return e.Drop == DropLost }) && !slices.Equal(edges, original) {
			t.Fatal("faults without an event")
		}
	})
}

// A pulse less than 100 µs from a real one, as noise and bounce make it, spoils its train only.
func TestNoiseNearPulses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		trains, edges := drawTrains(t, anyLength())
		for range rapid.IntRange(1, 5).Draw(t, "noise") {
			i := rapid.IntRange(0, len(edges)-1).Draw(t, "near")
			at := edges[i].At + rapid.Int64Range(0, int64(MinInterval)-1).Draw(t, "after")
			for j := range trains {
				if trains[j].start <= at && (j+1 == len(trains) || at < trains[j+1].start) {
					trains[j].hit, trains[j].noisy = true, true
				}
				if after := trains[j].start - at; after > 0 && after < int64(TrainGap) {
					trains[j].hit = true // the pulse bridges the gap
				}
			}
			edges = slices.Insert(edges, i+1, Edge{Line: uint8(rapid.IntRange(0, 1).Draw(t, "line")), At: at})
			slices.SortStableFunc(edges, func(a, b Edge) int { return int(a.At - b.At) })
		}
		events := deliver(t, edges, 4096)
		check(t, trains, events)
		for i, s := range trains {
			if s.noisy && slices.ContainsFunc(events, func(e Event) bool { return e.Drop == DropNone && e.Start == s.start }) {
				t.Fatalf("train %d with noise is taken", i)
			}
		}
	})
}

// Noise that looks like pulses, and pulses that are missing without a trace: the reader's length
// check leaves no card that was not shown.
func TestNoiseIsNoCard(t *testing.T) {
	set := mustSet(t, "none", "H10301", "H10306")
	layout := mustLookup(t, "H10301")
	cards := 0
	rapid.Check(t, func(t *rapid.T) {
		var edges []Edge
		shown := map[card.Credential]bool{}
		at := 30 * ms
		for range rapid.IntRange(1, 4).Draw(t, "cards") {
			f, err := Encode(layout, Fields{FC: rapid.Uint64Range(0, 255).Draw(t, "fc"), CN: rapid.Uint64Range(0, 65535).Draw(t, "cn")})
			if err != nil {
				t.Fatal(err)
			}
			c, err := Decode(layout, f)
			if err != nil {
				t.Fatal(err)
			}
			shown[c] = true
			for i := range f.Len() {
				edges = append(edges, Edge{Line: f.Bit(i), At: at})
				at += 2 * ms
			}
			at += 200 * ms
		}
		// Only more or only fewer: one lost and one invented in one train is another card on this
		// cable, and nobody can tell.
		if rapid.Bool().Draw(t, "more") {
			for range rapid.IntRange(1, 7).Draw(t, "noise") {
				edges = append(edges, Edge{Line: uint8(rapid.IntRange(0, 1).Draw(t, "line")), At: rapid.Int64Range(26*ms, at).Draw(t, "at")})
			}
			slices.SortStableFunc(edges, func(a, b Edge) int { return int(a.At - b.At) })
		} else {
			for range rapid.IntRange(1, 20).Draw(t, "missing") {
				i := rapid.IntRange(0, len(edges)-1).Draw(t, "which")
				edges = slices.Delete(edges, i, i+1)
				if len(edges) == 0 {
					return
				}
			}
		}
		for _, ev := range deliver(t, edges, 4096) {
			if ev.Drop != DropNone {
				continue
			}
			r, err := set.Decode(ev.Frame)
			if err == nil && !shown[r.Card] {
				t.Fatalf("a card that was not shown")
			}
			if err == nil {
				cards++
			}
		}
	})
	if cards == 0 {
		t.Error("never a card: the test tests nothing")
	}
}

// The limits, at the nanosecond and the bit.
func TestAssemblerLimits(t *testing.T) {
	type step struct {
		line  uint8
		after int64
		hole  uint32
	}
	bits := func(n int, after int64) []step {
		s := make([]step, n)
		for i := range s {
			s[i] = step{line: uint8(i) & 1, after: after}
		}
		return s
	}
	first := step{after: 25 * ms}
	for name, tt := range map[string]struct {
		steps []step
		want  string
	}{
		"one train":           {append([]step{first}, bits(3, ms)...), "4"},
		"gap":                 {[]step{first, {after: 25 * ms}}, "1 1*"},
		"almost a gap":        {[]step{first, {after: 25*ms - 1}}, "2"},
		"from the start":      {[]step{{after: 25*ms - 1}, {after: ms}, {after: 25 * ms}}, "mid_train 1"},
		"shortest interval":   {[]step{first, {after: 100 * us}, {line: 1, after: 100 * us}}, "3"},
		"too short":           {[]step{first, {after: 100*us - 1}, {after: ms}}, "interval"},
		"too short, other":    {[]step{first, {line: 1, after: 20 * us}}, "interval"},
		"both lines":          {[]step{first, {line: 1, after: 20*us - 1}}, "both_lines"},
		"same time":           {[]step{first, {line: 1}}, "both_lines"},
		"longest":             {append([]step{first}, bits(127, ms)...), "128"},
		"too long":            {append([]step{first}, bits(300, ms)...), "too_long"},
		"back in time":        {[]step{first, {after: -1}, {after: ms}}, "disorder"},
		"back, then good":     {[]step{first, {after: -1}, {after: 25 * ms}}, "disorder 1"},
		"no such line":        {[]step{first, {line: 2, after: ms}}, "line"},
		"hole":                {[]step{first, {after: ms, hole: 1}, {after: ms}}, "edges_lost"},
		"hole in the gap":     {[]step{first, {after: 30 * ms, hole: 1}, {after: ms}}, "edges_lost"},
		"hole, then good":     {[]step{first, {after: ms, hole: 1}, {after: 25 * ms}, {after: ms}}, "edges_lost 2"},
		"two holes":           {[]step{first, {after: ms, hole: 1}, {after: ms, hole: 1}}, "edges_lost"},
		"two spoiled trains":  {[]step{first, {after: ms, hole: 1}, {after: 30 * ms, hole: 1}}, "edges_lost edges_lost"},
		"bad, then two good":  {[]step{first, {}, {after: 25 * ms}, {after: 25 * ms}}, "interval 1 1*"},
		"twice within 200 ms": {[]step{first, {after: 200 * ms}}, "1 1*"},
		"twice after 200 ms":  {[]step{first, {after: 200*ms + 1}}, "1 1"},
		"another within":      {[]step{first, {line: 1, after: 100 * ms}}, "1 1"},
	} {
		a := NewAssembler(1e9)
		at, seqno := int64(1e9), uint32(0)
		got := ""
		note := func(ev Event, ok bool) {
			switch {
			case !ok:
			case ev.Drop != DropNone:
				got += " " + ev.Drop.String()
			case ev.Repeat:
				got += fmt.Sprintf(" %d*", ev.Frame.Len())
			default:
				got += fmt.Sprintf(" %d", ev.Frame.Len())
			}
		}
		for _, s := range tt.steps {
			at += s.after
			seqno += 1 + s.hole
			note(a.Add(Edge{s.line, at, seqno}))
		}
		note(a.Flush(at + int64(TrainGap) - 1))
		deadline, open := a.Deadline()
		if !open || deadline != at+int64(TrainGap) {
			t.Errorf("%s: deadline %d %v", name, deadline, open)
		}
		note(a.Flush(deadline))
		note(a.Flush(deadline))
		if got != " "+tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
		if _, open := a.Deadline(); open {
			t.Errorf("%s: still open", name)
		}
	}
}

// The running number wraps round; a first number above 1 says that others were before it.
func TestRunningNumber(t *testing.T) {
	a := NewAssembler(0)
	a.seqno, a.numbered = 0xfffffffe, true
	for i, n := range []uint32{0xffffffff, 0, 1} {
		if ev, ok := a.Add(Edge{0, 30*ms + int64(i)*ms, n}); ok {
			t.Fatal(ev.Drop)
		}
	}
	if ev, ok := a.Flush(1 << 60); !ok || ev.Frame.Len() != 3 {
		t.Error("no train across the wrap")
	}
	for first, lost := range map[uint32]bool{0: false, 1: false, 2: true, 0xffffffff: true} {
		ev, ok := NewAssembler(0).Add(Edge{0, 30 * ms, first})
		if ok != lost || lost && ev.Drop != DropLost {
			t.Errorf("first number %d: %v %v", first, ok, ev.Drop)
		}
	}
}

// A flush that came before the kernel's buffer was empty cuts a train; its rest is not taken for one.
func TestRestAfterEarlyFlush(t *testing.T) {
	a := NewAssembler(0)
	a.Add(Edge{0, 100 * ms, 1})
	if _, ok := a.Flush(125 * ms); !ok {
		t.Fatal("no train")
	}
	ev, ok := a.Add(Edge{0, 101 * ms, 2})
	if !ok || ev.Drop != DropMidTrain {
		t.Errorf("%v %v", ev.Drop, ok)
	}
	if ev, ok := a.Flush(1 << 60); ok {
		t.Errorf("a train of %d bits", ev.Frame.Len())
	}
}
