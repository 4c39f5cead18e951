package web

import (
	"context"
	"time"

	"monban/firmware/access"
	"monban/server/visit"
)

// RowCorrection is what somebody says is wrong in a row of the register. What is empty stays as recorded; without names only who said so
// and when is there.
type RowCorrection struct {
	ID                   string
	Name, Badge, Purpose string
	In, Out              time.Time
	Waits                bool // asked by the person, not answered yet
	Refused              bool
	Reason               string
	Answer               string
	AskedAt, DecidedAt   time.Time // zero = was not
	By                   string    // who decided, by full name
	Due                  time.Time // of one that waits
	Mine                 bool      // set by pages: who looks may not answer it
	Attempt              string    // of the row
	Person               string    // id of whose row it is; never shown
	Who                  string    // the same by name
}

// Corrections are what is put beside rows of the register. A refusal is a *visit.Error.
type Corrections interface {
	// CorrectRow is a manager's: in force at once. attempt is the line that the row begins with.
	CorrectRow(ctx context.Context, zone access.ZoneID, attempt string, right visit.Right, reason string, by visit.Actor) error
	// AskCorrection is a person's, about an own entry.
	AskCorrection(ctx context.Context, attempt string, right visit.Right, reason string, by visit.Actor) error
	AnswerCorrection(ctx context.Context, id string, right bool, answer string, by visit.Actor) error
	// CorrectionsAsked lists those of a zone that wait for an answer.
	CorrectionsAsked(ctx context.Context, zone access.ZoneID) ([]RowCorrection, error)
	// OwnCorrections lists what a person has asked for in the last year, newest first, with the answers.
	OwnCorrections(ctx context.Context, person string) ([]RowCorrection, error)
}
