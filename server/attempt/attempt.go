// Package attempt folds leaves into lines: everything that carries one attempt id becomes one row of
// the log page and of the register (D15).
//
// The fold is a pure function of the leaves in index order, so that the row which ingest writes and
// the row which verify rebuilds are the same, and an edited row shows (I8). It reads no clock and
// changes nothing but the row it is given.
package attempt

import (
	"time"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/server/entrylog"
)

// Flags of a row. The numbers are stored; new flags are appended.
type Flags uint64

// The flags.
const (
	FlagMidnight  Flags = 1 << iota // the occurred interval crosses midnight (D21)
	FlagMismatch                    // the server would have decided otherwise
	FlagLate                        // a leaf reached the server long after it happened
	FlagOverruled                   // the server's decision was not the one that counted at the door
	FlagLateGrant                   // the server's answer came too late and was ignored
	FlagHeldOpen                    // the door stood open too long
	FlagFinding                     // a finding names this attempt
	FlagTwice                       // two server decisions carry this attempt id
	FlagPurpose                     // what it was for was keyed in at the reader; the opening of that leaf says it (RR-7)
)

// NoIndex stands for "no such leaf".
const NoIndex = -1

// Row is one line. Its columns are those of table attempt.
type Row struct {
	ID       [16]byte
	First    int64 // leaf indices
	Last     int64
	Decision int64 // the server's decision, NoIndex when there is none
	Opening  int64 // leaf whose opening says who, NoIndex when none has one

	Day       string // YYYY-MM-DD in the site's zone, frozen with the first leaf (D21)
	Gateway   string
	Door      string
	Side      string // enter, exit, unknown
	Outcome   string // access.Outcome in words, "" while nothing is decided
	Reason    string // access.Reason
	Failed    string // names joined by "+"
	DecidedBy string // access.DecidedBy in words, "" while nothing is decided
	Policy    uint64
	FromMS    int64 // occurred interval of the first leaf, UTC ms
	ToMS      int64
	Received  int64  // when the first leaf reached the server, UTC ms
	Passage   string // "", or the event that says how it went on: entry, exit, no_entry, lapsed, forced_open, …
	PassedMS  int64  // middle of the passage's interval, 0 = none
	ClosedMS  int64  // 0 = not closed, or not known
	PersonRef []byte // 16 bytes, nil = nobody known
	Flags     Flags
}

// Ref is what the fold may know of a leaf's opening without any key.
type Ref struct {
	Has    bool   // the leaf has an opening
	Person []byte // its person reference, nil when it names nobody
}

// Fold makes rows. Zone is the site's time zone, which days are counted in.
type Fold struct {
	Zone *time.Location
}

func (f Fold) start(r *Row, id [16]byte, idx, from, to, received int64) {
	*r = Row{ID: id, First: idx, Decision: NoIndex, Opening: NoIndex, FromMS: from, ToMS: to, Received: received}
	r.Day = entrylog.Day(from+(to-from)/2, f.Zone)
	if from != to && entrylog.Day(from, f.Zone) != entrylog.Day(to, f.Zone) {
		r.Flags |= FlagMidnight
	}
}

// touch is what every leaf does to its row.
func (r *Row) touch(idx int64, o Ref) {
	r.Last = idx
	if o.Has && (r.Opening == NoIndex || r.PersonRef == nil && o.Person != nil) {
		r.Opening = idx
	}
	if r.PersonRef == nil {
		r.PersonRef = o.Person
	}
}

// Decision folds a decision leaf into r; with fresh the row begins with it.
func (f Fold) Decision(r *Row, fresh bool, idx int64, d *entrylog.Decision, o Ref) {
	if fresh {
		f.start(r, d.Attempt, idx, d.AtMS, d.AtMS, d.AtMS)
		r.Gateway, r.Door, r.Side = d.Gateway, d.Door, d.Side
	}
	r.touch(idx, o)
	switch {
	case r.Decision != NoIndex && !waiting(r.Outcome):
		r.Flags |= FlagTwice
		return
	case r.DecidedBy == access.ByGateway.String(): // the gateway's own record came first
		r.Decision = idx
		if r.Outcome != d.Outcome {
			r.Flags |= FlagOverruled
		}
		return
	}
	r.Decision = idx
	r.Outcome, r.Reason, r.Failed = d.Outcome, d.Reason, join(d.Failed)
	r.DecidedBy, r.Policy = access.ByServer.String(), d.Policy
}

// waiting reports whether a decision only asked for more: the card and the PIN given after it are two
// questions of one attempt, and the second decision is the attempt's.
func waiting(outcome string) bool {
	return outcome == access.NeedPIN.String() || outcome == access.NeedSecond.String() || outcome == access.NeedEscort.String()
}

func join(names []string) string {
	switch len(names) {
	case 0:
		return ""
	case 1:
		return names[0]
	}
	out := names[0]
	for _, n := range names[1:] {
		out += "+" + n
	}
	return out
}

// Record folds a record leaf into r; with fresh the row begins with it. body is the parsed record
// body of the leaf. A record whose Attempt is zero belongs to no row and must not be folded.
func (f Fold) Record(r *Row, fresh bool, idx int64, l *entrylog.Record, body *wire.Record, o Ref) {
	if fresh {
		f.start(r, body.Attempt, idx, l.FromMS, l.ToMS, l.AtMS)
		r.Gateway, r.Door, r.Side = string(body.Gateway), string(body.Door), body.Side.String()
	}
	if body.Event == door.EventPurposeKeyed {
		o = Ref{} // its opening has no decision's inputs: it is never the one that says who
	}
	r.touch(idx, o)
	if l.Mismatch {
		r.Flags |= FlagMismatch
	}
	if l.Late {
		r.Flags |= FlagLate
	}
	middle := l.FromMS + (l.ToMS-l.FromMS)/2
	switch body.Event {
	case door.EventGranted:
		r.decide(access.Granted, body)
	case door.EventCommandDone: // an unlock from afar; a re-arm or self-test lets nobody in
		if body.Reason == access.ReasonGranted {
			r.decide(access.Granted, body)
		} else if r.Passage == "" { // nobody passed, but that it was done is what came of it (RA-4)
			r.pass(body.Event, middle)
		}
	case door.EventDenied, door.EventReadError:
		r.decide(access.Denied, body)
	case door.EventEntry, door.EventExit:
		r.pass(body.Event, middle)
	case door.EventNoEntry, door.EventLapsed, door.EventExitUnattributed, door.EventForcedOpen,
		door.EventInsideOpen, door.EventRequestExit:
		if r.Passage == "" || r.Passage == string(door.EventRequestExit) {
			r.pass(body.Event, middle)
		}
	case door.EventClosed, door.EventHeldEnd:
		if r.ClosedMS == 0 {
			r.ClosedMS = middle
		}
	case door.EventHeldOpen:
		r.Flags |= FlagHeldOpen
	case door.EventLateIgnored:
		r.Flags |= FlagLateGrant
	case door.EventPurposeKeyed:
		r.Flags |= FlagPurpose
	default: // nothing else changes a line; the event is listed with the attempt's leaves
	}
}

func (r *Row) pass(e door.Event, at int64) { r.Passage, r.PassedMS = string(e), at }

// decide takes the decision that counted at the door. It replaces the server's when the door acted
// on another one.
func (r *Row) decide(out access.Outcome, body *wire.Record) {
	if r.Decision != NoIndex && body.By != access.ByServer && r.Outcome != out.String() {
		r.Flags |= FlagOverruled
	}
	if r.Decision != NoIndex && body.By == access.ByServer && !(waiting(r.Outcome) && out == access.Granted) {
		return // the decision leaf has said it already, with more
	}
	r.Outcome, r.Reason, r.Failed = out.String(), body.Reason.String(), body.Failed.String()
	r.DecidedBy, r.Policy = body.By.String(), body.Policy
}

// Finding folds a finding leaf that names the attempt.
func (f Fold) Finding(r *Row, idx int64) {
	r.Last = idx
	r.Flags |= FlagFinding
}
