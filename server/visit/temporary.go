package visit

import (
	"time"

	"monban/firmware/access"
	"monban/server/directory"
)

// TemporaryCard is a card lent to somebody of one's own who has forgotten theirs (仮カード, AD-16). The register shows the
// real person; their own cards are suspended while it is out.
type TemporaryCard struct {
	ID        string             `json:"id"`
	Person    directory.PersonID `json:"person"`
	Badge     string             `json:"badge"`
	Label     string             `json:"label"`
	Identity  Identity           `json:"identity"`
	Reason    string             `json:"reason,omitempty"`
	FromMS    int64              `json:"from_ms"`
	UntilMS   int64              `json:"until_ms"`
	Suspended []directory.CardID `json:"suspended"` // own cards that do not open meanwhile
	Month     int                `json:"month"`     // which temporary card this is in its month, from 1
	Frequent  bool               `json:"frequent,omitempty"`
	Issued    Step               `json:"issued"`
	Returned  Step               `json:"returned,omitzero"`
	Lost      bool               `json:"lost,omitempty"`
}

// Head implements Matter.
func (t *TemporaryCard) Head() Head {
	h := Head{ID: t.ID, Kind: KindTemporary, State: "lent", Open: true, FromMS: t.FromMS, UntilMS: t.UntilMS}
	if t.Returned.Done() {
		h.State, h.Open = "returned", false
		if t.Lost {
			h.State = "lost"
		}
	}
	return h
}

// Subject implements Matter.
func (t *TemporaryCard) Subject() directory.PersonID { return t.Person }

// TemporaryRequest is what reception fills in: a person who was found, a document that was seen, a card that was tapped.
type TemporaryRequest struct {
	Person   directory.PersonID
	Identity Identity
	Badge    *Badge
	Reason   string // may be empty: forgotten
	UntilMS  int64  // 0 = until midnight; at most 24 hours
}

// IssueTemporary lends a temporary card. open are the person's temporary cards that are out, month how many they had in
// the calendar month before this one. It adds no right (D27): whoever has no active card of their own that is in date gets
// none, and it ends with theirs.
func IssueTemporary(r TemporaryRequest, open []TemporaryCard, month int, lent Lent, by Actor, nowMS int64, s *Site) (TemporaryCard, error) {
	var none TemporaryCard
	p := s.person(r.Person)
	if r.UntilMS == 0 {
		r.UntilMS = s.dayOf(nowMS).EndMS(s.Zone)
	}
	if err := free("reason", r.Reason, maxText, false); err != nil {
		return none, err
	}
	switch {
	case p == nil || !p.Active || p.Category == directory.Visitor:
		return none, ErrUnknown.at("person")
	case by.Person == r.Person:
		return none, ErrSamePerson
	case !r.Identity.known():
		return none, ErrIdentity.at("identity")
	case r.UntilMS <= nowMS || r.UntilMS-nowMS > (24*time.Hour).Milliseconds():
		return none, ErrWindow.at("until")
	case r.Badge == nil || r.Badge.Kind != TemporaryKind || r.Badge.Status != BadgeActive || !r.Badge.HasCard():
		return none, ErrBadge.at("badge")
	case lent(r.Badge.ID) != "":
		return none, ErrBadgeLent.at("badge")
	}
	for i := range open {
		if open[i].Person == r.Person && !open[i].Returned.Done() {
			return none, ErrLentTwice.at("person")
		}
	}
	t := TemporaryCard{
		Person: r.Person, Badge: r.Badge.ID, Label: r.Badge.Label, Identity: r.Identity, Reason: r.Reason, FromMS: nowMS, UntilMS: r.UntilMS,
		Month: month + 1, Frequent: month+1 >= s.Settings.TemporaryMonth, Issued: by.step(nowMS, ""),
	}
	recovery := recoveryCards(s.Dir)
	var ends int64 // of the own cards that are in date, the last one's
	for _, c := range s.Dir.Credentials {
		if c.Person != r.Person || c.Status != access.CredentialActive || recovery[c.ID] {
			continue
		}
		t.Suspended = append(t.Suspended, c.ID)
		end := c.ValidUntil.EndMS(s.Zone)
		if c.ValidUntil.IsZero() {
			end = r.UntilMS
		}
		if c.ValidFrom.StartMS(s.Zone) <= nowMS {
			ends = max(ends, end)
		}
	}
	if ends <= nowMS {
		return none, ErrOwnCard.at("person")
	}
	t.UntilMS = min(t.UntilMS, ends)
	return t, nil
}

// recoveryCards are cards that lie in a safe for the day when everything fails (AD-18): nobody forgets one at home, and
// suspending one could lock everybody out.
func recoveryCards(dir *directory.Snapshot) map[directory.CardID]bool {
	out := map[directory.CardID]bool{}
	for i := range dir.Doors {
		for _, c := range dir.Doors[i].Recovery.List() {
			out[c] = true
		}
	}
	return out
}

// Return takes the card back; lost says that it is gone for good. Either way the person's own cards open again.
func (t *TemporaryCard) Return(lost bool, by Actor, nowMS int64, note string) error {
	if t.Returned.Done() {
		return ErrState
	}
	if err := free("note", note, maxText, false); err != nil {
		return err
	}
	t.Returned, t.Lost = by.step(nowMS, note), lost
	return nil
}
