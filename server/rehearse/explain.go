package rehearse

import (
	"errors"
	"fmt"

	"monban/firmware/access"
	"monban/server/directory"
)

// Errors of questions that have no answer.
var (
	ErrNoPerson = errors.New("no such person in the directory")
	ErrNoDoor   = errors.New("no such door in the directory")
	ErrNoZone   = errors.New("no such zone in the directory")
	ErrNoPolicy = errors.New("no policy is in force yet")
)

// World is what a question is asked of: a policy, the directory it was compiled from, and the moving state.
type World struct {
	Policy    *access.Policy
	Directory *directory.Snapshot
	// View gives what is known of the moving state around a request. nil supposes the quiet one: nobody
	// inside, no wrong PINs.
	View func(access.Request) access.View
}

// Question is "can this person pass this door at this time?".
type Question struct {
	Person directory.PersonID
	Door   access.DoorID
	Side   access.Side     // SideUnknown means entering
	AtMS   int64           // UTC ms
	PIN    access.PINState // what would be keyed in; PINNone shows whether one is asked for
}

// Answer is the door's own decision for one card, taken apart.
type Answer struct {
	Card     directory.CardID // "" when the person has no card at all
	Decision access.Decision
	Lines    []Line
}

// Explain decides for each card of the person, in the order of their ids. A person without a card gets one
// answer, that of an unknown card, so that "has no card" reads like every other refusal. The first Answer of
// the best outcome is the one to show first; see Best.
func Explain(w World, q Question) ([]Answer, error) {
	if w.Policy == nil || w.Directory == nil {
		return nil, ErrNoPolicy
	}
	if !hasPerson(w.Directory, q.Person) {
		return nil, fmt.Errorf("person %q: %w", q.Person, ErrNoPerson)
	}
	if _, ok := w.Policy.Door(q.Door); !ok {
		return nil, fmt.Errorf("door %q: %w", q.Door, ErrNoDoor)
	}
	var answers []Answer
	for i := range w.Directory.Credentials {
		c := &w.Directory.Credentials[i]
		if c.Person == q.Person {
			answers = append(answers, w.answer(q, c))
		}
	}
	if len(answers) == 0 {
		answers = append(answers, w.answer(q, nil))
	}
	return answers, nil
}

// Best is the index of the answer that comes nearest to a grant, the first among equals; 0 for none.
func Best(answers []Answer) int {
	best := 0
	for i := range answers {
		if answers[i].Decision.Outcome > answers[best].Decision.Outcome {
			best = i
		}
	}
	return best
}

func (w World) answer(q Question, c *directory.Credential) Answer {
	r := access.Request{Door: q.Door, Side: q.Side, PIN: q.PIN, WallMS: q.AtMS, Clock: access.ClockServer, Link: access.LinkServer, HasCard: true}
	if r.Side == access.SideUnknown {
		r.Side = access.SideEnter
	}
	var a Answer
	if c != nil {
		a.Card = c.ID
		r.Key, r.Assurance = access.Key(c.Ref), c.Assurance // the read proves what the card can prove
	}
	a.Decision = access.Decide(w.Policy, w.view(r), r)
	a.Lines = Lines(a.Decision)
	return a
}

func (w World) view(r access.Request) access.View {
	if w.View != nil {
		return w.View(r)
	}
	return access.NewState(access.KnowAll).View(w.Policy, r)
}

func hasPerson(dir *directory.Snapshot, id directory.PersonID) bool {
	for i := range dir.People {
		if dir.People[i].ID == id {
			return true
		}
	}
	return false
}

// Entrant is somebody who can enter, with the card that lets them.
type Entrant struct {
	Person directory.PersonID
	Card   directory.CardID
	// Outcome is Granted, or what the door would ask for: NeedPIN, NeedSecond, NeedEscort.
	Outcome access.Outcome
	Failed  access.ReasonSet // of a grant: what would be flagged
}

// WhoCan lists everybody whom the door would not refuse at that time, by person id; of several cards the best.
// The PIN is left out, so that a card which needs one shows as NeedPIN.
func WhoCan(w World, door access.DoorID, atMS int64) ([]Entrant, error) {
	if w.Policy == nil || w.Directory == nil {
		return nil, ErrNoPolicy
	}
	if _, ok := w.Policy.Door(door); !ok {
		return nil, fmt.Errorf("door %q: %w", door, ErrNoDoor)
	}
	best := make(map[directory.PersonID]Entrant)
	for i := range w.Directory.Credentials {
		c := &w.Directory.Credentials[i]
		d := w.answer(Question{Person: c.Person, Door: door, AtMS: atMS}, c).Decision
		if d.Outcome > best[c.Person].Outcome {
			best[c.Person] = Entrant{Person: c.Person, Card: c.ID, Outcome: d.Outcome, Failed: d.Failed}
		}
	}
	var list []Entrant
	for i := range w.Directory.People {
		if e, ok := best[w.Directory.People[i].ID]; ok {
			list = append(list, e)
		}
	}
	return list, nil
}
