package register

import (
	"cmp"
	"slices"
)

// Slip is a line of a paper ledger, or of the log's register to compare it with (VR-6).
type Slip struct {
	Name  string // as it is compared: without blanks
	InMS  int64
	OutMS int64 // 0 = blank
}

// Match is what came of comparing paper with log.
type Match uint8

// Results of a Pairing.
const (
	Matched   Match = iota
	LogOnly         // the log has it, the paper has not
	PaperOnly       // the paper has it, the log has not
)

// String gives the stable name.
func (m Match) String() string { return [...]string{"matched", "log_only", "paper_only"}[m] }

// Pairing is one line of the comparison. Log is -1 for PaperOnly, Paper -1 for LogOnly.
type Pairing struct {
	Match      Match
	Log, Paper int
	InByMS     int64 // the paper's entry after the log's, of a match
	OutByMS    int64 // likewise of the exit; 0 where one is blank
}

// Reconcile pairs lines of the log with slips of paper: the same name, and entries no further apart than tolerance ms. The closest are paired
// first, each line once; nothing is left out. The result is ordered by the time of entry.
func Reconcile(log, paper []Slip, toleranceMS int64) []Pairing {
	type near struct {
		l, p int
		by   int64
	}
	var all []near
	for i := range log {
		for j := range paper {
			by := paper[j].InMS - log[i].InMS
			if log[i].Name == paper[j].Name && abs(by) <= toleranceMS {
				all = append(all, near{i, j, by})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b near) int { return cmp.Compare(abs(a.by), abs(b.by)) })
	logDone, paperDone := make([]bool, len(log)), make([]bool, len(paper))
	var out []Pairing
	for _, n := range all {
		if logDone[n.l] || paperDone[n.p] {
			continue
		}
		logDone[n.l], paperDone[n.p] = true, true
		m := Pairing{Matched, n.l, n.p, n.by, 0}
		if log[n.l].OutMS != 0 && paper[n.p].OutMS != 0 {
			m.OutByMS = paper[n.p].OutMS - log[n.l].OutMS
		}
		out = append(out, m)
	}
	for i, done := range logDone {
		if !done {
			out = append(out, Pairing{Match: LogOnly, Log: i, Paper: -1})
		}
	}
	for j, done := range paperDone {
		if !done {
			out = append(out, Pairing{Match: PaperOnly, Log: -1, Paper: j})
		}
	}
	at := func(p *Pairing) int64 {
		if p.Log >= 0 {
			return log[p.Log].InMS
		}
		return paper[p.Paper].InMS
	}
	slices.SortStableFunc(out, func(a, b Pairing) int { return cmp.Compare(at(&a), at(&b)) })
	return out
}

func abs(n int64) int64 { return max(n, -n) }
