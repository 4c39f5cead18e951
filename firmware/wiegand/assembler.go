package wiegand

import (
	"fmt"
	"time"
)

// Limits of the signal (pulse interval 200 µs – 20 ms by the interface's usual description; the
// limits here leave a margin to both sides).
const (
	TrainGap     = 25 * time.Millisecond  // this long without an edge ends a train
	MinInterval  = 100 * time.Microsecond // edges closer than this are noise
	BothLines    = 20 * time.Microsecond  // edges on both lines closer than this: short circuit or noise
	RepeatWindow = 200 * time.Millisecond // the same train again within this is flagged
)

// Edge is one falling edge.
type Edge struct {
	Line  uint8  // 0 = D0, a bit 0; 1 = D1, a bit 1
	At    int64  // the kernel's monotonic stamp in ns
	Seqno uint32 // running number over both lines, from 1 as Linux counts (0 is taken too); it wraps round
}

// Format never prints the line: it is a bit of a card number.
func (e Edge) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte("edge")) }

// DropReason says why a train was thrown away.
type DropReason uint8

// Why a train was thrown away. The zero value is "not thrown away".
const (
	DropNone     DropReason = iota
	DropLost                // a hole in the running numbers: edges were lost
	DropInterval            // two edges less than 100 µs apart
	DropBoth                // edges on both lines less than 20 µs apart
	DropLong                // more than 128 bits
	DropDisorder            // a stamp earlier than the one before
	DropLine                // neither line 0 nor line 1
	DropMidTrain            // the beginning was before the assembler's, or after a Flush that came too early
)

var dropNames = [...]string{"none", "edges_lost", "interval", "both_lines", "too_long", "disorder", "line", "mid_train"}

// String is the stable name.
func (r DropReason) String() string {
	if int(r) < len(dropNames) {
		return dropNames[r]
	}
	return "unknown"
}

// Event is a finished train, or with Drop set the news that one was thrown away; then Frame is empty.
type Event struct {
	Frame  Frame
	Drop   DropReason
	Start  int64 // stamp of the first edge, ns
	End    int64 // stamp of the last edge so far, ns
	Repeat bool  // the same train ended at most 200 ms before; replay tools do that, keypads too
}

// Assembler cuts the edges of one reader into trains by the kernel's stamps alone, so that any stall
// between the kernel and here changes nothing. Doubt drops the train: the card is shown again. The
// zero Assembler has listened since time 0.
type Assembler struct {
	frame    Frame
	start    int64
	last     int64 // stamp of the last edge, or since when we listen
	seqno    uint32
	numbered bool // seqno is set
	bad      bool // this train is thrown away and its event is out; wait for a gap

	previous    Frame // the last finished train, to see repeats
	previousEnd int64
}

// NewAssembler makes an assembler that listens since now (monotonic ns): an edge less than 25 ms
// later may belong to a train whose beginning was missed, so that train is dropped. So is the first
// one when its number tells that others were before it.
func NewAssembler(now int64) *Assembler { return &Assembler{last: now} }

// Add takes the next edge in the order of the kernel's buffer. It returns an event when the edge
// ended a train or spoiled one.
func (a *Assembler) Add(e Edge) (Event, bool) {
	lost := e.Seqno > 1
	if a.numbered {
		lost = e.Seqno != a.seqno+1
	}
	since := e.At - a.last
	disorder := e.At < a.last || since < 0
	running := a.frame.n > 0 || a.bad
	apart := !disorder && since >= int64(TrainGap)
	line := a.frame.lastLine()
	a.numbered, a.seqno = true, e.Seqno
	previous := a.last
	a.last = e.At

	switch {
	case lost:
		// The lost edges may be the end of the train before or the beginning of this one.
		return a.drop(DropLost, e, !apart)
	case e.Line > 1:
		return a.drop(DropLine, e, !apart)
	case disorder:
		return a.drop(DropDisorder, e, true)
	case !running && !apart:
		return a.drop(DropMidTrain, e, true)
	case apart:
		ev, ok := a.finish(previous)
		a.begin(e)
		return ev, ok
	case a.bad:
		return Event{}, false
	case since < int64(BothLines) && line != e.Line:
		return a.drop(DropBoth, e, true)
	case since < int64(MinInterval):
		return a.drop(DropInterval, e, true)
	case a.frame.n == MaxBits:
		return a.drop(DropLong, e, true)
	}
	a.frame = a.frame.push(e.Line)
	return Event{}, false
}

// Flush ends the last train when its gap has passed at the time now. Call it at Deadline, and only
// after a read of the kernel's buffer that did not wait and found it empty: otherwise a train that
// is still in the buffer would be cut.
func (a *Assembler) Flush(now int64) (Event, bool) {
	if since := now - a.last; now < a.last || since < int64(TrainGap) {
		return Event{}, false
	}
	ev, ok := a.finish(a.last)
	a.frame, a.bad = Frame{}, false
	return ev, ok
}

// Deadline is when Flush would end the train; ok is false when there is none to end.
func (a *Assembler) Deadline() (at int64, ok bool) {
	return a.last + int64(TrainGap), a.frame.n > 0 || a.bad
}

func (a *Assembler) begin(e Edge) {
	a.frame, a.bad, a.start = Frame{}.push(e.Line), false, e.At
}

// finish gives the train that ended at end, if there is a good one.
func (a *Assembler) finish(end int64) (Event, bool) {
	if a.bad || a.frame.n == 0 {
		return Event{}, false
	}
	ev := Event{Frame: a.frame, Start: a.start, End: end}
	ev.Repeat = a.frame == a.previous && a.start-a.previousEnd <= int64(RepeatWindow)
	a.previous, a.previousEnd = a.frame, end
	return ev, true
}

// drop throws the train away, and says so once a train. With same the edge belongs to a train whose
// loss may have been told already; otherwise it begins one, which is bad from its first edge.
func (a *Assembler) drop(why DropReason, e Edge, same bool) (Event, bool) {
	if a.bad && same {
		return Event{}, false
	}
	if a.frame.n == 0 {
		a.start = e.At
	}
	a.frame, a.bad = Frame{}, true
	return Event{Drop: why, Start: a.start, End: e.At}, true
}

// lastLine is the line of the last edge, for a frame that has one.
func (f Frame) lastLine() uint8 { return f.Bit(int(f.n) - 1) }
