package visit

import (
	"slices"
	"strings"

	"monban/firmware/access"
	"monban/server/directory"
)

// KeyLoan is a mechanical key that is out (鍵管理簿, EQ-4). While it is out, a door of it that opens without a grant was
// opened with the key (key_entry), not forced (DS-7).
type KeyLoan struct {
	ID       string             `json:"id"`
	Key      string             `json:"key"`   // inventory number of the key
	Label    string             `json:"label"` // what is written on it: 正鍵, rack key 3
	Doors    []access.DoorID    `json:"doors,omitempty"`
	Person   directory.PersonID `json:"person"`
	Purpose  string             `json:"purpose"`
	Out      Step               `json:"out"`
	DueMS    int64              `json:"due_ms"`
	Returned Step               `json:"returned,omitzero"`
	Lost     bool               `json:"lost,omitempty"`
}

// Head implements Matter.
func (k *KeyLoan) Head() Head {
	h := Head{ID: k.ID, Kind: KindKeyLoan, State: "lent", Open: true, FromMS: k.Out.AtMS}
	for _, d := range k.Doors {
		h.Doors = append(h.Doors, string(d))
	}
	if k.Returned.Done() {
		h.State, h.Open, h.UntilMS = "returned", false, k.Returned.AtMS
		if k.Lost {
			h.State = "lost"
		}
	}
	return h
}

// Subject implements Matter.
func (k *KeyLoan) Subject() directory.PersonID { return k.Person }

// LendKey writes a key of the inventory out; what it is called and which doors it opens stands there. out tells whether the key is lent already, by its inventory number; dueMS 0 = as long as is
// allowed.
func LendKey(k KeyLoan, out func(key string) bool, by Actor, nowMS int64, s *Site) (KeyLoan, error) {
	if err := firstErr(free("key", k.Key, 64, true), free("purpose", k.Purpose, maxText, true)); err != nil {
		return KeyLoan{}, err
	}
	if k.DueMS == 0 {
		k.DueMS = nowMS + s.Settings.KeyLoanMS
	}
	switch {
	case k.DueMS <= nowMS || k.DueMS-nowMS > s.Settings.KeyLoanMS:
		return KeyLoan{}, ErrWindow.at("due")
	case s.person(k.Person) == nil || !s.person(k.Person).Active:
		return KeyLoan{}, ErrUnknown.at("person")
	case out(k.Key):
		return KeyLoan{}, ErrBadgeLent.at("key")
	}
	i := slices.IndexFunc(s.Dir.Items, func(x directory.Item) bool { return x.Kind == directory.ItemKey && string(x.ID) == k.Key })
	if i < 0 || s.Dir.Items[i].State == directory.ItemDisposed {
		return KeyLoan{}, ErrUnknown.at("key")
	}
	k.Label, k.Doors = s.Dir.Items[i].Name, nil
	for id := range strings.FieldsSeq(s.Dir.Items[i].Doors) {
		k.Doors = append(k.Doors, access.DoorID(id))
	}
	return KeyLoan{Key: k.Key, Label: k.Label, Doors: k.Doors, Person: k.Person, Purpose: k.Purpose, DueMS: k.DueMS, Out: by.step(nowMS, "")}, nil
}

// Return writes the key in again; lost says that it is gone: locks have to be changed, which is an incident of its own.
func (k *KeyLoan) Return(lost bool, by Actor, nowMS int64, note string) error {
	if k.Returned.Done() {
		return ErrState
	}
	if err := free("note", note, maxText, lost); err != nil {
		return err
	}
	k.Returned, k.Lost = by.step(nowMS, note), lost
	return nil
}
