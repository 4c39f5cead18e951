package web

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const findingLimit = 200

type findingsView struct {
	Base
	All     bool
	Lines   []findingLine
	Total   string
	More    bool
	MayRead bool // may open attempts
}

type findingLine struct {
	ID       string
	Kind     string
	Text     string // what it means and what to do
	Severity Tag
	State    Tag
	Open     bool
	At, Last time.Time
	Count    string // "" = one
	Place    string
	Who      Person
	Nobody   bool
	Attempt  string
	Leaf     string
	Fresh    bool // came since who looks looked last, of a day's page
}

// duressRoles are shown that a PIN was given under duress: nobody else, and nothing at the door (AD-13).
var duressRoles = roleSet(RoleCSIRT)

func (h *Handler) getFindings(w http.ResponseWriter, rq *request) error {
	q := FindingQuery{All: rq.URL.Query().Get("show") == "all", Names: rq.names, Limit: findingLimit, Duress: rq.roles&duressRoles != 0}
	var err error
	if q.In, err = h.reach(rq); err != nil {
		return err
	}
	if rq.names {
		if err := h.src.Audit.RecordAction(rq.Context(), rq.action(ActionViewFindings, "")); err != nil {
			return fmt.Errorf("record view: %w", err)
		}
	}
	list, total, err := h.src.Findings.ListFindings(rq.Context(), q)
	if err != nil {
		return fmt.Errorf("findings: %w", err)
	}
	v := findingsView{Base: h.base(rq, "findings.title"), All: q.All, Total: strconv.Itoa(total), More: total > len(list),
		MayRead: rq.roles&rolesOf("GET /log/{attempt}") != 0}
	for _, f := range list {
		v.Lines = append(v.Lines, v.findingLine(f))
	}
	return h.render(w, rq, "findings", v)
}

func (b Base) findingLine(f Finding) findingLine {
	l := findingLine{ID: f.ID, Kind: b.known("finding", f.Kind), At: f.At, Last: f.Last, Open: f.Open, Attempt: f.Attempt,
		Who: b.person(f.Who), Nobody: f.Who.Ref == "", Place: f.DoorName, Leaf: strconv.FormatUint(f.Leaf, 10)}
	if b.words.has("finding_help." + f.Kind) {
		l.Text = b.T("finding_help." + f.Kind)
	}
	if f.Kind == "decision_mismatch" {
		l.Text = strings.TrimSpace(l.Text + " " + b.mismatch(f.Detail))
	}
	if l.Place == "" {
		l.Place = string(f.Door)
	}
	if l.Place == "" {
		l.Place = string(f.Gateway)
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
func (b Base) mismatch(detail string) string {
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
