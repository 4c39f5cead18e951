package web

import (
	"context"
	"time"

	"monban/firmware/access"
	"monban/server/signoff"
)

// Reviews is the daily review (日次確認) of each zone's log.
type Reviews interface {
	// ReviewDays says how the days from…to of a zone stand (YYYY-MM-DD, both included, at most MaxRegisterDays), oldest first. Days before
	// the log began are left out.
	ReviewDays(ctx context.Context, zone access.ZoneID, from, to string) ([]ReviewDay, error)
	// ReviewDay is one day with everything to be looked at. Without names it holds references instead.
	ReviewDay(ctx context.Context, zone access.ZoneID, day string, names bool) (ReviewSheet, error)
	// ActOnDay writes one act, or gives an error of package signoff and writes nothing. act says who, from where and why.
	ActOnDay(ctx context.Context, zone access.ZoneID, day string, kind signoff.Kind, upto uint64, act Action) error
	// ReviewMonths lists the months from…to (YYYY-MM) that are signed, each with its newest signature.
	ReviewMonths(ctx context.Context, zone access.ZoneID, from, to string) (map[string]SignedMonth, error)
	// SignMonth signs a month of which each day is done, or gives an error of package signoff and writes nothing (VR-4). A month whose days
	// have changed since is signed again.
	SignMonth(ctx context.Context, zone access.ZoneID, month string, act Action) error
	// SignQuiet signs, or countersigns, each quiet day from…to that waits for it, one leaf a day, in one transaction; it gives the days.
	SignQuiet(ctx context.Context, zone access.ZoneID, from, to string, act Action) ([]string, error)
	// Looked writes down that an account has seen a day with the log of this size, and gives its look in an earlier sitting, or when it last signed
	// there; without either its first look, and for that one itself zero times.
	Looked(ctx context.Context, zone access.ZoneID, day, account string, size uint64, at time.Time) (before uint64, beforeAt time.Time, err error)
	// KeepComparison writes down how a day compared with the paper ledger, and what was typed (VR-6); act says who.
	KeepComparison(ctx context.Context, c PaperComparison, typed string, act Action) error
	// Comparisons lists those of the days from…to, in the order of the log. Without names it holds account ids.
	Comparisons(ctx context.Context, zone access.ZoneID, from, to string, names bool) ([]PaperComparison, error)
	ReviewSettings(ctx context.Context) (signoff.Settings, error)
	// SetTwoSign asks for two signatures on a zone's days, or for one again. signers are the accounts that may sign there now:
	// signoff.ErrTooFew when they cannot satisfy it (VR-10). act says why.
	SetTwoSign(ctx context.Context, zone access.ZoneID, two bool, signers []string, act Action) error
}

// SignedMonth is the newest signature of a month.
type SignedMonth struct {
	By   string // full name of the account
	Leaf int64
}

// changed reports whether days of the month have changed since; days are all that the log has of it.
func (s SignedMonth) changed(days []ReviewDay) bool {
	sheets := make([]signoff.Sheet, len(days))
	for i := range days {
		sheets[i] = days[i].Sheet
	}
	return signoff.MonthChanged(sheets, s.Leaf)
}

// PaperComparison is how a day of the log compared with the paper ledger (VR-6).
type PaperComparison struct {
	Zone                        access.ZoneID
	Day                         string
	Matched, LogOnly, PaperOnly int
	At                          time.Time
	By                          string // full name of the account
	Leaf                        uint64
}

// ReviewDay is how one day of a zone stands.
type ReviewDay struct {
	Day      string
	Sheet    signoff.Sheet
	Rows     int
	Findings int
	Covered  bool
	SignedBy string // full name of the account
	SecondBy string
	DueMS    int64
	Two      bool // the zone's days take two persons
}

// ReviewSheet is one day to be signed.
type ReviewSheet struct {
	ReviewDay
	Register Register // the rows of the day; refusals too
	// Ended are rows of earlier days that an exit on this day ended: they stand in the register of their own day, their exit is signed with this one.
	Ended   []RegisterRow
	Late    []string // attempts of rows that came after the signature, of paper the line's number
	Found   []Finding
	History []ReviewAct // oldest first
	Size    uint64      // of the log: what this page has shown
	Out     []DoorOut   // doors that were out of service, in paper mode
	Blank   int         // entries without a purpose where one is asked for
}

// ReviewAct is one act on the day.
type ReviewAct struct {
	Kind   signoff.Kind
	By     string // full name of the account
	AtMS   int64
	Reason string // only with names: it may name people
	Leaf   uint64
	Upto   uint64 // size of the log that the page had shown
}
