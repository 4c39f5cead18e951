package desk

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/firmware/door"
)

var (
	now = time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC)
	one = door.Attempt{1}
	ref = card.Ref{1}
)

func begin(t *testing.T, b *Board, ticket, number string, desk access.DoorID) {
	t.Helper()
	if err := b.Begin(ticket, number, desk, now); err != nil {
		t.Fatal(err)
	}
}

// RA-3: number, PIN, and the page fetches the person, once.
func TestSignIn(t *testing.T) {
	var b Board
	begin(t, &b, "T", "4821", "desk-1")
	if x := b.Expect("desk-1", one, ref, now); x != (Expected{"T", "4821"}) {
		t.Fatalf("expected %+v", x)
	}
	if x := b.Expect("desk-2", one, ref, now); x != (Expected{}) {
		t.Errorf("another desk: %+v", x)
	}
	b.Numbered("T", one, ref, now)
	if x := b.Expect("desk-1", one, ref, now); x != (Expected{Ticket: "T"}) {
		t.Fatalf("after the number %+v", x)
	}
	for name, x := range map[string]Expected{"another attempt": b.Expect("desk-1", door.Attempt{2}, ref, now), "another card": b.Expect("desk-1", one, card.Ref{2}, now)} {
		if x != (Expected{}) {
			t.Errorf("%s: %+v", name, x)
		}
	}
	b.Judged("T", door.Attempt{2}, "1002", now) // not the attempt whose number was right
	if s, _ := b.Look("T", now); s != PIN {
		t.Errorf("stage %d", s)
	}
	b.Judged("T", one, "1001", now)
	b.Judged("T", one, "1002", now) // a read that comes twice
	if s, _ := b.Look("T", now); s != Proved {
		t.Errorf("stage %d", s)
	}
	if p, ok := b.Take("T", now); !ok || p != "1001" {
		t.Errorf("%q %v", p, ok)
	}
	if p, ok := b.Take("T", now); ok || p != "" {
		t.Errorf("taken twice: %q", p)
	}
}

// RA-3: of two pages that wait at one desk neither gets anything; when one is gone the other goes on.
func TestTwoPagesAtOneDesk(t *testing.T) {
	var b Board
	begin(t, &b, "T", "4821", "desk-1")
	begin(t, &b, "U", "7310", "desk-1")
	for _, ticket := range []string{"T", "U"} {
		if s, n := b.Look(ticket, now); s != Crowded || n != "" {
			t.Errorf("%s: %d %q", ticket, s, n)
		}
	}
	if x := b.Expect("desk-1", one, ref, now); x != (Expected{}) {
		t.Errorf("expected %+v", x)
	}
	b.Numbered("T", one, ref, now) // what was on its way when the second came
	if s, _ := b.Look("T", now); s != Crowded {
		t.Errorf("stage %d", s)
	}
	b.Drop("U")
	if x := b.Expect("desk-1", one, ref, now); x.Number != "4821" {
		t.Errorf("expected %+v", x)
	}
}

// RA-3: a second page that comes after the number changes nothing for the first; it waits until the first is through.
func TestASecondPageAfterTheNumber(t *testing.T) {
	var b Board
	begin(t, &b, "T", "4821", "desk-1")
	b.Numbered("T", one, ref, now)
	begin(t, &b, "U", "7310", "desk-1")
	if s, _ := b.Look("U", now); s != Crowded {
		t.Errorf("stage %d", s)
	}
	if x := b.Expect("desk-1", door.Attempt{2}, ref, now); x != (Expected{}) {
		t.Errorf("another attempt, with two pages: %+v", x)
	}
	b.Judged("T", one, "1001", now)
	if p, ok := b.Take("T", now); !ok || p != "1001" {
		t.Errorf("%q %v", p, ok)
	}
}

// RA-3: three wrong numbers end a page's wait, so does its time; a proved person is not kept.
func TestEnds(t *testing.T) {
	var b Board
	begin(t, &b, "T", "4821", "desk-1")
	for n := range MaxMisses {
		if s, _ := b.Look("T", now); s != Waiting {
			t.Fatalf("after %d misses: %d", n, s)
		}
		b.Missed("T", now)
	}
	if s, _ := b.Look("T", now); s != Refused {
		t.Errorf("stage %d", s)
	}
	b.Numbered("T", one, ref, now)
	if x := b.Expect("desk-1", one, ref, now); x != (Expected{}) {
		t.Errorf("%+v", x)
	}
	begin(t, &b, "U", "7310", "desk-1")
	if x := b.Expect("desk-1", one, ref, now.Add(Life)); x != (Expected{}) {
		t.Errorf("after its time: %+v", x)
	}
	b.Numbered("U", one, ref, now)
	b.Judged("U", one, "1001", now)
	if p, ok := b.Take("U", now.Add(Fetch)); ok {
		t.Errorf("fetched too late: %q", p)
	}
	for i := range maxWaits {
		_ = b.Begin(fmt.Sprint(i), "4821", "desk-3", now)
	}
	if err := b.Begin("x", "4821", "desk-3", now); !errors.Is(err, ErrBusy) {
		t.Errorf("%v", err)
	}
	if err := b.Begin("x", "4821", "desk-3", now.Add(Life)); err != nil {
		t.Errorf("when the others are over: %v", err)
	}
}

// RA-3: whatever happens in whatever order, a page gets only the person who was judged for the attempt that keyed in its own number
// while it was the only one at its desk, once, and within its time.
func TestAnyOrder(t *testing.T) {
	type page struct {
		desk  access.DoorID
		until time.Time
		open  bool
		owner door.Attempt // keyed in the number, alone
		who   string
	}
	rapid.Check(t, func(t *rapid.T) {
		var b Board
		at := now
		pages := map[string]*page{}
		waiting := func(desk access.DoorID) (n int) {
			for _, p := range pages {
				if p.open && p.desk == desk && at.Before(p.until) {
					n++
				}
			}
			return n
		}
		for i := range rapid.IntRange(1, 60).Draw(t, "steps") {
			ticket := rapid.SampledFrom([]string{"A", "B", "C"}).Draw(t, "ticket")
			desk := rapid.SampledFrom([]access.DoorID{"desk-1", "desk-2"}).Draw(t, "desk")
			attempt := door.Attempt{rapid.Uint8Range(1, 3).Draw(t, "attempt")}
			at = at.Add(time.Duration(rapid.IntRange(0, 40).Draw(t, "seconds")) * time.Second)
			p := pages[ticket]
			live := p != nil && p.open && at.Before(p.until)
			switch rapid.IntRange(0, 4).Draw(t, "what") {
			case 0:
				if err := b.Begin(ticket, fmt.Sprint(1000+i), desk, at); err != nil {
					t.Fatal(err)
				}
				pages[ticket] = &page{desk: desk, until: at.Add(Life), open: true}
			case 1:
				x := b.Expect(desk, attempt, ref, at)
				if x.Number == "" {
					continue
				}
				if waiting(desk) != 1 || pages[x.Ticket].desk != desk {
					t.Fatal("a number is expected while not one page waits there")
				}
				b.Numbered(x.Ticket, attempt, ref, at)
				if pages[x.Ticket].owner == (door.Attempt{}) {
					pages[x.Ticket].owner = attempt
				}
			case 2:
				who := fmt.Sprint("person-", i)
				b.Judged(ticket, attempt, who, at)
				if live && p.owner == attempt && p.owner != (door.Attempt{}) {
					p.who, p.until, p.open = who, at.Add(Fetch), false
				}
			case 3:
				who, ok := b.Take(ticket, at)
				if ok && (p == nil || p.who != who || !at.Before(p.until)) {
					t.Fatalf("%s fetched %s", ticket, who)
				}
				delete(pages, ticket)
			default:
				b.Drop(ticket)
				delete(pages, ticket)
			}
		}
	})
}
