package sim

import (
	"errors"
	"fmt"
	"sort"
	"strings"
	"time"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/server/attempt"
	"monban/server/directory"
	"monban/server/entrylog"
	"monban/server/store"
)

// What a story does to the world. Every method takes names as the site's files have them and says in
// its error what is not known.

// Cards lists the ids of the cards of the site, sorted.
func (w *World) Cards() []string {
	out := make([]string, 0, len(w.cards))
	for id := range w.cards {
		out = append(out, id)
	}
	sort.Strings(out)
	return out
}

// CardOf finds a card by its id, or by the person who has exactly one.
func (w *World) CardOf(name string) (string, error) {
	if _, ok := w.cards[name]; ok {
		return name, nil
	}
	var found []string
	for i := range w.server.dir.Credentials {
		if c := &w.server.dir.Credentials[i]; string(c.Person) == name {
			found = append(found, string(c.ID))
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return "", fmt.Errorf("no card and no person is called %q; the cards are %s", name, few(w.Cards()))
	}
	return "", fmt.Errorf("%s has several cards; say which: %s", name, few(found))
}

func few(names []string) string {
	const most = 12
	if len(names) > most {
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", len(names)-most)
	}
	return strings.Join(names, ", ")
}

func (w *World) door(name string) (*doorNode, error) {
	var all []string
	for _, g := range w.gateways {
		for _, d := range g.doors {
			if string(d.cfg.Door) == name {
				return d, nil
			}
			all = append(all, string(d.cfg.Door))
		}
	}
	sort.Strings(all)
	return nil, fmt.Errorf("no door is called %q; the doors are %s", name, few(all))
}

func (w *World) box(name string) (*gateway, error) {
	var all []string
	for _, g := range w.gateways {
		if string(g.id) == name {
			return g, nil
		}
		all = append(all, string(g.id))
	}
	return nil, fmt.Errorf("no gateway is called %q; the gateways are %s", name, few(all))
}

// boxes gives one gateway, or all for "all".
func (w *World) boxes(name string) ([]*gateway, error) {
	if name == "all" {
		return w.gateways, nil
	}
	g, err := w.box(name)
	return []*gateway{g}, err
}

// Badge presents a card at a door; digits are keyed in with it, "" = none. A stranger's card is one that
// the site does not know. It returns the attempt, the zero one when the gateway is off.
func (w *World) Badge(doorName, cardID string, side access.Side, digits string) (door.Attempt, error) {
	d, err := w.door(doorName)
	if err != nil {
		return door.Attempt{}, err
	}
	if side == access.SideExit && d.cfg.Exit != door.ExitReader {
		return door.Attempt{}, fmt.Errorf("%s has no reader at its exit", doorName)
	}
	c := Card{ID: "stranger", Number: Number{"H10301", 200, 64000}}
	if cardID != "stranger" {
		c = w.cards[cardID]
	}
	d.last.attempt = door.Attempt{}
	d.badge(side, c, digits)
	return d.last.attempt, nil
}

// KeyIn keys in a PIN after the card that was presented last at this door.
func (w *World) KeyIn(doorName, digits string) error {
	d, err := w.door(doorName)
	if err == nil && !d.keyIn(digits) {
		err = fmt.Errorf("nobody has presented a card at %s", doorName)
	}
	return err
}

// KeyPurpose keys in what the holder of the card presented last at this door came for.
func (w *World) KeyPurpose(doorName string, code uint8) error {
	d, err := w.door(doorName)
	if err == nil && !d.keyPurpose(code) {
		err = fmt.Errorf("nobody has presented a card at %s", doorName)
	}
	return err
}

// Open opens or closes the leaf of a door, whatever the lock thinks of it.
func (w *World) Open(doorName string, open bool) error {
	d, err := w.door(doorName)
	if err == nil {
		d.setOpen(open)
	}
	return err
}

// RequestExit presses the exit button or the handle from inside.
func (w *World) RequestExit(doorName string) error {
	d, err := w.door(doorName)
	if err != nil {
		return err
	}
	if d.cfg.Exit != door.ExitButton && d.cfg.Exit != door.ExitHandle {
		return fmt.Errorf("%s has neither an exit button nor a sensed handle", doorName)
	}
	d.on(door.Input{Kind: door.InRequestExit, Side: access.SideExit})
	return nil
}

// Cable takes a gateway's cable out or puts it back; "all" for every gateway.
func (w *World) Cable(gateway string, out bool) error {
	list, err := w.boxes(gateway)
	if err != nil {
		return err
	}
	for _, g := range list {
		if g.cut = out; out {
			w.disconnect(g, "cut")
		}
	}
	return nil
}

// Hang makes the connections half-open.
func (w *World) Hang(gateway string) error {
	list, err := w.boxes(gateway)
	if err != nil {
		return err
	}
	for _, g := range list {
		w.hang(g)
	}
	return nil
}

// RestartBroker drops every connection; the broker has forgotten everything.
func (w *World) RestartBroker() {
	for _, g := range w.gateways {
		w.disconnect(g, "broker restarted")
	}
}

// Power cuts or restores the power of a gateway or of "server".
func (w *World) Power(name string, on bool) error {
	if name == "server" {
		switch {
		case on && !w.server.up:
			w.server.boot()
		case !on:
			w.server.stop("power cut")
		}
		return w.err
	}
	list, err := w.boxes(name)
	if err != nil {
		return err
	}
	for _, g := range list {
		switch {
		case on && !g.up:
			g.start()
		case !on:
			g.stop("power cut")
		}
	}
	return nil
}

// Clock makes the next start of a gateway begin with a clock that nobody vouches for, off by so much.
func (w *World) Clock(gateway string, off time.Duration) error {
	list, err := w.boxes(gateway)
	if err != nil {
		return err
	}
	for _, g := range list {
		g.badClock, g.wallOff = true, off
	}
	return nil
}

// FailWrite makes the next write of a gateway or of "server" fail: not done, or done and untold.
func (w *World) FailWrite(name string, done bool) error {
	fault := commitLost
	if done {
		fault = commitUntold
	}
	if name == "server" {
		w.server.failing = fault
		return nil
	}
	list, err := w.boxes(name)
	if err != nil {
		return err
	}
	for _, g := range list {
		g.failing = fault
	}
	return nil
}

// slowWrites is how many writes take long after SlowDisk.
const slowWrites = 2

// SlowDisk makes the next two writes of a gateway or of "server" take up to 3 s, or 0.9 s.
func (w *World) SlowDisk(name string) error {
	if name == "server" {
		w.server.slowDisk = slowWrites
		return nil
	}
	list, err := w.boxes(name)
	if err != nil {
		return err
	}
	for _, g := range list {
		g.slowDisk = slowWrites
	}
	return nil
}

// Network sets how much the network loses, doubles and delays, in percent.
func (w *World) Network(loss, double, late int) {
	w.net.loss, w.net.dup, w.net.late = loss, double, late
}

// SetCard changes a card's status at the server.
func (w *World) SetCard(cardID string, status access.CredentialStatus) error {
	if !w.server.up {
		return fmt.Errorf("the server is off")
	}
	return w.server.setCard(directory.CardID(cardID), status)
}

// SetMode changes a door's mode at the server.
func (w *World) SetMode(doorName string, mode access.DoorMode) error {
	if _, err := w.door(doorName); err != nil {
		return err
	}
	if !w.server.up {
		return fmt.Errorf("the server is off")
	}
	dir := w.server.dir
	dir.Doors = append([]directory.Door(nil), dir.Doors...)
	for i := range dir.Doors {
		if string(dir.Doors[i].ID) == doorName {
			dir.Doors[i].Mode = mode
		}
	}
	return w.server.publish(dir, w.server.failing, nil)
}

// Fire begins or ends a fire release at a door.
func (w *World) Fire(doorName string, on bool) error {
	d, err := w.door(doorName)
	if err == nil {
		d.setFire(on)
	}
	return err
}

// Rearm is the person with the key after a fire.
func (w *World) Rearm(doorName string) error {
	d, err := w.door(doorName)
	if err == nil {
		d.rearm()
	}
	return err
}

// Break makes a door's lock output disobey, or mends it.
func (w *World) Break(doorName string, broken bool) error {
	d, err := w.door(doorName)
	if err == nil {
		d.broken = broken
	}
	return err
}

// Unlock orders a remote unlock.
func (w *World) Unlock(doorName string) error {
	d, err := w.door(doorName)
	if err == nil {
		w.unlock(d)
	}
	return err
}

// Forgive is an officer's declaration that a person is outside (AD-9).
func (w *World) Forgive(person string) error { return w.declare(store.ActForgiven, person) }

// Empty is an officer's declaration that nobody is in a zone (AD-10).
func (w *World) Empty(zone string) error { return w.declare(store.ActZoneReset, zone) }

func (w *World) declare(kind, subject string) error {
	if !w.server.up {
		return errors.New("the server is down")
	}
	a := store.ZoneAct{Kind: kind, Subject: subject, AtMS: w.server.wallMS()}
	w.server.store.acts = append(w.server.store.acts, a)
	w.server.authority.Places().Apply(a)
	return nil
}

// What a story looks at.

// Inside counts the people in a zone by the server, not those in zones inside it.
func (w *World) Inside(zone string) (int, error) {
	if !w.server.up {
		return 0, errors.New("the server is down")
	}
	return len(w.server.authority.Places().Inside(access.ZoneID(zone))), nil
}

// Door is how a door stands.
type Door struct {
	Gateway access.GatewayID
	State   string // of its machine; "off" while the gateway is
	Shown   door.Indication
	Open    bool
}

// LookAt says how a door stands.
func (w *World) LookAt(doorName string) (Door, error) {
	d, err := w.door(doorName)
	if err != nil {
		return Door{}, err
	}
	out := Door{Gateway: d.g.id, State: "off", Shown: d.shown, Open: d.open}
	if d.g.up {
		out.State = d.machine.StateName()
	}
	return out, nil
}

// Linked reports whether a gateway holds a lease.
func (w *World) Linked(gateway string) (bool, error) {
	g, err := w.box(gateway)
	return err == nil && g.linked(), err
}

// Line gives the line of an attempt in the log, and the opening that says who it was.
func (w *World) Line(id door.Attempt) (row attempt.Row, who entrylog.Opening, ok bool) {
	row, err := w.server.store.AttemptRow(id)
	if err != nil {
		return row, who, false
	}
	if row.Opening != attempt.NoIndex {
		who = w.server.store.openings[row.Opening]
	}
	return row, who, true
}

// Lines gives every line of the log, in the order of their first leaves, with who it was.
func (w *World) Lines(f func(row attempt.Row, who entrylog.Opening)) {
	for _, r := range w.server.store.order {
		var who entrylog.Opening
		if r.Opening != attempt.NoIndex {
			who = w.server.store.openings[r.Opening]
		}
		f(*r, who)
	}
}

// Missing counts records that gateways hold durably and the log does not: 0 = complete.
func (w *World) Missing() int {
	n := 0
	for _, g := range w.gateways {
		for i := range g.disk.epochs {
			e := &g.disk.epochs[i]
			n += int(e.head() - min(e.head(), w.server.store.chains[chainKey{string(g.id), e.epoch}].watermark))
		}
	}
	return n
}

// Gaps counts silences that the log states.
func (w *World) Gaps() int { return len(w.server.store.coverage) }

// FindingCount says how often a kind of finding is in the log.
func (w *World) FindingCount(kind string) int {
	n := 0
	for i := range w.server.store.findings {
		if w.server.store.findings[i].Kind == kind {
			n++
		}
	}
	return n
}
