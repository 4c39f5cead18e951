package year

import (
	"container/heap"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"monban/firmware/calendar"
)

// maker makes one year. It moves bodies in the order of time; a body that finds a door in use waits.
type maker struct {
	plan    Plan
	rng     *rand.Rand
	zone    *time.Location
	cal     calendar.Calendar
	people  []*person
	cards   []Card
	unknown int
	doors   map[string]*doorway
	todo    tasks
	seq     int
	year    *Year
	slots   int // times that were taken already
	keys    []key
	chief   *person // attends visits, and is nobody else
	told    map[string]bool
}

// doorway is a door while bodies pass it one after another.
type doorway struct {
	Doorway
	free     int64  // in use until, UTC ms
	reserved []span // kept clear for a seeded case
	behind   [2][]*person
	strange  []int64 // when strange cards were held to the reader outside, in the last ten minutes
	full     bool    // three of them, and it has been told
}

type span struct{ from, to int64 }

// task is somebody who wants to do something at a door, or something that happens by itself.
type task struct {
	at   int64
	seq  int
	who  *person  // nil: nobody has to be free for it
	door *doorway // nil: no door has to be free
	do   func(at int64)
}

type tasks []*task

func (q tasks) Len() int { return len(q) }
func (q tasks) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].seq < q[j].seq
}
func (q tasks) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *tasks) Push(x any)   { *q = append(*q, x.(*task)) }
func (q *tasks) Pop() any {
	old := *q
	t := old[len(old)-1]
	*q = old[:len(old)-1]
	return t
}

// Make makes a year.
func Make(p Plan) (*Year, []Card, error) {
	if p.Days < 1 || p.Days > 366 || p.Staff < 8 || p.Staff > 2000 || !p.First.Valid() {
		return nil, nil, errors.New("year: days 1–366, staff 8–2000 and a first day are needed")
	}
	zone, err := time.LoadLocation("Asia/Tokyo")
	if err != nil {
		return nil, nil, fmt.Errorf("year: %w", err)
	}
	table, err := calendar.BuiltIn()
	if err != nil {
		return nil, nil, fmt.Errorf("year: %w", err)
	}
	m := &maker{
		plan: p, rng: rand.New(rand.NewPCG(p.Seed, 0x79656172)), zone: zone, doors: map[string]*doorway{}, told: map[string]bool{},
		cal: table.Calendar(p.First, p.First.AddDays(p.Days)), year: &Year{
			Plan: p, Zone: zone, Doors: doorways(), Guests: map[string]string{}, Looked: []string{archive}, Asked: []string{records},
		},
	}
	m.year.Sheet.doors = map[string]Doorway{}
	for _, d := range m.year.Doors {
		m.doors[d.ID] = &doorway{Doorway: d}
		m.year.Sheet.doors[d.ID] = d
	}
	m.seed() // before the habits: it keeps doors clear
	for _, d := range m.doors {
		d.free = 0 // what was seeded is kept clear, and was not made in the order of time
	}
	m.habits()   // plans every day
	m.troubles() // outages of the ordinary kind
	m.run()
	m.year.Files = m.files()
	m.year.sort()
	return m.year, m.cards, nil
}

// run lets everything happen in the order of time.
func (m *maker) run() {
	for len(m.todo) > 0 {
		t := heap.Pop(&m.todo).(*task)
		if wait := m.wait(t); wait > t.at {
			t.at = wait
			heap.Push(&m.todo, t)
			continue
		}
		t.do(t.at)
	}
}

// wait is when a task can begin.
func (m *maker) wait(t *task) int64 {
	at := t.at
	if t.who != nil {
		at = max(at, t.who.free)
	}
	if d := t.door; d != nil {
		at = max(at, d.free)
		for _, r := range d.reserved {
			if at >= r.from && at < r.to {
				at = r.to + m.ms(0, 20*time.Second)
			}
		}
	}
	return at
}

// plan has somebody do something at a door at a time.
func (m *maker) at(ms int64, who *person, door string, do func(at int64)) {
	m.seq++
	var d *doorway
	if door != "" {
		d = m.doors[door]
	}
	heap.Push(&m.todo, &task{at: ms, seq: m.seq, who: who, door: d, do: do})
}

// ms draws a time span of [from, to) in ms.
func (m *maker) ms(from, to time.Duration) int64 {
	return from.Milliseconds() + m.rng.Int64N(max((to-from).Milliseconds(), 1))
}

// often is true in so many of 10,000 cases.
func (m *maker) often(of10000 int) bool { return m.rng.IntN(10000) < of10000 }

func (m *maker) act(a Act) { m.year.Acts = append(m.year.Acts, a) }

// clock is a time of a day.
func (m *maker) clock(day calendar.Date, hour, minute int) int64 {
	return day.Start(m.zone).Add(time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute).UnixMilli()
}

// day gives the n-th day.
func (m *maker) day(n int) calendar.Date { return m.plan.First.AddDays(n) }

// entry opens a case in the sheet.
func (m *maker) entry(v Verdict, kind string, d *doorway, from, to int64, seeded bool, tells string) {
	c := Case{Kind: kind, FromMS: from, ToMS: to, Verdict: v, Seeded: seeded, Tells: tells}
	if d != nil {
		c.Door, c.Gateway = d.ID, d.Gateway
	}
	m.year.Sheet.Cases = append(m.year.Sheet.Cases, c)
}

// of opens a case of a gateway.
func (m *maker) of(v Verdict, kind, gateway string, from, to int64, seeded bool, tells string) {
	m.year.Sheet.Cases = append(m.year.Sheet.Cases, Case{
		Kind: kind, Gateway: gateway, FromMS: from, ToMS: to, Verdict: v, Seeded: seeded, Tells: tells,
	})
}

// dayOf is the day of a moment.
func (m *maker) dayOf(ms int64) calendar.Date {
	return calendar.DateOf(time.UnixMilli(ms).In(m.zone))
}
