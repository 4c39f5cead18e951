package app

import (
	"encoding/hex"
	"errors"
	"slices"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/link"
	"monban/firmware/wire"
	"monban/server/directory"
	"monban/server/downlink"
	"monban/server/entrylog"
	"monban/server/ingest"
	"monban/server/policypub/sitetest"
	"monban/server/review"
	"monban/server/store"
	"monban/server/web"
)

// orderDesk is the sample site with a link that only remembers.
type orderDesk struct {
	*desk
	c      *commands
	at     time.Time
	sent   []wire.Command
	fail   error
	onSend func(wire.Command)
	remote directory.RemoteUnlock
	said   map[access.GatewayID]*saidSoFar
}

// saidSoFar is what a gateway has recorded.
type saidSoFar struct {
	n    uint64
	hash wire.Hash
}

func (o *orderDesk) Order(_ access.GatewayID, c wire.Command) error {
	if o.onSend != nil {
		o.onSend(c)
	}
	if o.fail != nil {
		return o.fail
	}
	o.sent = append(o.sent, c)
	return nil
}

const lab = access.DoorID("server-room-1")

func newOrderDesk(t *testing.T) *orderDesk {
	o := &orderDesk{desk: newDesk(t), at: sitetest.Now(), remote: directory.RemoteTwo, said: map[access.GatewayID]*saidSoFar{}}
	o.pages.now = func() time.Time { return o.at }
	o.c = &commands{
		store: o.Site.Store, health: o.health, link: o, now: func() time.Time { return o.at }, log: quiet, pages: o.pages,
		directory: func() directory.Snapshot {
			s := *o.Publisher.Site().Directory()
			s.Doors = slices.Clone(s.Doors)
			for i := range s.Doors {
				if s.Doors[i].ID == lab {
					s.Doors[i].Remote = o.remote
				}
			}
			return s
		},
	}
	err := o.Site.Store.Write(t.Context(), func(tx *store.Tx) error {
		var errs []error
		for id, person := range map[string]string{"A": "", "B": "", "C": "staff-1", "D": "staff-1"} {
			errs = append(errs, tx.InsertAccount(store.Account{ID: id, Login: "login-" + id, FullName: "名前 " + id, Person: person, CreatedMS: 1, PasswordHash: "x"}))
		}
		return errors.Join(errs...)
	})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func (o *orderDesk) act(who string) web.Action {
	return web.Action{At: o.at, Actor: who, Address: "192.0.2.1", Reason: "業者の入室"}
}

func (o *orderDesk) ask(who string, a door.CommandKind) web.Command {
	o.t.Helper()
	c, err := o.c.AskCommand(o.t.Context(), web.CommandOrder{Door: lab, Action: a}, o.act(who))
	if err != nil {
		o.t.Fatal(err)
	}
	return c
}

func (o *orderDesk) state(id string) web.Command {
	o.t.Helper()
	c, err := o.c.CommandByID(o.t.Context(), id, true)
	if err != nil {
		o.t.Fatal(err)
	}
	return c
}

// records has gw-1 say something about a command.
func (o *orderDesk) records(boot byte, id string, list ...wire.Record) {
	o.t.Helper()
	o.recordsOf("gw-1", lab, boot, id, list...)
}

func (o *orderDesk) recordsOf(gw access.GatewayID, at access.DoorID, boot byte, id string, list ...wire.Record) {
	o.t.Helper()
	key, err := commandID(id)
	if err != nil {
		o.t.Fatal(err)
	}
	if o.said[gw] == nil {
		o.said[gw] = &saidSoFar{}
	}
	x := o.said[gw]
	ev := wire.Events{Gateway: gw, Epoch: wire.Epoch{7}, First: x.n + 1, Prev: x.hash}
	for _, r := range list {
		x.n++
		r.Gateway, r.Epoch, r.Seq, r.Door, r.By = gw, ev.Epoch, x.n, at, access.ByServer
		r.Attempt = door.Attempt(key)
		r.Stamp = wire.Stamp{Boot: wire.BootID{boot}, BoottimeNS: int64(x.n) * 1000, WallMS: o.at.UnixMilli(), Quality: access.ClockServer}
		body := wire.AppendRecord(nil, &r)
		x.hash = wire.ChainHash(x.hash, body)
		ev.Records = append(ev.Records, wire.Carried{Body: body})
	}
	ev.Head = x.hash
	pipeline := ingest.New(o.Publisher, o.Site.Zone)
	err = o.Site.Store.Write(o.t.Context(), func(tx *store.Tx) error {
		_, err := pipeline.Handle(tx, gw, &ev, o.at.UnixMilli())
		return err
	})
	if err != nil {
		o.t.Fatal(err)
	}
}

func (o *orderDesk) sweep() {
	o.t.Helper()
	if err := o.Site.Store.Write(o.t.Context(), func(tx *store.Tx) error { return o.c.sweep(tx) }); err != nil {
		o.t.Fatal(err)
	}
}

func (o *orderDesk) findings(kind review.Kind) (n int) {
	o.t.Helper()
	err := o.Site.Store.Read(o.t.Context(), func(r *store.ReadTx) error {
		list, _, err := r.Findings(true, 0, 1000)
		for _, f := range list {
			if f.Kind == string(kind) {
				n++
			}
		}
		return err
	})
	if err != nil {
		o.t.Fatal(err)
	}
	return n
}

// RA-2, D27: two accounts of two persons; the order's leaf, with who and where, is committed before the command is
// signed; nobody sends it twice.
func TestTwoPersonsOrder(t *testing.T) {
	o := newOrderDesk(t)
	ctx := t.Context()
	c := o.ask("A", door.CommandUnlock)
	if c.State != web.CommandAsked || len(o.sent) != 0 {
		t.Fatalf("one person sent it: %+v", c)
	}
	if _, err := o.c.AgreeCommand(ctx, c.ID, o.act("A")); !errors.Is(err, web.ErrSamePerson) {
		t.Errorf("the same account: %v", err)
	}
	mine := o.ask("C", door.CommandUnlock)
	if _, err := o.c.AgreeCommand(ctx, mine.ID, o.act("D")); !errors.Is(err, web.ErrSamePerson) {
		t.Errorf("another account of the same person: %v", err)
	}
	o.onSend = func(w wire.Command) {
		err := o.Site.Store.Read(ctx, func(r *store.ReadTx) error {
			leaf, err := r.Leaf(int64(w.Order))
			if err != nil {
				return err
			}
			a, err := entrylog.ParseAction(leaf.Body)
			if err != nil || a.Account != "B" || a.Verb != "command_ordered" || a.ID != string(lab)+"/"+hex.EncodeToString(w.ID[:]) || a.Target != "command" {
				t.Errorf("the order's leaf: %+v, %v", a, err)
			}
			return nil
		})
		if err != nil {
			t.Errorf("before signing: %v", err)
		}
	}
	o.onSendThen(c.ID)
	got, err := o.c.AgreeCommand(ctx, c.ID, o.act("B"))
	if err != nil || got.State != web.CommandDone || len(o.sent) != 1 {
		t.Fatalf("%+v, %v, %d sent", got, err, len(o.sent))
	}
	if w := o.sent[0]; w.Door != lab || w.Action != door.CommandUnlock || w.TTLMS > 5000 || w.TTLMS < 1 {
		t.Errorf("sent %+v", w)
	}
	for _, who := range []string{"B", "D"} {
		if _, err := o.c.AgreeCommand(ctx, c.ID, o.act(who)); !errors.Is(err, web.ErrTooLate) {
			t.Errorf("agreed again by %s: %v", who, err)
		}
	}
	if err := o.c.WithdrawCommand(ctx, c.ID, o.act("A")); !errors.Is(err, web.ErrTooLate) {
		t.Errorf("withdrawn after it was sent: %v", err)
	}
	if len(o.sent) != 1 {
		t.Errorf("%d sent", len(o.sent))
	}
	o.onSend = nil
	o.at = o.at.Add(requestLife + time.Second)
	if _, err := o.c.AgreeCommand(ctx, mine.ID, o.act("B")); !errors.Is(err, web.ErrTooLate) {
		t.Errorf("agreed after five minutes: %v", err)
	}
	if s := o.state(mine.ID); s.State != web.CommandOver || s.Why != "業者の入室" || s.AskedName != "名前 C" {
		t.Errorf("shown %+v", s)
	}
	o.sweep()
	if s := o.state(mine.ID); s.State != web.CommandOver || len(o.sent) != 1 {
		t.Errorf("after the sweep: %+v, %d sent", s, len(o.sent))
	}
}

// onSendThen has the gateway report accepted and done as soon as a command is sent.
func (o *orderDesk) onSendThen(id string) {
	check := o.onSend
	o.onSend = func(w wire.Command) {
		if check != nil {
			check(w)
		}
		o.records(1, id, wire.Record{Event: door.EventCommandAccepted, Detail: w.Action.String()},
			wire.Record{Event: door.EventCommandDone, Detail: w.Action.String(), Reason: access.ReasonGranted})
	}
}

// A door's setting decides; a change of it between asking and agreeing counts.
func TestDoorSetting(t *testing.T) {
	o := newOrderDesk(t)
	ctx := t.Context()
	c := o.ask("A", door.CommandUnlock)
	o.remote = directory.RemoteOff
	if _, err := o.c.AgreeCommand(ctx, c.ID, o.act("B")); !errors.Is(err, web.ErrNotAllowed) {
		t.Errorf("agreed at a door that was switched off meanwhile: %v", err)
	}
	if _, err := o.c.AskCommand(ctx, web.CommandOrder{Door: lab, Action: door.CommandUnlock}, o.act("A")); !errors.Is(err, web.ErrNotAllowed) {
		t.Errorf("asked at a door that is switched off: %v", err)
	}
	if _, err := o.c.AskCommand(ctx, web.CommandOrder{Door: lab}, o.act("A")); !errors.Is(err, web.ErrNotAllowed) {
		t.Errorf("no action: %v", err)
	}
	if _, err := o.c.AskCommand(ctx, web.CommandOrder{Door: "nowhere", Action: door.CommandUnlock}, o.act("A")); !errors.Is(err, web.ErrNotFound) {
		t.Errorf("unknown door: %v", err)
	}
	if len(o.sent) != 0 {
		t.Fatalf("%d sent", len(o.sent))
	}
	o.remote = directory.RemoteOne
	o.onSend = func(w wire.Command) {
		o.records(1, hex.EncodeToString(w.ID[:]), wire.Record{Event: door.EventCommandAccepted}, wire.Record{Event: door.EventCommandDone, Reason: access.ReasonGranted})
	}
	c = o.ask("A", door.CommandUnlock)
	if c.State != web.CommandDone || !c.Confirm || len(o.sent) != 1 {
		t.Fatalf("one person: %+v", c)
	}
	o.sweep()
	if err := o.c.ConfirmCommand(ctx, c.ID, o.act("A")); !errors.Is(err, web.ErrSamePerson) {
		t.Errorf("confirmed by the same: %v", err)
	}
	late := o.ask("A", door.CommandUnlock)
	if err := o.c.ConfirmCommand(ctx, c.ID, o.act("B")); err != nil {
		t.Fatal(err)
	}
	o.at = o.at.Add(confirmWithin + time.Minute)
	o.sweep()
	o.sweep()
	if n := o.findings(review.CommandUnconfirmed); n != 1 {
		t.Errorf("%d findings for one unconfirmed unlock", n)
	}
	if s := o.state(late.ID); !s.Confirm {
		t.Errorf("%+v: it can still be confirmed", s)
	}
	before := len(o.sent)
	o.ask("A", door.CommandRearm)
	o.ask("A", door.CommandSelfTest)
	if len(o.sent) != before+2 {
		t.Error("re-arm and self-test need one person")
	}
}

// I7: what could not be sent is never sent later, not by the sweep and not by a second agreement.
func TestNotSentIsOver(t *testing.T) {
	o := newOrderDesk(t)
	o.fail = &downlink.NotOrderedError{Why: link.WhyNotFresh}
	c := o.ask("A", door.CommandRearm)
	if c.State != web.CommandNotSent || c.Detail != "not_linked" {
		t.Fatalf("%+v", c)
	}
	o.fail = nil
	o.at = o.at.Add(time.Second)
	o.sweep()
	if _, err := o.c.AgreeCommand(t.Context(), c.ID, o.act("B")); !errors.Is(err, web.ErrTooLate) {
		t.Errorf("agreed: %v", err)
	}
	if len(o.sent) != 0 {
		t.Errorf("%d sent", len(o.sent))
	}
}

// I7: the fault pairs around accepted, act and done as the server sees them: what a restarted gateway has not told is
// unknown, found once, and a late record still counts.
func TestOutcome(t *testing.T) {
	acc := leafRecord{5, wire.Record{Event: door.EventCommandAccepted, Stamp: wire.Stamp{Boot: wire.BootID{1}}}}
	rec := func(e door.Event, detail string) leafRecord {
		return leafRecord{6, wire.Record{Event: e, Detail: detail}}
	}
	same := beat{boot: wire.BootID{1}}
	other := beat{boot: wire.BootID{2}}
	behind := other
	behind.Pending = 3
	for _, c := range []struct {
		name    string
		records []leafRecord
		age     time.Duration
		b       beat
		want    web.CommandState
		sure    bool
	}{
		{"nothing yet", nil, time.Second, same, web.CommandOnItsWay, false},
		{"nothing for long", nil, time.Minute, same, web.CommandUnanswered, false},
		{"nothing, restarted", nil, time.Minute, other, web.CommandUnanswered, false},
		{"accepted", []leafRecord{acc}, time.Second, same, web.CommandOnItsWay, false},
		{"accepted, long ago", []leafRecord{acc}, time.Minute, same, web.CommandUnknown, false},
		{"accepted, restarted, more to come", []leafRecord{acc}, time.Second, behind, web.CommandOnItsWay, false},
		{"accepted, restarted", []leafRecord{acc}, time.Second, other, web.CommandUnknown, true},
		{"done", []leafRecord{acc, rec(door.EventCommandDone, "")}, time.Hour, other, web.CommandDone, true},
		{"refused", []leafRecord{rec(door.EventDenied, "fire_on")}, time.Hour, same, web.CommandRefused, true},
		{"lapsed", []leafRecord{acc, rec(door.EventLapsed, "")}, time.Hour, same, web.CommandRefused, true},
		{"lock stuck", []leafRecord{acc, rec(door.EventStrikeFailed, "")}, time.Hour, same, web.CommandRefused, true},
	} {
		if got := outcome(c.records, c.age, c.b, true); got.state != c.want || got.sure != c.sure {
			t.Errorf("%s: %v sure=%v, want %v sure=%v", c.name, got.state, got.sure, c.want, c.sure)
		}
	}
}

func TestUnknownIsFoundOnce(t *testing.T) {
	o := newOrderDesk(t)
	o.onSend = func(w wire.Command) { // carried out at once: nothing is unknown, however long nobody looks
		o.records(1, hex.EncodeToString(w.ID[:]), wire.Record{Event: door.EventCommandAccepted}, wire.Record{Event: door.EventCommandDone, Reason: access.ReasonGranted})
	}
	if c := o.ask("A", door.CommandRearm); c.State != web.CommandDone {
		t.Fatalf("%+v", c)
	}
	for range 3 {
		o.sweep()
		o.at = o.at.Add(time.Hour)
	}
	if n := o.findings(review.CommandUnknown); n != 0 {
		t.Fatalf("%d findings of a command that was carried out", n)
	}
	o.sent = nil
	o.onSend = func(w wire.Command) {
		o.records(1, hex.EncodeToString(w.ID[:]), wire.Record{Event: door.EventCommandAccepted})
	}
	o.health.heard("gw-1", wire.Heartbeat{Stamp: wire.Stamp{Boot: wire.BootID{2}}}, o.at) // it was started again meanwhile
	c := o.ask("A", door.CommandRearm)
	if c.State != web.CommandUnknown {
		t.Fatalf("%+v", c)
	}
	for range 3 {
		o.sweep()
		o.at = o.at.Add(time.Hour)
	}
	if n := o.findings(review.CommandUnknown); n != 1 {
		t.Errorf("%d findings", n)
	}
	if len(o.sent) != 1 {
		t.Errorf("sent %d times", len(o.sent))
	}
	o.records(1, c.ID, wire.Record{Event: door.EventCommandDone}) // found in the old outbox after all
	if s := o.state(c.ID); s.State != web.CommandDone {
		t.Errorf("a late record: %+v", s)
	}
}
