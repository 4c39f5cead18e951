package sim

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/server/directory"
	"monban/server/visit"
	"monban/server/world/invariant"
)

// A counter with random people at it, links that go and servers that start anew. What may be opened is kept here a second time, as
// simply as it can be said.

// loan is what somebody was given: a badge of a visit, a temporary card, or an own card (until it is stopped).
type loan struct {
	card        string
	zones       []string
	from, until int64 // UTC ms; the door opens in [from, until)
	given       int64
	back        int64 // 0 = still out
	visit       string
	person      string // whose temporary card
}

type asked struct {
	id          string
	by          string
	from, until int64
	zones       []string
	guests      int
	approved    bool
	received    int
	denied      bool
	oral        bool
}

type counter struct {
	t      *testing.T
	w      *World
	rng    *rand.Rand
	loans  []*loan
	visits []*asked
	faults bool // a link is down, or something has just come back
	calm   time.Duration
	last   map[door.Attempt]bool // attempts that released a lock
	wrong  []string
}

func counterFiles() []directory.File {
	file := func(kind directory.Kind, text string) directory.File {
		return directory.File{Name: string(kind) + ".csv", Kind: kind, Data: []byte(text)}
	}
	return []directory.File{
		file(directory.KindGateways, "gateway_id,name\ngw-1,箱 1\ngw-2,箱 2\n"),
		file(directory.KindZones, "zone_id,name,level,min_assurance\nroom,サーバ室,1,uid_only\nstore,媒体庫,1,uid_only\n"),
		file(directory.KindDoors, "door_id,name,gateway_id,enter_zone,kind,exit,offline,max_age\nfront,正面,gw-1,room,controlled,reader,cached,24h\nside,脇,gw-2,store,controlled,reader,cached,24h\n"),
		file(directory.KindSchedules, "schedule_id,name,days,from,to\nalways,常時,every,0:00,24:00\n"),
		file(directory.KindPeople, "person_id,name,section,category\n1001,髙橋,課,staff\n1002,﨑山,課,staff\n1003,𠮷田,課,staff\n1004,渡邉,課,staff\n"),
		file(directory.KindCards, "card_id,person_id,format,facility_code,card_number,assurance\nc-1,1001,H10301,123,1,uid_only\nc-2,1002,H10301,123,2,uid_only\nc-3,1003,H10301,123,3,uid_only\n"),
		file(directory.KindGrants, "person_id,zone_id,schedule_id\n1001,room,always\n1002,room,always\n1003,room,always\n"),
	}
}

// doors and the zone behind each.
var behind = map[string]string{"front": "room", "side": "store"}

// VE-1, VE-3, VE-9, VE-12, AD-16, AD-17, I5: whatever is done at the counter, in whatever order, with links that go and a server that
// starts anew: a lent card opens what was approved, while it is lent and in its window, and nothing else; linked it does so each
// time; nobody approves what they asked for. MONBAN_COUNTER is how many days (8).
func TestRandomCounter(t *testing.T) {
	t.Parallel()
	days := 8
	if testing.Short() {
		days = 2
	}
	if n, err := strconv.Atoi(os.Getenv("MONBAN_COUNTER")); err == nil {
		days = n
	}
	var mu sync.Mutex
	total := map[string]int{}
	t.Cleanup(func() {
		for _, what := range []string{"received", "granted", "denied", "taken back", "temporary", "stopped", "link", "approved", "disowned"} {
			if total[what] == 0 {
				t.Errorf("nothing was %s in %d days: %v", what, days, total)
			}
		}
	})
	for seed := range days {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			counts := randomDay(t, uint64(seed)) //nolint:gosec // counts from 0
			mu.Lock()
			defer mu.Unlock()
			for k, n := range counts {
				total[k] += n
			}
		})
	}
}

func randomDay(t *testing.T, seed uint64) (counts map[string]int) {
	zone, err := time.LoadLocation("Asia/Tokyo")
	if err != nil {
		t.Fatal(err)
	}
	c := &counter{t: t, rng: rand.New(rand.NewPCG(seed, 7)), last: map[door.Attempt]bool{}}
	var stock []Stock
	for i, id := range []string{"B-1", "B-2", "B-3", "T-1"} {
		kind := visit.VisitorBadge
		if id[0] == 'T' {
			kind = visit.TemporaryKind
		}
		stock = append(stock, Stock{ID: id, Kind: kind, Label: id, Look: "黄", Number: Number{"H10301", 123, uint64(500 + i)}}) //nolint:gosec // small
	}
	c.w, err = New(Options{
		Seed: seed, Start: time.Date(2026, 11, 24, 8, 0, 0, 0, zone), Zone: zone, Site: "counter", Files: counterFiles(), Relative: true, Stock: stock,
		Watch: c.watch,
	})
	if err != nil {
		t.Fatal(err)
	}
	now := c.w.wallMS()
	for i := range 3 {
		c.loans = append(c.loans, &loan{card: "c-" + strconv.Itoa(i+1), person: "100" + strconv.Itoa(i+1), zones: []string{"room"}, from: 0, until: now + 9e10, given: 0})
	}
	c.run(time.Minute)
	counts = map[string]int{}
	for range 260 {
		counts[c.act()]++
		if len(c.wrong) > 0 {
			t.Fatalf("seed %d at %s: %s\n%v", seed, c.w.Wall().In(zone).Format("15:04:05"), strings.Join(c.wrong, "\n"), counts)
		}
	}
	return counts
}

func (c *counter) run(d time.Duration) {
	if err := c.w.Run(d); err != nil {
		c.wrong = append(c.wrong, err.Error())
	}
}

func (c *counter) fail(format string, args ...any) {
	c.wrong = append(c.wrong, fmt.Sprintf(format, args...))
}

// may reports whether a card may open a door, by what was given; slack is for news that is on its way.
func (c *counter) may(card, doorName string, at int64, slack int64) bool {
	return slices.ContainsFunc(c.loans, func(l *loan) bool {
		return l.card == card && slices.Contains(l.zones, behind[doorName]) && at >= max(l.from, l.given) && at < l.until &&
			(l.back == 0 || at <= l.back+slack)
	})
}

// watch holds each opening of a lock against what was given.
func (c *counter) watch(e *invariant.Event) {
	if e.Kind != invariant.Edge {
		return
	}
	c.last[e.Attempt] = true
	slack := int64(5000)
	if !e.Linked {
		slack = 24 * 3_600_000 // a gateway that hears nothing goes by its last policy until the window's end
	}
	if e.Side == access.SideEnter && !c.may(e.Card, string(e.Door), e.WallMS, slack) {
		c.fail("%s opened %s and may not (linked %t)", e.Card, e.Door, e.Linked)
	}
}

func by(person string) visit.Actor {
	return visit.Actor{Account: "a-" + person, Person: directory.PersonID(person)}
}

var reception = visit.Actor{Account: "reception"}

// refused tells a refusal from a fault of the test.
func (c *counter) refused(err error) bool {
	var r *visit.Error
	if err != nil && !errors.As(err, &r) && c.w.server.up {
		c.fail("not a refusal: %v", err)
	}
	return err != nil
}

func pick[T any](c *counter, list []T) (x T, ok bool) {
	if len(list) == 0 {
		return x, false
	}
	return list[c.rng.IntN(len(list))], true
}

// act does one thing and says what.
func (c *counter) act() string {
	defer c.run(time.Duration(c.rng.IntN(20)+6) * time.Second)
	now := c.w.wallMS()
	switch n := c.rng.IntN(100); {
	case n < 8:
		return c.apply(now)
	case n < 18:
		return c.approve()
	case n < 32:
		return c.receive(now)
	case n < 40:
		return c.takeBack(now)
	case n < 44:
		return c.temporary(now)
	case n < 47:
		return c.stop(now)
	case n < 51:
		return c.oral(now)
	case n < 54:
		return c.fault()
	case n < 58:
		c.run(time.Duration(c.rng.IntN(40)) * time.Minute)
		return "time"
	}
	return c.badge()
}

func (c *counter) apply(now int64) string {
	a := &asked{by: "100" + strconv.Itoa(1+c.rng.IntN(4)), guests: 1 + c.rng.IntN(2), oral: c.rng.IntN(2) == 0}
	a.from = now + int64(c.rng.IntN(80)-20)*60_000
	a.until = a.from + int64(20+c.rng.IntN(100))*60_000
	for _, z := range []string{"room", "store"} {
		if c.rng.IntN(2) == 0 {
			a.zones = append(a.zones, z)
		}
	}
	app := visit.Application{
		Type: visit.Meeting, Purpose: "検査", System: "なし", FromMS: a.from, UntilMS: a.until, Section: "課", Company: "議会", Attendee: "1001",
	}
	for _, z := range a.zones {
		app.Zones = append(app.Zones, access.ZoneID(z))
	}
	for i := range a.guests {
		app.Guests = append(app.Guests, visit.Guest{Name: "客 " + strconv.Itoa(i), Category: directory.Visitor})
	}
	phone := directory.PersonID("")
	if a.oral {
		phone = directory.PersonID("100" + strconv.Itoa(1+c.rng.IntN(4)))
	}
	id, _, err := c.w.ApplyVisit(app, phone, by(a.by))
	switch wrong := len(a.zones) == 0 || a.until <= now || string(phone) == a.by; {
	case c.refused(err) != wrong && c.w.server.up:
		c.fail("application with zones %v, window %d–%d at %d, by %s, phone %q: %v", a.zones, a.from, a.until, now, a.by, phone, err)
	case err == nil:
		a.id, a.approved = id, a.oral
		c.visits = append(c.visits, a)
	}
	return "applied"
}

func (c *counter) approve() string {
	a, ok := pick(c, c.visits)
	if !ok {
		return "idle"
	}
	who := "100" + strconv.Itoa(1+c.rng.IntN(4))
	err := c.w.ApproveVisit(a.id, by(who))
	if err == nil && (who == a.by || a.approved || c.w.wallMS() >= a.until) {
		c.fail("%s approved what %s asked for (approved %t)", who, a.by, a.approved)
	}
	if c.refused(err) {
		return "not approved"
	}
	a.approved = true
	return "approved"
}

const early = 30 * 60_000

func (c *counter) receive(now int64) string {
	a, ok := pick(c, c.visits)
	if !ok || a.received >= a.guests {
		return "idle"
	}
	badge := "B-" + strconv.Itoa(1+c.rng.IntN(3))
	err := c.w.ReceiveGuest(a.id, visit.Reception{Guest: a.received, Identity: visit.Passport}, badge, -1, "", reception)
	out := slices.ContainsFunc(c.loans, func(l *loan) bool { return l.card == badge && l.back == 0 })
	may := a.approved && !a.denied && now >= a.from-early && now < a.until && !out
	if c.refused(err) == may && c.w.server.up {
		c.fail("received for %s: %v, approved %t, denied %t, window %d–%d at %d, badge out %t", a.id, err, a.approved, a.denied, a.from, a.until, now, out)
	}
	if err != nil {
		return "not received"
	}
	a.received++
	c.loans = append(c.loans, &loan{card: badge, zones: a.zones, from: a.from - early, until: a.until, given: now, visit: a.id})
	return "received"
}

// takeBack takes any badge or temporary card back.
func (c *counter) takeBack(now int64) string {
	badge, _ := pick(c, []string{"B-1", "B-2", "B-3", "T-1"})
	i := slices.IndexFunc(c.loans, func(l *loan) bool { return l.card == badge && l.back == 0 })
	err := c.w.ReturnBadge(badge, false, reception)
	if c.refused(err) != (i < 0) && c.w.server.up {
		c.fail("%s taken back: %v, it was out: %t", badge, err, i >= 0)
	}
	if err != nil {
		return "not taken back"
	}
	c.loans[i].back = now
	if p := c.loans[i].person; p != "" { // the own card opens again
		c.loans = append(c.loans, &loan{card: "c-" + p[3:], person: p, zones: []string{"room"}, until: now + 9e10, given: now})
	}
	return "taken back"
}

// own is the own card that a person has in hand, nil when it is stopped or stands back for a temporary one.
func (c *counter) own(person string) *loan {
	i := slices.IndexFunc(c.loans, func(l *loan) bool { return l.card == "c-"+person[3:] && l.back == 0 })
	if i < 0 {
		return nil
	}
	return c.loans[i]
}

func (c *counter) temporary(now int64) string {
	p := "100" + strconv.Itoa(1+c.rng.IntN(4))
	_, err := c.w.IssueTemporary(visit.TemporaryRequest{Person: directory.PersonID(p), Identity: visit.KnownInPerson}, "T-1", "", reception)
	own := c.own(p)
	out := slices.ContainsFunc(c.loans, func(l *loan) bool { return l.card == "T-1" && l.back == 0 })
	if c.refused(err) == (own != nil && !out) && c.w.server.up {
		c.fail("temporary card for %s: %v, an own card %t, the temporary one is out %t", p, err, own != nil, out)
	}
	if err != nil {
		return "no temporary"
	}
	own.back = now
	day := dayOf(now, c.w.opt.Zone)
	c.loans = append(c.loans, &loan{card: "T-1", person: p, zones: []string{"room"}, until: day.EndMS(c.w.opt.Zone), given: now})
	return "temporary"
}

// stop stops an own card that is in hand, and has it found again by two.
func (c *counter) stop(now int64) string {
	own := c.own("100" + strconv.Itoa(1+c.rng.IntN(3)))
	if own == nil {
		return "idle"
	}
	id, err := c.w.SuspendCard(own.card, c.rng.IntN(2) == 0, now, "見当たらない", visit.Actor{Account: "guard"})
	if c.refused(err) {
		if c.w.server.up {
			c.fail("%s not stopped: %v", own.card, err)
		}
		return "idle"
	}
	own.back = now
	c.run(10 * time.Second)
	if c.rng.IntN(3) == 0 { // it stays away
		return "stopped"
	}
	if err := c.w.AskResume(id, "見つかった", by(own.person)); err != nil {
		c.fail("ask: %v", err)
	}
	if c.w.ResumeCard(id, by(own.person)) == nil {
		c.fail("the holder made the own card good again")
	}
	now = c.w.wallMS()
	if err := c.w.ResumeCard(id, by("1004")); err != nil {
		c.fail("resumed: %v", err)
		return "stopped"
	}
	c.loans = append(c.loans, &loan{card: own.card, person: own.person, zones: own.zones, until: own.until, given: now})
	return "stopped"
}

// oral confirms or denies an approval by phone.
func (c *counter) oral(now int64) string {
	a, ok := pick(c, slices.DeleteFunc(slices.Clone(c.visits), func(a *asked) bool { return !a.oral && c.rng.IntN(4) > 0 }))
	if !ok {
		return "idle"
	}
	given := c.rng.IntN(3) == 0
	who := "100" + strconv.Itoa(1+c.rng.IntN(4))
	err := c.w.ConfirmOral(a.id, given, by(who))
	if c.refused(err) {
		return "idle"
	}
	if !a.oral || who == a.by || a.denied {
		c.fail("%s confirmed %s, which %s asked for; by phone %t", who, a.id, a.by, a.oral)
	}
	if a.oral = false; !given {
		a.denied, a.approved = true, false
		for _, l := range c.loans {
			if l.visit == a.id && l.back == 0 {
				// The badge is still in somebody's hand: it opens nothing from now on, and has to be taken back.
				c.loans = append(c.loans, &loan{card: l.card, given: now, visit: a.id})
				l.back = now
			}
		}
		return "disowned"
	}
	return "oral"
}

// fault takes a cable out or puts it back, or starts the server anew.
func (c *counter) fault() string {
	gw, _ := pick(c, []string{"gw-1", "gw-2"})
	var err error
	switch c.rng.IntN(4) {
	case 0:
		err = c.w.Cable(gw, true)
		c.faults = true
	case 1:
		if err = c.w.Power("server", false); err == nil {
			c.run(2 * time.Second)
			err = c.w.Power("server", true)
		}
		c.calm = c.w.Now() + 25*time.Second
	default:
		err = c.w.Cable("all", false)
		c.faults, c.calm = false, c.w.Now()+25*time.Second
	}
	if err != nil {
		c.fail("%v", err)
	}
	return "link"
}

// badge presents some card at some door. Linked and with nothing under way, who may is let in each time.
func (c *counter) badge() string {
	card, _ := pick(c, []string{"B-1", "B-2", "B-3", "T-1", "c-1", "c-2", "c-3"})
	if out, ok := pick(c, slices.DeleteFunc(slices.Clone(c.loans), func(l *loan) bool { return l.back != 0 || l.person != "" && l.card[0] == 'c' })); ok && c.rng.IntN(2) == 0 {
		card = out.card // somebody with a badge
	}
	doorName, _ := pick(c, []string{"front", "side"})
	at := c.w.wallMS()
	id, err := c.w.Badge(doorName, card, access.SideEnter, "")
	if err != nil {
		c.fail("%v", err)
	}
	c.run(3 * time.Second)
	opened := c.last[id]
	if may := c.may(card, doorName, at, 0) && c.may(card, doorName, at+2000, 0); may && !opened && !c.faults && c.w.Now() > c.calm {
		c.fail("%s may open %s and was refused", card, doorName)
	}
	c.run(8 * time.Second) // the lock is shut again
	if opened {
		return "granted"
	}
	return "denied"
}
