package year

import (
	"fmt"
	"time"

	"monban/firmware/calendar"
)

// Errand is something done at the counter, at the office's pages or by phone. Ref is what the world calls the matter that it begins or moves.
type Errand struct {
	Do              Job
	Ref             string
	Zone, Door      string
	Person          string // of the directory
	Guest           string // a name
	Badge, Key      string
	FromMS, UntilMS int64
	N               int
}

// Job is what an errand does.
type Job string

// Jobs at the counter.
const (
	ApplyVisit   Job = "apply" // Guest wants to come to Zone in a window; Person attends. N > 0: a tour of so many
	PhoneVisit   Job = "phone" // the same, and Person has said yes by phone
	ApproveVisit Job = "approve"
	ConfirmPhone Job = "confirm"  // who was phoned confirms it
	DenyPhone    Job = "deny"     // or knows nothing of it
	Receive      Job = "receive"  // the guest is received and lent Badge. N 1: brings a telephone in, 2: leaves it in the locker
	HeadsIn      Job = "heads_in" // N heads of a tour are counted
	HeadsOut     Job = "heads_out"
	BadgeBack    Job = "badge_back"
	BadgeGone    Job = "badge_gone" // lost
	SaysLeft     Job = "says_left"  // somebody says how the guest left, and the visit is closed
	LendCard     Job = "lend_card"  // a temporary card for Person
	CardBack     Job = "card_back"
	StopCard     Job = "stop_card" // Person's own card; FromMS is when it was last surely in hand
	AnswerUses   Job = "answer"    // the holder says what of its uses was theirs: all but number N (from 1)
	AskCard      Job = "ask_card"  // asks for it back
	GiveCard     Job = "give_card" // and gets it
	BreakGlass   Job = "glass"     // an emergency of Person in Zone
	AskEmergency Job = "emergency" // the same, which waits for a second officer
	EndEmergency Job = "end"
	Report       Job = "report"
	CarryIn      Job = "carry_in"   // begins; Key is the thing's serial number, "" = not written down yet; Person attends
	CarryList    Job = "carry_list" // the list is written
	CarryShut    Job = "carry_shut"
	CarryOut     Job = "carry_out" // the same thing comes out
	CarrySettle  Job = "carry_settle"
	LendKey      Job = "lend_key"
	KeyBack      Job = "key_back"
	KeyGone      Job = "key_gone"
	SayPurpose   Job = "purpose" // Person says what the entries of the day of FromMS were for
)

// key is a mechanical key.
type key struct{ id, door string }

// Times of reception: closing, what is granted after a window, how long a key may be out, how long until a report, and how soon the
// server looks at all of it.
const (
	closingS  = 17*3600 + 15*60
	grace     = 15 * 60_000
	keyLoan   = 24 * 3_600_000
	reportDue = 24 * 3_600_000
	telling   = 80 * 60_000
	minute    = 60_000
	hour      = 60 * minute
)

func (m *maker) errand(at int64, e Errand) { m.act(Act{AtMS: at, Do: Counter, Errand: &e}) }

// ref names something at the counter.
func (m *maker) ref(what string) string {
	m.seq++
	return fmt.Sprintf("%s-%d", what, m.seq)
}

// owed, wellKept and noted are lines of the sheet about something at the counter: it has to be told, must not be, and has to be told though
// the case is about something else.
func (m *maker) owed(kind, ref string, from, to int64, tells string) {
	m.counter(Must, kind, ref, from, to, true, tells)
}

func (m *maker) wellKept(kind, ref string, from, to int64, tells string) {
	m.counter(MustNot, kind, ref, from, to, true, tells)
}

func (m *maker) noted(kind, ref string, from, to int64, tells string) {
	m.counter(Must, kind, ref, from, to, false, tells)
}

func (m *maker) counter(v Verdict, kind, ref string, from, to int64, seeded bool, tells string) {
	m.year.Sheet.Cases = append(m.year.Sheet.Cases, Case{Kind: kind, Ref: ref, FromMS: from, ToMS: to, Verdict: v, Seeded: seeded, Tells: tells})
}

// closing is the closing time of the n-th open day after a moment's day; 0 is that day itself.
func (m *maker) closing(ms int64, n int) int64 {
	day := m.dayOf(ms)
	for n > 0 {
		if day = day.AddDays(1); m.cal.IsBusinessDay(day) {
			n--
		}
	}
	return m.clock(day, 0, 0) + closingS*1000
}

// morning is a time of the next open day's morning.
func (m *maker) morning(ms int64) int64 {
	return m.closing(ms, 1) - 8*hour + m.ms(0, 30*time.Minute)
}

// badge puts a card into the counter's drawer.
func (m *maker) badge(temporary bool) string {
	n := len(m.year.Badges)
	c := Card{ID: fmt.Sprintf("b-%04d", n), Facility: facility, Number: uint64(60_001 + n)}
	m.cards = append(m.cards, c)
	m.year.Badges = append(m.year.Badges, Badge{c, temporary})
	return c.ID
}

// attendant is the member of staff who attends visits, approves them and is seen at no door.
func (m *maker) attendant() *person {
	if m.chief == nil {
		m.chief = m.newPerson("a", "施設管理課")
	}
	return m.chief
}

// visit is one visitor's.
type visit struct {
	ref         string
	who         *person
	d           *doorway
	from, until int64
}

// expected is a visitor who wants to come through a door about a time; nobody has applied yet.
func (m *maker) expected(at int64, d *doorway) *visit {
	v := &visit{ref: m.ref("visit"), d: d, from: at - 10*minute, until: at + 20*minute}
	v.who = &person{id: v.ref, name: surnames[m.seq%len(surnames)] + " 客 " + v.ref, card: m.badge(false)}
	m.year.Guests[v.who.name] = v.who.id
	return v
}

// approved is a visit that was applied for and approved.
func (m *maker) approved(at int64, d *doorway) *visit {
	v := m.expected(at, d)
	m.step(v, v.from-40*minute, ApplyVisit, 0)
	m.step(v, v.from-35*minute, ApproveVisit, 0)
	return v
}

func (m *maker) step(v *visit, at int64, do Job, n int) {
	m.errand(at, Errand{
		Do: do, Ref: v.ref, Zone: v.d.Inner, Person: m.attendant().id, Guest: v.who.name, Badge: v.who.card, FromMS: v.from, UntilMS: v.until, N: n,
	})
}

// received is a visitor who is received, goes in and out again.
func (m *maker) received(v *visit, at int64) {
	m.step(v, at-3*minute, Receive, 0)
	m.in(at, v.who, v.d)
	m.out(at+4*minute, v.who, v.d)
}

// wholeVisit is one at which nothing is amiss.
func (m *maker) wholeVisit(at int64, d *doorway) *visit {
	v := m.approved(at, d)
	m.received(v, at)
	m.step(v, at+8*minute, BadgeBack, 0)
	return v
}

// once keeps a day for one case of a kind.
func (m *maker) once(kind string, day calendar.Date) bool {
	k := kind + day.String()
	if m.told[k] {
		return false
	}
	m.told[k] = true
	return true
}

// mechanical makes a key of a door.
func (m *maker) mechanical(door string) string {
	k := key{fmt.Sprintf("K-%04d", len(m.keys)+1), door}
	m.keys = append(m.keys, k)
	return k.id
}
