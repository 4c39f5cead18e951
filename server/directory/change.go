package directory

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"monban/firmware/access"
	"monban/server/entrylog"
)

// Actor is who makes a change.
type Actor struct {
	Account string // opaque account id, a machine word; "" for the command line
	From    string // class of the origin: "local", "lan", "remote", "cli"
}

// Tx is what a change needs of the store's write transaction.
type Tx interface {
	// Directory loads the whole directory as this transaction sees it.
	Directory() (Snapshot, error)
	// ChangeDirectory writes one row.
	ChangeDirectory(Change) error
	// KeepPlaces writes down where doors lead and which zones there are from atMS on, UTC ms, as far as it is new.
	KeepPlaces(atMS int64) error
	// AppendAction appends an action leaf and gives its index; o holds what may not stand in it.
	AppendAction(a entrylog.Action, o *entrylog.Opening) (int64, error)
}

// ErrNoSuch says that a card, door or grant a change names does not exist.
var ErrNoSuch = errors.New("not in the directory")

// ErrRevoked says that a card was revoked, which is for good.
var ErrRevoked = errors.New("the card is revoked for good")

// ErrNoReason says that a change was asked for without a reason.
var ErrNoReason = errors.New("a change needs a reason")

// Update changes the directory in one transaction: edit works on a copy, the result is validated,
// and each row that differs is written with an action leaf of its own (EV-1, RA-4). With an error
// nothing is written once the caller rolls back. The function may be run again from the start (group
// commit), so edit must not have effects of its own. nowMS is the server's clock, UTC ms.
func Update(tx Tx, actor Actor, reason string, nowMS int64, edit func(*Snapshot) error) ([]Change, error) {
	return writeNoted(tx, actor, reason, "", nowMS, edit)
}

// writeNoted is Update with a note of the program's own behind the reason. The note is not searched for what people must not
// type: a proposal's random number may look like an Individual Number by chance.
func writeNoted(tx Tx, actor Actor, reason, note string, nowMS int64, edit func(*Snapshot) error) ([]Change, error) {
	_, _, changes, err := plan(tx, reason, nowMS, edit)
	if err != nil {
		return nil, err
	}
	for i := range changes {
		c := &changes[i]
		if err := tx.ChangeDirectory(*c); err != nil {
			return nil, fmt.Errorf("%s %s: %w", c.Op, c.Noun(), err)
		}
		leaf, opening := action(c, actor, reason+note, nowMS)
		if _, err := tx.AppendAction(leaf, &opening); err != nil {
			return nil, fmt.Errorf("log %s %s: %w", c.Op, c.Noun(), err)
		}
	}
	if slices.ContainsFunc(changes, func(c Change) bool { return c.Door != nil || c.Zone != nil }) {
		if err := tx.KeepPlaces(nowMS); err != nil {
			return nil, err
		}
	}
	return changes, nil
}

// plan runs an edit on a copy of the directory and says what would change. It writes nothing.
func plan(tx Tx, reason string, nowMS int64, edit func(*Snapshot) error) (base, next Snapshot, changes []Change, err error) {
	if err := reasonFault(reason); err != nil {
		return base, next, nil, err
	}
	if base, err = tx.Directory(); err != nil {
		return base, next, nil, fmt.Errorf("load directory: %w", err)
	}
	next = base.clone()
	if err := edit(&next); err != nil {
		return base, next, nil, err
	}
	if probs := next.Validate(); len(probs) > 0 {
		return base, next, nil, probs
	}
	// The day in UTC is a few hours off the site's: this only insists that an exception was thought of, doors
	// go by InForce.
	for _, w := range weakened(&base, &next, DateOf(time.UnixMilli(nowMS).UTC())) {
		return base, next, nil, Problems{{Text: fmt.Sprintf("zone %s: %s "+needsException, w.zone, w.control, w.control)}}
	}
	return base, next, Diff(base, next), nil
}

// action makes the leaf of a change. What names or numbers a person (person, card and grant
// identifiers, values) goes into the opening (PR-2).
func action(c *Change, actor Actor, reason string, nowMS int64) (entrylog.Action, entrylog.Opening) {
	noun, id := c.row()
	leaf := entrylog.Action{
		Account: actor.Account, Verb: noun + "_" + string(c.Op), Target: noun, ID: id,
		From: actor.From, Result: "ok", Reason: true, AtMS: nowMS,
	}
	opening := entrylog.Opening{Subject: string(c.Subject()), Text: reason + "\n" + c.String()}
	if c.Subject() != "" || entrylog.PersonalTarget(noun) {
		leaf.ID, opening.Target = "", id
	}
	opening.Text = clipText(opening.Text)
	return leaf, opening
}

// clipText keeps what fits into an opening.
const openingText = 4 << 10 // bytes of a text in an opening

func clipText(s string) string {
	if len(s) > openingText {
		return strings.ToValidUTF8(s[:openingText], "") // not half a character
	}
	return s
}

// reasonFault says what is wrong with a reason.
func reasonFault(reason string) error {
	if strings.TrimSpace(reason) == "" {
		return ErrNoReason
	}
	if MyNumber(reason) {
		return Problems{{Column: "reason", Text: noMyNumber}} // VE-5
	}
	return nil
}

// ImportFiles imports in one transaction: all or nothing, one leaf for each row that changed. A dry
// run is the pure Import on a directory that was only read.
func ImportFiles(tx Tx, actor Actor, reason string, files []File, cfg ImportConfig) ([]Change, error) {
	return Update(tx, actor, reason, cfg.Now.UnixMilli(), func(s *Snapshot) error {
		next, _, err := Import(*s, files, cfg)
		if err != nil {
			return err
		}
		*s = next
		return nil
	})
}

// SetCardStatus is Snapshot.SetCardStatus as a transaction (AD-7, AD-17).
func SetCardStatus(tx Tx, actor Actor, reason string, nowMS int64, id CardID, status access.CredentialStatus) ([]Change, error) {
	return Update(tx, actor, reason, nowMS, func(s *Snapshot) error { return s.SetCardStatus(id, status) })
}

// SetPersonActive is Snapshot.SetPersonActive as a transaction.
func SetPersonActive(tx Tx, actor Actor, reason string, nowMS int64, id PersonID, active bool) ([]Change, error) {
	return Update(tx, actor, reason, nowMS, func(s *Snapshot) error { return s.SetPersonActive(id, active) })
}

// SetDoorMode is Snapshot.SetDoorMode as a transaction.
func SetDoorMode(tx Tx, actor Actor, reason string, nowMS int64, id access.DoorID, mode access.DoorMode) ([]Change, error) {
	return Update(tx, actor, reason, nowMS, func(s *Snapshot) error { return s.SetDoorMode(id, mode) })
}

// clone copies the slices, so that an edit of the copy leaves s as it was. Windows, members, workers
// and answers are shared and replaced as a whole, never edited.
func (s *Snapshot) clone() Snapshot {
	return Snapshot{
		People: slices.Clone(s.People), Credentials: slices.Clone(s.Credentials), Zones: slices.Clone(s.Zones),
		Doors: slices.Clone(s.Doors), Gateways: slices.Clone(s.Gateways), Schedules: slices.Clone(s.Schedules),
		Grants: slices.Clone(s.Grants), ClosedDays: slices.Clone(s.ClosedDays), Groups: slices.Clone(s.Groups),
		Contracts: slices.Clone(s.Contracts), Exceptions: slices.Clone(s.Exceptions), Conditions: slices.Clone(s.Conditions),
		Items: slices.Clone(s.Items), Enrolments: slices.Clone(s.Enrolments), Rounds: slices.Clone(s.Rounds), Transfers: slices.Clone(s.Transfers),
	}
}
