package logcheck

import (
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"monban/server/entrylog"
)

// Who can append a leaf could else say that something was disposed of, and take it: so a run has to have been asked for and approved in the log, be of a
// year that was over, and take leaves of that year only.

// Said is an action leaf of somebody on a run or a record.
type Said struct {
	Idx     int64
	Account string // "" = at the command line
	Note    string // what it says beside the run's id, or the number of the decision
	AtMS    int64
}

// RunWord is what action leaves say of one disposal run.
type RunWord struct{ Asked, Approved, Withdrawn *Said }

// RunWords are those of all runs, by their ids.
type RunWords map[string]*RunWord

// Take takes an action leaf; false when it is not of a disposal run.
func (w RunWords) Take(idx int64, a *entrylog.Action) bool {
	if a.Target != "disposal" || a.Result != "ok" {
		return false
	}
	id, note, _ := strings.Cut(a.ID, ":")
	x := w[id]
	if x == nil {
		x = &RunWord{}
		w[id] = x
	}
	s := &Said{Idx: idx, Account: a.Account, Note: note, AtMS: a.AtMS}
	switch a.Verb {
	case "disposal_asked":
		x.Asked, x.Approved, x.Withdrawn = s, nil, nil
	case "disposal_approved":
		x.Approved = s
	case "disposal_withdrawn":
		x.Withdrawn = s
	}
	return true
}

// Lacks says what a run lacks that two accounts want: "" = nothing. wrong says that a leaf contradicts it; else one is not at hand.
func (w RunWords) Lacks(run string, class entrylog.Class, year uint64, asked, approved string) (what string, wrong bool) {
	x := w[run]
	if x == nil {
		x = &RunWord{}
	}
	by := func(account string, s *Said) bool {
		return account == s.Account || s.Account == "" && strings.HasPrefix(account, "cli-")
	}
	switch {
	case x.Withdrawn != nil:
		return fmt.Sprintf("was withdrawn by leaf %d", x.Withdrawn.Idx), true
	case x.Asked != nil && (x.Asked.Note != fmt.Sprintf("%s:%d", class, year) || !by(asked, x.Asked)):
		return fmt.Sprintf("is not what leaf %d asked for", x.Asked.Idx), true
	case x.Approved != nil && !by(approved, x.Approved):
		return fmt.Sprintf("was approved by another account, in leaf %d", x.Approved.Idx), true
	case x.Asked == nil:
		return "no leaf says that it was asked for", false
	case x.Approved == nil:
		return "no leaf says that it was approved", false
	}
	return "", false
}

// begun is what can be said of a run when it begins.
type begun struct {
	Started  int64
	Lacks    string // by the leaves before it
	Wrong    bool
	Repeated bool  // begun right after a restore: who asked and approved may be in the log that was lost
	MinMS    int64 // the least server time from it on, UTC ms: a clock that is ahead, or that somebody invents, ends no year
	Set      *yearsSet
}

// yearsSet is a leaf by which a class got another period.
type yearsSet struct {
	Idx   int64
	Years int
}

// erasure is a leaf by which an opening was erased.
type erasure struct {
	Idx, Of  int64
	Decision string
	AtMS     int64
	Repeated bool
}

// yearStep is a stretch of leaves whose bodies are there and whose times are of the same fiscal years; near 1 April two are possible.
type yearStep struct {
	First, Last int64
	Lo, Hi      int
}

// slackMS is how far a leaf's time may be from the times of its neighbours, the site's zone included.
const slackMS = 2 * 24 * 60 * 60 * 1000

func yearUTC(ms int64) int { return entrylog.FiscalYear(ms, time.UTC) }

func yearStart(year int) int64 { return time.Date(year, 4, 1, 0, 0, 0, 0, time.UTC).UnixMilli() }

// eldest gives the latest fiscal year in which a moment may be, wherever the site is.
func eldest(ms int64) int { return entrylog.FiscalYear(ms, time.FixedZone("", 14*60*60)) }

// met notes the time of a leaf whose body is there.
func (g *disposed) met(idx, at int64) {
	n := len(g.Steps)
	if n == 0 || at < g.stepFrom || at >= g.stepTo {
		lo, hi := yearUTC(at-slackMS), yearUTC(at+slackMS)
		g.stepFrom, g.stepTo = max(yearStart(lo)+slackMS, yearStart(hi)-slackMS), min(yearStart(lo+1)+slackMS, yearStart(hi+1)-slackMS)
		if n == 0 || g.Steps[n-1].Lo != lo || g.Steps[n-1].Hi != hi {
			g.Steps = append(g.Steps, yearStep{First: idx, Lo: lo, Hi: hi})
			n++
		}
	}
	g.Steps[n-1].Last = idx
	for i := len(g.Begun) - 1; i >= 0 && g.Begun[i].MinMS > at; i-- { // an earlier run has the same or less
		g.Begun[i].MinMS = at
	}
}

// outsideYear gives the first leaf of sorted spans that cannot be of a fiscal year, by the times of those that are left around it, and the year around it.
func (g *disposed) outsideYear(spans entrylog.Spans, year int) (idx int64, around int, ok bool) {
	n := len(g.Steps)
	for _, s := range spans {
		// From its first leaf on, up to the next step, nothing is older than a step allows.
		for i := max(sort.Search(n, func(i int) bool { return g.Steps[i].First > s.From })-1, 0); i < n && g.Steps[i].First < s.To; i++ {
			if year < g.Steps[i].Lo {
				return max(s.From, g.Steps[i].First), g.Steps[i].Lo, true
			}
		}
		// Up to its last leaf, from the step before on, nothing is younger.
		for i := sort.Search(n, func(i int) bool { return g.Steps[i].Last > s.From }); i < n && (i == 0 || g.Steps[i-1].Last < s.To); i++ {
			if year > g.Steps[i].Hi {
				return s.From, g.Steps[i].Hi, true
			}
		}
	}
	return 0, 0, false
}

// retentionAct takes an action leaf.
func (c *Check) retentionAct(idx int64, a *entrylog.Action) {
	g := &c.gone
	if g.Words == nil || g.Decided == nil || g.Years == nil {
		g.Words, g.Decided, g.Years = RunWords{}, map[string][]string{}, map[string]*yearsSet{}
	}
	switch {
	case g.Words.Take(idx, a) || a.Result != "ok":
	case a.Verb == "erasure_decided" && a.Target == "attempt":
		if attempt, decision, ok := strings.Cut(a.ID, ":"); ok {
			g.Decided[decision] = append(g.Decided[decision], attempt)
		}
	case a.Verb == "retention_set" && a.Target == "retention":
		class, text, _ := strings.Cut(a.ID, ":")
		if n, err := strconv.Atoi(text); err == nil {
			g.Years[class] = &yearsSet{idx, n}
		}
	}
}

// begin notes what the leaves so far say of a run that begins.
func (c *Check) begin(d *Disposal) {
	g := &c.gone
	b := begun{Started: d.Started, Repeated: g.Restored, MinMS: d.AtMS, Set: g.Years[d.Class]}
	b.Lacks, b.Wrong = g.Words.Lacks(d.Run, entrylog.Class(d.Class), d.Year, d.Asked, d.Approved)
	g.Begun = append(g.Begun, b)
}

// attemptOf is the attempt of the newest leaf in hex, "" = of none.
func (c *Check) attemptOf() string {
	switch p := &c.parsed; {
	case c.hasRec:
		return entrylog.HexText(c.body.Attempt[:])
	case p.Kind == entrylog.KindDecision:
		return entrylog.HexText(p.Decision.Attempt[:])
	case p.Kind == entrylog.KindSystem:
		return p.System.Value("attempt")
	}
	return ""
}

// finishWords judges runs and erasures by the leaves of those who wanted them. to is one past the last leaf whose body should be at hand.
func (c *Check) finishWords(to int64) {
	g := &c.gone
	for _, b := range g.Begun {
		d := g.Runs[b.Started]
		if d == nil {
			continue
		}
		bad := func(format string, args ...any) { c.Result.Add("log_leaf", Key(b.Started), format, args...) }
		if !disposable(d.Class) {
			bad("is a disposal of class %s, which is never disposed of", d.Class)
		}
		years := 1 // the shortest period there is
		if b.Set != nil && !b.Repeated && !g.actionsGone(b.Set.Idx, d.Started) {
			years = max(years, b.Set.Years)
		}
		if d.Year > 9999 || eldest(b.MinMS) < int(d.Year)+1+years {
			bad("is a disposal of fiscal year %d before its time", d.Year)
		}
		if b.Lacks != "" && (b.Wrong || !b.Repeated && !c.part && b.Started < to && !g.wordGone(b.Started, d.AtMS)) {
			bad("is a disposal that nobody wanted: %s", b.Lacks)
		}
		if idx, year, ok := g.outsideYear(d.Ranges, int(d.Year)); ok {
			bad("takes leaf %d, which lies among leaves of fiscal year %d", idx, year)
		}
	}
	for _, e := range g.Erasures {
		attempts, of := g.Decided[e.Decision], g.Attempts[e.Of]
		if len(attempts) > 0 && (of == "" || slices.Contains(attempts, of)) {
			continue
		}
		if len(attempts) > 0 || !e.Repeated && !c.part && e.Idx < to && !g.wordGone(e.Idx, e.AtMS) {
			c.Result.Add("log_leaf", Key(e.Idx), "erases leaf %d, and no leaf decides so", e.Of)
		}
	}
}

func disposable(class string) bool {
	switch entrylog.Class(class) {
	case entrylog.ClassRegister, entrylog.ClassAction, entrylog.ClassViolation, "directory":
		return true
	}
	return false
}

// wordGone reports whether the word of those who wanted what a leaf says may itself have been disposed of since: operators' leaves of its fiscal year, or of
// the one before, by a run that came later.
func (g *disposed) wordGone(idx, atMS int64) bool {
	for _, d := range g.Runs {
		if d.Class == string(entrylog.ClassAction) && d.Started > idx && int(d.Year) >= yearUTC(atMS-slackMS)-1 && int(d.Year) <= yearUTC(atMS+slackMS) &&
			len(d.Ranges) > 0 && d.Ranges[0].From < idx {
			return true
		}
	}
	return false
}

// actionsGone reports whether operators' leaves between two leaves were disposed of.
func (g *disposed) actionsGone(from, to int64) bool {
	for _, d := range g.Runs {
		if d.Class == string(entrylog.ClassAction) && slices.ContainsFunc(d.Ranges, func(s entrylog.Span) bool { return s.From < to && s.To > from }) {
			return true
		}
	}
	return false
}
