package web

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"monban/server/casework"
	"monban/server/review"
)

type findingLine struct {
	ID       string
	Kind     string
	Text     string  // what it means and what to do
	Detail   string  // what this one is about
	Subject  navItem // page of what it is about; Label "" = none, Href "" = not for who looks
	Severity Tag
	State    Tag
	Open     bool
	rank     int    // severity
	about    string // what tells it from others of its kind and place
	At, Last time.Time
	Count    string // "" = one
	Place    string
	Who      Person
	Nobody   bool
	Attempt  string
	Leaf     string
	Owner    string
	Due      time.Time // zero = not known
	Late     bool
	Level    string        // how far it has gone up, "" = in time
	More     []findingMore // with their places, of the same kind at the same place
	Fresh    bool          // came since who looks looked last, of a day's page
}

// findingMore is another finding of a group.
type findingMore struct {
	ID, Place string
	Count     string // "" = one
	At        time.Time
}

// levelWords are the keys of the texts that say how far a finding has gone up (VR-3).
var levelWords = map[casework.Level]string{casework.ZoneManager: "manager", casework.CISOOffice: "ciso"}

// queue puts what is most severe and has waited longest first, of closed ones the newest, and what is of one kind at one place under the oldest of it. Nothing is left
// out: the others stand below it (VR-1, VR-3). In a disaster those of all places are one group (OP-7).
func queue(lines []findingLine, disaster bool) []findingLine {
	slices.SortStableFunc(lines, func(a, b findingLine) int {
		switch {
		case a.Open != b.Open:
			return cmp.Compare(when(b.Open), when(a.Open))
		case a.Open && a.rank != b.rank:
			return cmp.Compare(b.rank, a.rank)
		case a.Open:
			return a.At.Compare(b.At)
		}
		return b.At.Compare(a.At)
	})
	type group struct{ kind, place, about, state string }
	at := map[group]int{}
	var out []findingLine
	for _, l := range lines {
		g := group{l.Kind, l.Place, l.about + " " + l.Count, l.State.Word + l.Severity.Word} // a number stands alone, or nobody would see it
		if disaster && l.about == "" {
			g.place, g.about = "", "" // when the earth shakes, every door tells the same
		}
		i, known := at[g]
		if !known || !l.Open {
			at[g] = len(out)
			out = append(out, l)
			continue
		}
		out[i].More = append(out[i].More, findingMore{l.ID, l.Place, l.Count, l.At})
	}
	return out
}

func when(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// caseReach is what an account sees of findings and cases: the places of its roles that work or watch them, and with a role of the CISO office, in the places
// of that, what has gone up to it (VR-3).
func (h *Handler) caseReach(rq *request) (in, risen Reach, err error) {
	set := rq.entry & caseRoles
	if rq.names { // a role that sees no names widens none of one that does
		set &^= roleSet(RoleSystemAdmin)
	}
	if in, err = h.reachBy(rq, set); err != nil {
		return in, risen, err
	}
	risen, err = h.reachBy(rq, rq.entry&groupC)
	return in, risen, err
}

func (b speaker) findingLine(f Finding) findingLine {
	l := findingLine{ID: f.ID, Kind: b.known("finding", f.Kind), At: f.At, Last: f.Last, Open: f.Open, Attempt: f.Attempt,
		Who: b.person(f.Who), Nobody: f.Who.Ref == "", Place: f.DoorName, Leaf: strconv.FormatUint(f.Leaf, 10)}
	if b.words.has("finding_help." + f.Kind) {
		l.Text = b.T("finding_help." + f.Kind)
	}
	l.Detail, l.about = b.findingDetail(&f), f.Matter
	if review.Kind(f.Kind).Form() == review.ZoneDay {
		l.about = f.Detail // a day is signed alone
	}
	l.Place = cmp.Or(l.Place, string(f.Door), string(f.Gateway), f.ZoneName, string(f.Zone))
	if f.Drill {
		l.Kind = b.T("outage.drill_mark", "what", l.Kind)
	}
	l.Owner, l.Due, l.rank = f.Owner, f.Due, int(f.Severity)
	l.Late = f.Open && !f.Due.IsZero() && b.now.After(f.Due)
	if word := levelWords[f.Level]; f.Open && word != "" {
		l.Level = b.T("case_level." + word)
	}
	if f.Count > 1 {
		l.Count = strconv.Itoa(f.Count)
	}
	switch f.Severity {
	case SeverityHigh:
		l.Severity = Tag{b.T("severity.high"), ToneAlarm, "alarm"}
	case SeverityMedium:
		l.Severity = Tag{b.T("severity.medium"), ToneWarn, "finding"}
	default:
		l.Severity = Tag{b.T("severity.low"), ToneNote, "dot"}
	}
	l.State = Tag{b.T("finding_state.closed"), ToneQuiet, "check"}
	if f.Open {
		l.State = Tag{b.T("finding_state.open"), ToneWarn, "finding"}
	}
	return l
}

// mismatch puts the detail of a decision_mismatch into sentences: what the server says now, what changed
// in between, how late the record came. "REASON:HOW:late-Ns"; older ones are the reason alone.
func (b speaker) mismatch(detail string) string {
	reason, rest, _ := strings.Cut(detail, ":")
	how, late, _ := strings.Cut(rest, ":")
	var say []string
	switch {
	case reason == "granted":
		say = append(say, b.T("mismatch.agrees"))
	case b.words.has("reason." + reason):
		say = append(say, b.T("mismatch.server", "reason", b.T("reason."+reason)))
	}
	kind, arg, _ := strings.Cut(how, "-")
	switch kind {
	case "rules":
		from, to, _ := strings.Cut(arg, "-")
		say = append(say, b.T("mismatch.rules", "from", from, "to", to))
	case "held":
		if b.words.has("reason." + arg) {
			say = append(say, b.T("mismatch.held", "reason", b.T("reason."+arg)))
		}
	case "mode":
		say = append(say, b.T("mismatch.mode"))
	case "same":
		say = append(say, b.T("mismatch.same"))
	case "unknown":
		say = append(say, b.T("mismatch.unknown"))
	}
	if n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimPrefix(late, "late-"), "s"), 10, 64); err == nil && n > 0 {
		say = append(say, b.T("mismatch.late", "time", b.span(time.Duration(n)*time.Second)))
	}
	return strings.Join(say, " ")
}
