package sim

import (
	"fmt"
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
	"monban/server/world/invariant"
)

// rulesFiles is a site whose zones have a rule each: the kinds of anti-passback, a cap over two gateways and one of a single
// gateway, two persons, escorts, an airlock.
func rulesFiles() []directory.File {
	zones := "zone_id,name,level,min_assurance,pin_always,anti_passback,anti_passback_for,max_inside,min_inside,two_person_within,two_person_always,escort,escort_ratio,escort_within\n" +
		"hard,甲,1,uid_only,no,hard,0s,0,0,0s,no,none,0,0s\n" +
		"soft,乙,1,uid_only,no,soft,0s,0,0,0s,no,none,0,0s\n" +
		"timed,丙,1,uid_only,no,timed,10m,3,0,0s,no,none,0,0s\n" +
		"cap,丁,1,uid_only,no,off,0s,2,0,0s,no,none,0,0s\n" +
		"pair,戊,1,uid_only,no,off,0s,0,2,30s,no,none,0,0s\n" +
		"always,己,1,uid_only,no,off,0s,0,0,30s,yes,none,0,0s\n" +
		"guest,庚,1,uid_only,no,off,0s,0,0,0s,no,outsiders,1,30s\n" +
		"lock,前室,1,uid_only,no,off,0s,0,0,0s,no,none,0,0s\n" +
		"core,辛,1,uid_only,no,off,0s,2,0,0s,no,none,0,0s\n"
	doors := "door_id,name,gateway_id,enter_zone,exit_zone,kind,exit,offline,max_age,interlock\n" +
		"hard-1,甲一,gw-1,hard,,controlled,reader,cached,24h,\n" +
		"hard-2,甲二,gw-2,hard,,controlled,reader,cached,24h,\n" +
		"soft-1,乙一,gw-1,soft,,controlled,reader,cached,24h,\n" +
		"timed-1,丙一,gw-3,timed,,controlled,reader,cached,24h,\n" +
		"timed-2,丙二,gw-3,timed,,controlled,reader,cached,24h,\n" +
		"cap-1,丁一,gw-1,cap,,controlled,reader,cached,24h,\n" +
		"cap-2,丁二,gw-2,cap,,controlled,reader,cached,24h,\n" +
		"pair-1,戊一,gw-2,pair,,controlled,reader,cached,24h,\n" +
		"always-1,己一,gw-3,always,,controlled,reader,cached,24h,\n" +
		"guest-1,庚一,gw-3,guest,,controlled,reader,cached,24h,\n" +
		"lock-1,前室外,gw-1,lock,,controlled,reader,cached,24h,lock-2\n" +
		"lock-2,前室内,gw-1,core,lock,controlled,reader,cached,24h,lock-1\n"
	who := "person_id,name,section,company,category,contract_from,contract_until,may_escort\n"
	cards := "card_id,person_id,format,facility_code,card_number,assurance,status\n"
	grants := "person_id,zone_id,schedule_id\n"
	for i := range 10 {
		rest := "情報政策課,,staff,,,"
		switch {
		case i < 2:
			rest += "yes"
		case i < 7:
			rest += "no"
		default:
			rest = "保守,渡邉電機,contractor,2026-04-01,2027-03-31,no"
		}
		who += fmt.Sprintf("p%d,𠮷田 %d,%s\n", i, i, rest)
		cards += fmt.Sprintf("c-%d,p%d,H10301,123,%d,uid_only,active\n", i, i, 2000+i)
		for _, z := range []string{"hard", "soft", "timed", "cap", "pair", "always", "guest", "lock", "core"} {
			grants += fmt.Sprintf("p%d,%s,always\n", i, z)
		}
	}
	file := func(kind directory.Kind, text string) directory.File {
		return directory.File{Name: string(kind) + ".csv", Kind: kind, Data: []byte(text)}
	}
	return []directory.File{
		file(directory.KindGateways, "gateway_id,name\ngw-1,箱 1\ngw-2,箱 2\ngw-3,箱 3\n"), file(directory.KindZones, zones), file(directory.KindDoors, doors),
		file(directory.KindPeople, who), file(directory.KindCards, cards), file(directory.KindGrants, grants),
		file(directory.KindSchedules, "schedule_id,name,name_en,days,from,to\nalways,常時,Always,every,0:00,24:00\n"),
	}
}

// rulesDay lets people come, alone and together, and go, while cables, processes, disks and the network fail. Clocks are
// right and no disk is put back: then what each decider knows follows from what it recorded.
func rulesDay(t *testing.T, seed uint64, crowds int) (*World, *rulesOracle) {
	t.Helper()
	zone := tokyo(t)
	o := &rulesOracle{
		person: map[string]string{}, kind: map[string]string{}, shared: map[access.ZoneID]bool{"hard": true, "cap": true}, who: map[door.Attempt]badged{},
		server: newBook(), truth: newBook(), own: map[access.GatewayID]*book{}, seen: map[string]int{}, moving: map[access.DoorID]bool{},
	}
	w, err := New(Options{
		Seed: seed, Start: SiteStart(zone).Add(9 * time.Hour), Zone: zone, Site: "sim", Files: rulesFiles(),
		Watch: func(e *invariant.Event) {
			if o.w != nil {
				o.watch(e)
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	o.w = w
	for i := range 10 {
		id := strconv.Itoa(i)
		o.person["c-"+id] = "p" + id
		o.kind["p"+id] = []string{"escort", "escort", "", "", "", "", "", "contractor", "contractor", "contractor"}[i]
	}
	for _, g := range w.gateways {
		b := newBook()
		o.own[g.id] = &b
	}
	w.settle(10 * time.Second)
	_ = o.policy() // before the first fault takes the server
	for range crowds {
		if w.err != nil {
			break
		}
		if w.chance(12) {
			w.settle(w.mildFault())
		}
		w.settle(w.crowd(o))
		if w.chance(20) {
			w.Leap(w.between(time.Second, 12*time.Minute))
		}
	}
	if w.err == nil {
		_ = w.drain() // w.err
	}
	return w, o
}

// crowd is one to three people at a door, or at the two doors of a zone, within seconds of each other; or one who leaves.
func (w *World) crowd(o *rulesOracle) time.Duration {
	d := w.anyDoor()
	if w.chance(30) {
		d, _ = w.doorNode([]access.DoorID{"guest-1", "lock-1", "lock-2"}[w.rng.IntN(3)])
	}
	p, _ := o.policy().Door(d.cfg.Door)
	in := o.inside(&o.truth, p.EnterZone, "")
	if len(in) > 0 && w.chance(55) {
		slices.Sort(in) // a map's order is no seed's
		w.goes(d, access.SideExit, in[w.rng.IntN(len(in))], 0)
		return 5 * time.Second
	}
	doors := []*doorNode{d}
	for _, g := range w.gateways {
		for _, x := range g.doors {
			if y, _ := o.policy().Door(x.cfg.Door); x != d && (y.EnterZone == p.EnterZone || strings.HasPrefix(string(x.cfg.Door), "lock-") && strings.HasPrefix(string(d.cfg.Door), "lock-")) {
				doors = append(doors, x)
			}
		}
	}
	people := w.rng.Perm(10)
	for range 1 + w.rng.IntN(3) {
		at := doors[0]
		if len(doors) > 1 && w.chance(40) {
			at = doors[1]
		}
		to, _ := o.policy().Door(at.cfg.Door)
		for len(people) > 0 { // nobody comes out of another room without passing its door; some are inside and badge once more
			person := "p" + strconv.Itoa(people[0])
			people = people[1:]
			if from := o.truth.at[person].zone; from == to.ExitZone || from == to.EnterZone && w.chance(50) {
				w.goes(at, access.SideEnter, person, w.between(0, 2500*time.Millisecond))
				break
			}
		}
	}
	return w.between(5*time.Second, 9*time.Second)
}

// goes has somebody badge in a while and, most of the time, open the door if it is released.
func (w *World) goes(d *doorNode, side access.Side, person string, in time.Duration) {
	c := w.cards["c-"+strings.TrimPrefix(person, "p")]
	w.after(in, func() { d.badge(side, c, "") })
	w.after(in+w.between(600*time.Millisecond, 2500*time.Millisecond), func() {
		if d.g.up && d.machine.StateName() == door.Unlocked.String() && w.chance(85) {
			d.setOpen(true)
			w.after(w.between(500*time.Millisecond, 2*time.Second), func() { d.setOpen(false) })
		}
	})
}

// mildFault is a fault after which everybody still knows what they recorded.
func (w *World) mildFault() time.Duration {
	g, s := w.anyGateway(), w.server
	w.count("fault")
	switch w.rng.IntN(9) {
	case 0, 1:
		g.cut = true
		w.disconnect(g, "cut")
		w.after(w.between(10*time.Second, 5*time.Minute), func() { g.cut = false })
	case 2:
		w.hang(g)
	case 3:
		w.RestartBroker()
	case 4:
		w.restart(g, "crash", w.between(time.Second, 10*time.Second))
	case 5:
		if s.up {
			s.crash(w.between(500*time.Millisecond, 60*time.Second))
		}
	case 6:
		s.failing = []commitFault{commitLost, commitUntold}[w.rng.IntN(2)]
	case 7:
		g.slowDisk, s.slowDisk = 1+w.rng.IntN(5), w.rng.IntN(5)
	case 8:
		w.net.loss, w.net.dup, w.net.late = w.rng.IntN(30), w.rng.IntN(30), w.rng.IntN(20)
		w.after(w.between(5*time.Second, 40*time.Second), func() { w.net.loss, w.net.dup, w.net.late = 0, 0, 0 })
	}
	return w.between(time.Second, 8*time.Second)
}

// AD-8, AD-9, AD-10, AD-11, VE-2, DS-9, I1–I10: random days of a site with every kind of zone rule under faults. No grant is one that
// the rules forbid by what its decider knew, by an oracle that shares no code with Decide.
func TestDaysWithRules(t *testing.T) {
	first, last := seedRange(t, max(seeds(t, 3)/3, 3)) // a day of these takes twice that of others
	crowds := 700
	if os.Getenv("MONBAN_SIM_SEEDS") != "" { // make sim
		crowds = 1500
	}
	var mu sync.Mutex
	total := map[string]int{}
	t.Cleanup(func() {
		t.Logf("%d grants into a full zone by a decider that could not know", total["full, and the decider could not know"])
		for _, k := range []string{
			"granted", "two persons", "escorted", "airlock", "anti_passback", "occupancy_full", "second_person", "escort_missing", "escort_ratio", "interlock",
			"knowledge_missing", "by gateway", "left_alone",
		} {
			t.Logf("%-20s %d", k, total[k])
			if total[k] == 0 && *seedFlag == 0 && !t.Failed() {
				t.Errorf("%s: never; the hard case was not met", k)
			}
		}
	})
	for seed := first; seed <= last; seed++ {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			w, o := rulesDay(t, seed, crowds)
			if w.err != nil {
				t.Fatal(w.Failure())
			}
			mu.Lock()
			defer mu.Unlock()
			for k, n := range o.seen {
				total[k] += n
			}
			for _, r := range w.server.store.order {
				for name := range strings.SplitSeq(r.Failed, "+") {
					total[name]++
				}
				if r.Reason == "interlock" {
					total["interlock"]++
				}
				if r.DecidedBy == "gateway" {
					total["by gateway"]++
				}
			}
			total["left_alone"] += w.FindingCount("left_alone")
		})
	}
}
