package authority_test

import (
	"context"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/firmware/wire"
	"monban/server/attempt"
	"monban/server/desk"
	"monban/server/policypub/sitetest"
	"monban/server/store"
)

type oneDesk struct{}

func (oneDesk) Desk(id access.DoorID) (access.GatewayID, bool) { return "gw-1", id == "desk-1" }

type deskHarness struct {
	*harness
	waits *desk.Board
	now   time.Time
}

func newDesk(t *testing.T, least card.Assurance) *deskHarness {
	h := &deskHarness{harness: newHarness(t), waits: &desk.Board{}, now: sitetest.Now()}
	h.SetDesks(oneDesk{}, h.waits, least)
	return h
}

func (h *deskHarness) page(ticket, number string) {
	h.t.Helper()
	if err := h.waits.Begin(ticket, number, "desk-1", h.now); err != nil {
		h.t.Fatal(err)
	}
}

// keyed is one entry of card number at the desk.
func (h *deskHarness) keyed(number uint64, digits string) wire.Ask {
	a := h.withPIN(h.ask(number), number, digits)
	a.Door = "desk-1"
	return a
}

// then is another entry of the same attempt.
func (h *deskHarness) then(a wire.Ask, number uint64, digits string) wire.Ask {
	b := h.keyed(number, digits)
	b.Attempt = a.Attempt
	return b
}

// signIn keys in the page's number and then a PIN.
func (h *deskHarness) signIn(number uint64, pin string) wire.Answer {
	h.t.Helper()
	h.page("T", "4821")
	first := h.keyed(number, "4821")
	if ans := h.answer(first); ans.Outcome != access.NeedPIN {
		h.t.Fatalf("the number: %v %v", ans.Outcome, ans.Reason)
	}
	return h.answer(h.then(first, number, pin))
}

// RA-3, D28, I9: whose card and PIN are right is proved to the page that waits; whatever is wrong with card, person, PIN or assurance
// proves nobody; and no answer at a desk is ever a grant.
func TestDeskSignIn(t *testing.T) {
	for name, c := range map[string]struct {
		card   uint64
		pin    string
		least  card.Assurance
		reason access.Reason
		person string
	}{
		"right":          {4567, "2468", card.UIDOnly, access.ReasonDeskSigned, "1001"},
		"wrong PIN":      {4567, "2469", card.UIDOnly, access.ReasonPINBad, ""},
		"another's PIN":  {4567, "1357", card.UIDOnly, access.ReasonPINBad, ""},
		"no PIN of his":  {4575, "0000", card.UIDOnly, access.ReasonPINBad, ""},
		"suspended":      {4574, "7418", card.UIDOnly, access.ReasonCredentialSuspended, ""},
		"unknown card":   {9999, "2468", card.UIDOnly, access.ReasonUnknownCredential, ""},
		"a grant ended":  {4573, "5260", card.UIDOnly, access.ReasonDeskSigned, "1007"}, // a right to a room is none to a page, nor its end
		"can be copied":  {4567, "2468", card.CardAuth, access.ReasonAssuranceLow, ""},
		"mutual is more": {4567, "2468", card.MutualAuth, access.ReasonAssuranceLow, ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := newDesk(t, c.least)
			ans := h.signIn(c.card, c.pin)
			if ans.Outcome != access.Denied || ans.Reason != c.reason {
				t.Errorf("%v %v, want denied %v", ans.Outcome, ans.Reason, c.reason)
			}
			if person, ok := h.waits.Take("T", h.now); ok != (c.person != "") || person != c.person {
				t.Errorf("proved %q %v, want %q", person, ok, c.person)
			}
			h.Read(func(r *store.ReadTx) error {
				if o, err := r.Opening(int64(ans.Leaf)); err != nil || c.person != "" && o.Person != c.person || len(o.Inputs) != 0 {
					t.Errorf("opening %+v, %v", o, err)
				}
				return nil
			})
		})
	}
}

// RA-3: no page, another number, two pages, another gateway, or a question without an entry: a record, and nothing else. The
// PIN is not even looked at, so that a desk without a page says nothing of PINs.
func TestDeskWithoutAPage(t *testing.T) {
	h := newDesk(t, card.UIDOnly)
	want := func(name string, a wire.Ask, reason access.Reason) {
		t.Helper()
		size := h.Store.Size()
		if ans := h.answer(a); ans.Outcome != access.Denied || ans.Reason != reason {
			t.Errorf("%s: %v %v, want %v", name, ans.Outcome, ans.Reason, reason)
		}
		if h.Store.Size() == size {
			t.Errorf("%s: no leaf", name)
		}
	}
	want("no page", h.keyed(4567, "2468"), access.ReasonDeskNobody)
	h.page("T", "4821")
	want("the PIN in place of the number", h.keyed(4567, "2468"), access.ReasonDeskNobody)
	want("another card's number", h.withPIN(h.keyed(4568, "4821"), 4567, "4821"), access.ReasonDeskNobody)
	bare := h.keyed(4567, "4821")
	bare.PINGiven = false
	want("nothing keyed in", bare, access.ReasonDeskNobody)
	if failed := h.failed(4567); failed != 0 {
		t.Errorf("%d wrong PINs were counted", failed)
	}
	h.page("U", "7310")
	want("two pages", h.keyed(4567, "4821"), access.ReasonDeskNobody)
	h.waits.Drop("U")
	first := h.keyed(4567, "4821")
	if ans := h.answer(first); ans.Outcome != access.NeedPIN {
		t.Fatalf("%+v", ans)
	}
	want("another card in the same attempt", h.then(first, 4568, "1357"), access.ReasonDeskNobody)
	foreign := h.keyed(4567, "2468")
	foreign.Gateway, foreign.Card = "gw-2", h.Sealed("gw-2", 4567)
	want("another gateway", foreign, access.ReasonUnknownDoor)
	exit := h.keyed(4567, "2468")
	exit.Side = access.SideExit
	if ans := h.answer(exit); ans.Outcome == access.Granted {
		t.Error("granted at an exit side of a desk")
	}
	if _, ok := h.waits.Take("T", h.now); ok {
		t.Error("somebody was proved")
	}
}

func (h *deskHarness) failed(number uint64) (failed uint8) {
	h.Read(func(r *store.ReadTx) (err error) { failed, _, err = r.PINCount(h.Ref(number)); return err })
	return failed
}

// RA-3: a read that comes again, or that stands in a rolled-back transaction, proves nobody and changes nothing; the first answer is
// given again.
func TestDeskReplay(t *testing.T) {
	h := newDesk(t, card.UIDOnly)
	h.page("T", "4821")
	first := h.keyed(4567, "4821")
	h.answer(first)
	second := h.then(first, 4567, "2468")
	gone := context.Canceled
	err := h.Store.Write(context.Background(), func(tx *store.Tx) error {
		if _, err := h.Answer(tx, &second, h.now.UnixMilli()); err != nil {
			return err
		}
		return gone
	})
	if stage, _ := h.waits.Look("T", h.now); err == nil || stage != desk.PIN {
		t.Fatalf("not committed: %v, stage %d", err, stage)
	}
	ans := h.answer(second)
	if _, ok := h.waits.Take("T", h.now); !ok {
		t.Fatal("nobody was proved")
	}
	h.page("T2", "4821") // by chance the same number
	size := h.Store.Size()
	for _, a := range []wire.Ask{first, second} {
		again := h.answer(a)
		if a.ID == second.ID && again != ans {
			t.Errorf("again %+v, first %+v", again, ans)
		}
	}
	if stage, _ := h.waits.Look("T2", h.now); stage != desk.Waiting || h.Store.Size() != size {
		t.Errorf("a replay moved something: stage %d, %d leaves", stage, h.Store.Size()-size)
	}
	// The gateway's records of old carry no entry; an entry of the old attempt with a new id is one like any other.
	late := h.then(first, 4567, "2468")
	if ans := h.answer(late); ans.Reason != access.ReasonDeskNobody {
		t.Errorf("the PIN again, in the number's place: %v", ans.Reason)
	}
}

// AD-13: wrong PINs at a desk and at doors are one count; the fifth locks the card out at both, also for the right PIN.
func TestDeskCountsPINs(t *testing.T) {
	h := newDesk(t, card.UIDOnly)
	for range 2 {
		h.answer(h.withPIN(h.ask(4569), 4569, "0000"))
	}
	for n := range 3 {
		if ans := h.signIn(4569, "0000"); ans.Reason != access.ReasonPINBad {
			t.Fatalf("try %d: %v", n, ans.Reason)
		}
	}
	if ans := h.signIn(4569, "8024"); ans.Reason != access.ReasonPINLocked {
		t.Errorf("at the desk: %v", ans.Reason)
	}
	if ans := h.answer(h.withPIN(h.ask(4569), 4569, "8024")); ans.Reason != access.ReasonPINLocked {
		t.Errorf("at the door: %v", ans.Reason)
	}
	if ans := h.signIn(4567, "2469"); ans.Reason != access.ReasonPINBad || h.failed(4567) != 1 {
		t.Errorf("%v, %d", ans.Reason, h.failed(4567))
	}
	if ans := h.signIn(4567, "2468"); ans.Reason != access.ReasonDeskSigned || h.failed(4567) != 0 {
		t.Errorf("%v, %d", ans.Reason, h.failed(4567))
	}
}

// AD-12, I8: the leaves of desk reads verify, and a desk attempt is one line whose outcome is no grant.
func TestDeskLine(t *testing.T) {
	h := newDesk(t, card.UIDOnly)
	ans := h.signIn(4567, "2468")
	h.Read(func(r *store.ReadTx) error {
		row, err := r.AttemptRow(ans.Attempt)
		if err != nil {
			return err
		}
		if row.Door != "desk-1" || row.Outcome != "denied" || row.Reason != "desk_signed" || row.Passage != "" || row.Flags&attempt.FlagTwice != 0 {
			t.Errorf("row %+v", row)
		}
		return nil
	})
}
