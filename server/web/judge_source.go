package web

import (
	"context"
	"time"

	"monban/firmware/access"
)

// Judge answers "can X enter Y at T?" and "who can enter Y at T?" with the door's own decision. It changes nothing.
type Judge interface {
	// JudgeDoors lists the doors by name.
	JudgeDoors(ctx context.Context) ([]Choice, error)
	// JudgePeople finds people by id, or by a part of a name, reduced name, kana, romaji or section; at most limit.
	JudgePeople(ctx context.Context, text string, limit int) (list []JudgePerson, more bool, err error)
	// Judge decides for each card of a person, the best answer first. ErrNotFound for a person or door that is not there.
	Judge(ctx context.Context, q JudgeQuery) ([]Judgement, error)
	// Entrants lists whom the door would not refuse.
	Entrants(ctx context.Context, door access.DoorID, at time.Time) ([]JudgeEntrant, error)
}

// Choice is one option of a list.
type Choice struct{ ID, Name string }

// JudgePerson is a person to choose.
type JudgePerson struct {
	ID, Name, Section string
	Cards             int
}

// JudgeQuery is one question.
type JudgeQuery struct {
	Person string
	Door   access.DoorID
	Exit   bool
	At     time.Time
}

// Judgement is the decision for one card.
type Judgement struct {
	Card    string // inventory number, "" = the person has none
	Masked  string // its last digits
	Outcome access.Outcome
	Reason  access.Reason
	Checks  []JudgeCheck
	Rights  []JudgeRight // why: each grant for the zone behind the door
}

// JudgeCheck is one check; Result is passed, failed, flagged, asked or not_looked.
type JudgeCheck struct {
	Check   string
	Result  string
	Reasons []access.Reason
}

// JudgeRight is one grant.
type JudgeRight struct {
	Zone     string
	Schedule string
	Hours    []RegWindow
	From     string // first day, "" = always was
	Until    string // last day
}

// JudgeEntrant is somebody whom a door would not refuse.
type JudgeEntrant struct {
	ID, Name, Section string
	Outcome           access.Outcome
	Flags             access.ReasonSet
}
