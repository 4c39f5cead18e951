// Package app wires one gateway process: identity, outbox, policy, readers, doors and link. It is
// the only place in gateway/ that knows all of them, and it decides nothing.
//
// Start order: outbox, policy, doors (each secures its lock first), link. Stop order: readers, doors
// (locks secured), outbox flushed, link closed.
package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
	_ "time/tzdata" // schedules are read in the site's zone; a gateway's image need not have the table

	"golang.org/x/sys/unix"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/firmware/door"
	"monban/firmware/link"
	"monban/firmware/mono"
	"monban/firmware/wiegand"
	"monban/firmware/wire"
	"monban/gateway/config"
	"monban/gateway/controller"
	"monban/gateway/desk"
	"monban/gateway/hal/pi"
	"monban/gateway/hal/sim"
	"monban/gateway/outbox"
	"monban/gateway/policycache"
	"monban/gateway/reader"
	"monban/gateway/uplink"
)

// ageEvery is how often the age of the policy and the last trusted time are saved (D12).
const ageEvery = time.Minute

// Options of New. The simulator's settings override those of the file.
type Options struct {
	Config  config.Config
	Sim     bool
	Panel   string
	Cards   string
	Control string
	Trace   string
	// Chip opens the header's GPIO chip; nil = the real one. For tests of whole gateways.
	Chip    func() (pi.Chip, error)
	Version string
	// Slots is the folder of programs that updates bring; empty = none are started. Trial is the number of this program while it is on trial.
	Slots string
	Trial int64
	// Own is the number of this program, 0 = unknown. Brought says that an update has brought it.
	Own     int64
	Brought bool
	Log     *slog.Logger
	Out     io.Writer // what a person at the terminal should read
	// Seen is called after a door's record has become durable, on the outbox's goroutine; nil = nobody looks. It must not block.
	Seen func(id access.DoorID, event door.Event, side access.Side)
}

// App is one gateway process.
type App struct {
	opt      Options
	id       Identity
	renewal  *renewal
	trust    *trust
	anchor   *anchor
	outbox   *outbox.Outbox
	policies *policies
	places   *controller.Places
	airlocks *controller.Airlocks
	ask      wire.AskKey
	time     *timekeeper
	doors    []*controller.Loop
	desks    []*desk.Loop
	readers  []*reader.Reader
	uplink   *uplink.Uplink
	hardware hardware
	watched  watched
	sim      *sim.HAL   // nil = real hardware
	panel    *demoPanel // nil = none
	records  recorder
	bell     *bell
	booted   string // how the process before this one ended, in a word of door.Boot…
	quit     context.CancelFunc
	linked   atomic.Bool
	linkedAt atomic.Int64 // mono.Time at which linked last changed; 0 = start
	slim     slimmer
	current  atomic.Pointer[access.Policy] // what the readers ask: is this a card of the site?
}

// New builds everything and drives every lock to its secure level; nothing is decided before Run. On
// an error nothing stays open.
func New(opt Options) (*App, error) {
	a := &App{opt: opt, quit: func() {}}
	if err := a.open(); err != nil {
		return nil, errors.Join(err, a.close())
	}
	return a, nil
}

// open takes everything that Run needs. What it has taken when it fails is given back by close.
func (a *App) open() (err error) {
	opt, cfg := a.opt, a.opt.Config
	if a.id, err = LoadIdentity(cfg.IdentityDir); err != nil {
		return err
	}
	if a.anchor, err = newAnchor(kernelClock()); err != nil {
		return err
	}
	keys, err := wire.OpenKeys(a.id.Root, cfg.Site, string(a.id.KeysNote))
	if err != nil {
		return fmt.Errorf("%s: %w", cfg.IdentityDir, err)
	}
	verifiers, err := keys.Verifiers()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	if err := a.openHardware(); err != nil { // locks are secured here, before anything that may take time
		return err
	}
	a.outbox, err = outbox.Open(outbox.Config{
		Path: cfg.Path("outbox.db"), Gateway: access.GatewayID(cfg.Gateway),
		Stamp: func() wire.Stamp { return a.anchor.stamp(a.anchor.moment()) }, Log: opt.Log, Notify: a.notice,
		MaxBytes: int64(cfg.Outbox.MaxMiB) << 20, Reserve: int64(cfg.Outbox.ReserveMiB) << 20,
		Turned: a.watched.Pulse("records", recordsPatience).Beat,
	})
	if err != nil {
		return err
	}
	a.anchor.notBefore(a.outbox.Trusted())
	kept, err := loadClock(cfg.Path("clock"))
	if err != nil { // as after a boot: local entry decisions wait for a trusted time, leaving does not (D12)
		opt.Log.LogAttrs(context.Background(), slog.LevelWarn, "clock", slog.Any("err", err))
	}
	a.anchor.continued(kept, kernelBoot())
	a.booted = lastEnd(a.outbox)
	if a.bell, err = a.openBell(); err != nil {
		return err
	}
	a.records = recorder{a.outbox, a.bell, opt.Seen}
	cache, err := policycache.Open(policycache.Config{
		Dir: cfg.DataDir, Site: cfg.Site, Gateway: access.GatewayID(cfg.Gateway), Verifiers: verifiers,
	})
	if cache == nil {
		return err
	}
	if err != nil { // the cache is empty but usable: entries are denied and recorded until the server has sent a policy
		opt.Log.LogAttrs(context.Background(), slog.LevelError, "policy on disk is not used", slog.Any("err", err))
	}
	a.policies = &policies{cache: cache, apply: a.applyPolicy, wall: func() int64 { return a.anchor.wall(a.anchor.now()) },
		clock: a.anchor.clock, trusted: a.outbox.Trusted, now: a.anchor.now, ages: cache, log: opt.Log}
	a.time = &timekeeper{anchor: a.anchor, policies: a.policies, store: a.outbox, confirm: a.confirm, note: a.note, keep: a.keepClock, log: opt.Log}
	a.policies.save = a.time.save
	a.policies.sinceIs, a.policies.state = a.confirm, a.applyState
	a.id.TLS.Time = a.tlsTime
	a.renewal = &renewal{dir: cfg.IdentityDir, server: cfg.EnrolServer, gateway: cfg.Gateway, base: a.id.TLS.Clone(), now: a.tlsTime, log: opt.Log, kick: make(chan struct{}, 1)}
	a.renewal.current.Store(&a.id.TLS.Certificates[0])
	a.trust = newTrust(cfg.IdentityDir, a.id.belief, opt.Log)
	a.trust.renewal = a.renewal
	a.renewal.roots, a.renewal.behind, a.renewal.renewed = a.trust.roots, a.trust.behind, a.trust.settle
	a.id.TLS.GetClientCertificate = a.renewal.certificate
	var ask wire.AskKey
	copy(ask[:], a.id.Keys.AskKey)
	a.ask = ask
	up := uplink.Config{
		Server: cfg.Server, TLS: a.id.TLS, Site: cfg.Site, Gateway: access.GatewayID(cfg.Gateway),
		Signer: a.id.Note, Verifiers: verifiers, Root: a.id.Root, Next: a.id.belief.next, KeysVersion: keys.Version, AskKey: ask, Roots: a.trust.roots,
		Rand: rand.Reader, Boot: a.anchor.boot, Software: opt.Version, AskTimeout: cfg.AskTimeout.Std(),
		Now: a.anchor.now, Stamp: func(t mono.Time) wire.Stamp {
			return a.anchor.stamp(controller.Moment{At: t, WallMS: a.anchor.wall(t), Clock: a.anchor.clock()})
		},
		Outbox: queue{a.outbox}, Policies: a.policies, Listener: listener{a}, Command: a.command, Log: opt.Log,
	}
	if w, err := openWitness(cfg.IdentityDir, cfg.DataDir, func() int64 { return a.anchor.wall(a.anchor.now()) }, opt.Log); err != nil {
		// No door depends on it: they go on, and the server's self-test tells that a witness is missing.
		opt.Log.LogAttrs(context.Background(), slog.LevelError, "this gateway is no witness of the log", slog.Any("err", err))
	} else {
		w.onFork = a.bell.fork
		up.Witness = w
	}
	a.uplink = uplink.New(up)
	a.trust.kept = a.uplink.KeysKept
	a.places, a.airlocks = controller.NewPlaces(), controller.NewAirlocks()
	for _, d := range cfg.Doors {
		if err := a.addDoor(d, ask); err != nil {
			return err
		}
	}
	for _, d := range cfg.Desks {
		if err := a.addDesk(d, ask); err != nil {
			return err
		}
	}
	a.policies.load()
	a.watched.arm(opt)
	return nil
}

// kernelClock is how good the kernel says its wall clock is.
func kernelClock() access.ClockQuality {
	var tx unix.Timex
	state, err := unix.Adjtimex(&tx)
	const unsynchronised = 5 // TIME_ERROR of adjtimex(2)
	if err != nil || state == unsynchronised {
		return access.ClockFloor // not trusted: local decisions wait for the server's time (D12)
	}
	return access.ClockNTP
}

func (a *App) openSim() error {
	cfg := a.opt.Config
	s := sim.Config{
		Anchor: a.anchor.start, Trace: first(a.opt.Trace, cfg.Sim.Trace), Log: a.opt.Log,
		SetLink: func(up bool) { a.uplink.Cut(!up) }, Quit: func() { a.quit() }, Status: a.status,
	}
	if path := first(a.opt.Cards, cfg.Sim.Cards); path != "" {
		cards, err := sim.LoadCards(path)
		if err != nil {
			return err
		}
		s.Cards = cards
	}
	for _, d := range cfg.Doors {
		sd := sim.DoorConfig{ID: d.ID, Lock: d.Kind == "controlled", Request: d.Exit == "button" || d.Exit == "handle"}
		for _, r := range d.Readers {
			keypad, err := wiegand.ParseKeypad(r.Keypad)
			if err != nil {
				return fmt.Errorf("door %s: %w", d.ID, err)
			}
			rc := &sim.ReaderConfig{Keypad: keypad}
			if r.Side == "exit" {
				sd.Exit = rc
			} else {
				sd.Enter = rc
			}
		}
		s.Doors = append(s.Doors, sd)
	}
	for _, d := range cfg.Desks {
		keypad, err := wiegand.ParseKeypad(d.Keypad)
		if err != nil {
			return fmt.Errorf("desk %s: %w", d.ID, err)
		}
		s.Doors = append(s.Doors, sim.DoorConfig{ID: d.ID, Enter: &sim.ReaderConfig{Keypad: keypad}}) // a reader, and no lock
	}
	var err error
	if a.sim, err = sim.New(s); err != nil {
		return err
	}
	if addr := first(a.opt.Panel, cfg.Sim.Panel); addr != "" {
		a.panel, err = newPanel(a.sim, addr, a.opt.Log)
	}
	return err
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// status is the simulator's answer to "how do you stand towards the server": linked and in possession of
// a policy, and how many records wait for an ack.
func (a *App) status() string {
	link := "down"
	if a.linked.Load() && a.policies.Held().Manifest > 0 {
		link = "up"
	}
	return fmt.Sprintf("link=%s pending=%d", link, a.outbox.Stat().Pending)
}

// addDoor builds one door's loop and readers.
func (a *App) addDoor(d config.Door, ask wire.AskKey) error {
	devices, err := a.devices(d)
	if err != nil {
		return err
	}
	dc := door.DefaultConfig(access.DoorID(d.ID), door.KindObserve, door.ExitNone)
	if d.Kind == "controlled" {
		dc.Kind = door.KindControlled
	}
	switch d.Exit {
	case "reader":
		dc.Exit = door.ExitReader
	case "button":
		dc.Exit = door.ExitButton
	case "handle":
		dc.Exit = door.ExitHandle
	}
	dc.ReleaseTime, dc.OpenTime, dc.Debounce = d.ReleaseTime.Std(), d.OpenTime.Std(), d.Debounce.Std()
	dc.DurableWait, dc.PINWait = d.DurableWait.Std(), d.PINWait.Std()

	reads := make(chan reader.Read, 64)
	for _, r := range d.Readers {
		keypad, err := wiegand.ParseKeypad(r.Keypad)
		if err != nil {
			return fmt.Errorf("door %s: %w", d.ID, err)
		}
		rc := reader.Config{
			Door: dc.Door, Side: access.SideEnter, Reader: devices.Enter, Keypad: keypad,
			Keys:    reader.Keys{Card: a.id.Keys.CardKey, PIN: a.id.Keys.PINKey, Gateway: a.id.Keys.GatewayKey, Ask: ask},
			PINWait: dc.PINWait, Now: a.anchor.now, Wall: a.anchor.wall, Reads: reads, Known: a.known, Log: a.opt.Log, Purposes: r.Purposes,
		}
		if r.Side == "exit" {
			rc.Side, rc.Reader = access.SideExit, devices.Exit
		}
		for _, f := range r.Formats {
			rc.Formats = append(rc.Formats, card.Format(f))
		}
		if rc.Link, rc.Cap, err = a.readerLink(d.Place, r.Side); err != nil {
			return fmt.Errorf("door %s: %w", d.ID, err)
		}
		built, err := reader.New(rc)
		if err != nil {
			return fmt.Errorf("door %s: %w", d.ID, err)
		}
		a.readers = append(a.readers, built)
	}
	l, err := controller.New(controller.Config{
		Gateway: access.GatewayID(a.opt.Config.Gateway), Door: dc, HAL: devices, Reads: reads,
		Recorder: a.records, Asker: a.uplink, Now: a.anchor.moment, Stamp: a.anchor.stamp, AskKey: ask,
		Rand: rand.Reader, Log: a.opt.Log, OnStatus: a.uplink.SetDoor,
		Latch: latch{a.opt.Config.Path("released-" + d.ID)}, SelfTest: a.selfTest, Places: a.places, Airlocks: a.airlocks,
		Turned: a.watched.Pulse("decision "+d.ID, 0).Beat, Scanned: a.watched.Pulse("inputs "+d.ID, 0).Beat,
	})
	if err != nil {
		return err
	}
	a.doors = append(a.doors, l)
	a.watched.lock(d.ID, devices.Lock)
	return nil
}

// applyPolicy gives every door the policy; nil denies every entry.
func (a *App) applyPolicy(p *access.Policy, rules uint64, since int64) {
	a.current.Store(p)
	a.places.SetPolicy(p, a.anchor.wall(a.anchor.now()))
	a.airlocks.SetPolicy(p)
	for _, d := range a.doors {
		d.SetPolicy(p, rules, since)
	}
	if p != nil {
		a.slim.Do()
		a.note(door.EventPolicyApplied, fmt.Sprintf("rules-%d", rules))
	}
}

// confirm tells every door since when the policy held is known to be in force, UTC ms.
func (a *App) confirm(since int64) {
	for _, d := range a.doors {
		d.Confirm(since)
	}
}

// keepClock keeps a trusted clock for the next process of this boot. Where it cannot be kept the next one
// refuses entries until it has a trusted time again.
func (a *App) keepClock() {
	k, ok := a.anchor.keep(kernelBoot())
	if !ok {
		return
	}
	if err := saveClock(a.opt.Config.Path("clock"), k); err != nil {
		a.opt.Log.LogAttrs(context.Background(), slog.LevelWarn, "clock", slog.Any("err", err))
	}
}

// known reports whether the policy held names a card.
func (a *App) known(k access.Key) bool {
	_, ok := a.current.Load().Credential(k)
	return ok
}

// note records an event of the gateway itself.
func (a *App) note(e door.Event, detail string) {
	a.outbox.Append(outbox.Entry{
		Record: wire.Record{Event: e, Detail: detail, Stamp: a.anchor.stamp(a.anchor.moment())},
		Done: func(r outbox.Result) {
			if r.Err != nil {
				a.opt.Log.LogAttrs(context.Background(), slog.LevelError, "event not recorded", slog.String("event", string(e)), slog.Any("err", r.Err))
			}
		},
	})
}

// notice passes on what the outbox has to say. It runs on the outbox's goroutine.
func (a *App) notice(n outbox.Notice) {
	attrs := []slog.Attr{slog.String("what", n.Kind.String()), slog.String("level", n.Level.String())}
	level := slog.LevelWarn
	switch {
	case n.Err != nil:
		level = slog.LevelError
		attrs = append(attrs, slog.Any("err", n.Err))
	case n.Kind == outbox.NoticeEpoch, n.Kind == outbox.NoticeReopened, n.Kind == outbox.NoticeLevel && n.Level == outbox.LevelOK:
		level = slog.LevelInfo // a new file, or all is well again: nothing for a person to do
	}
	a.opt.Log.LogAttrs(context.Background(), level, "outbox", attrs...)
}

// Run serves until ctx ends, and returns when every goroutine has ended.
func (a *App) Run(ctx context.Context) error {
	ctx, a.quit = context.WithCancel(ctx)
	defer a.quit()
	// The outbox and the link outlive the doors: what the doors record last must become durable.
	late, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()

	var back, front sync.WaitGroup
	back.Go(func() { a.outbox.Run(late) })
	back.Go(func() { a.uplink.Run(late) })
	a.note(door.EventBoot, a.booted)
	errs := make(chan error, len(a.doors)+3)
	for _, d := range a.doors {
		front.Go(func() { errs <- d.Run(ctx) })
	}
	for _, d := range a.desks {
		front.Go(func() { d.Run(ctx) })
	}
	for _, r := range a.readers {
		front.Go(func() { r.Run(ctx) })
	}
	front.Go(func() { a.time.run(ctx) })
	front.Go(func() { a.trust.run(ctx) })
	front.Go(func() { a.bell.run(ctx) })
	front.Go(func() { a.watched.run(ctx, a.opt.Log) })
	front.Go(func() { a.keepPresent(ctx) })
	front.Go(func() { a.keepStatus(ctx) })
	if u := a.openUpdates(); u != nil {
		front.Go(func() {
			if err := u.run(ctx); err != nil {
				errs <- err
			}
		})
	}
	if f := a.openFetch(); f != nil {
		front.Go(func() { f.Run(ctx, a.linked.Load) })
	}
	front.Go(func() { watchPower(ctx, a.hardware.Power(), a.note, a.uplink.SetPower) })
	if a.opt.Config.EnrolServer != "" {
		front.Go(func() { a.renewal.run(ctx) })
	}
	if a.panel != nil {
		front.Go(func() { errs <- a.panel.run(ctx) })
		_, _ = fmt.Fprintf(a.opt.Out, "Panel of %s: %s\n", a.opt.Config.Gateway, a.panel.url())
	}
	if path := first(a.opt.Control, a.opt.Config.Sim.Control); path != "" && a.sim != nil {
		front.Go(func() { errs <- a.sim.ServeControl(ctx, path) })
	}
	var err error
	select {
	case <-ctx.Done():
		a.watched.stopping()
	case err = <-errs: // a part that ends by itself ends the process; systemd starts it again
		a.quit()
	}
	front.Wait()
	a.note(door.EventShutdown, "")
	a.time.save()
	end()
	back.Wait()
	close(errs)
	for e := range errs {
		err = errors.Join(err, e)
	}
	err = errors.Join(err, a.close())
	return errors.Join(err, a.watched.end(err == nil)) // last, with every lock secured
}

// close gives back what New opened; locks are secured by the hardware's Close.
func (a *App) close() error {
	var errs []error
	if a.hardware != nil {
		errs = append(errs, a.hardware.Close())
	}
	if a.outbox != nil {
		errs = append(errs, a.outbox.Close())
	}
	return errors.Join(errs...)
}

// recorder adapts the outbox to the doors.
type recorder struct {
	o    *outbox.Outbox
	bell *bell
	seen func(id access.DoorID, event door.Event, side access.Side) // nil = nobody looks
}

// Append implements controller.Recorder.
func (r recorder) Append(rec wire.Record, private []byte, pin *controller.PINFailures, done func(error)) {
	e := outbox.Entry{Record: rec, Private: private, Done: func(res outbox.Result) {
		done(res.Err)
		if r.seen != nil && res.Err == nil {
			r.seen(rec.Door, rec.Event, rec.Side)
		}
	}}
	if pin != nil {
		e.PIN = outbox.PINUpdate{Set: true, Key: pin.Key, Failed: pin.Failed}
	}
	r.o.Append(e)
	r.bell.see(rec.Event) // whether or not the record becomes durable: a bell opens nothing
}

// PINFailed implements controller.Recorder.
func (r recorder) PINFailed(k access.Key) uint8 { return r.o.PINFailed(k) }

// PINReset implements controller.Recorder.
func (r recorder) PINReset() int64 { return r.o.PINReset() }

// queue adapts the outbox to the link.
type queue struct{ o *outbox.Outbox }

// State implements uplink.Outbox.
func (q queue) State() link.OutboxState {
	s := q.o.Stat()
	return link.OutboxState{Epoch: s.Epoch, Tail: s.Tail, Head: s.Head, HeadHash: s.HeadHash, Acked: s.Acked, Pending: s.Pending}
}

// Changed implements uplink.Outbox.
func (q queue) Changed() <-chan struct{} { return q.o.Changed() }

// Load implements uplink.Outbox.
func (q queue) Load(epoch wire.Epoch, first uint64, most int) (wire.Events, error) {
	return q.o.Load(epoch, first, most)
}

// Acked implements uplink.Outbox.
func (q queue) Acked(a link.Acked) { q.o.Acked(a.Epoch, a.Seq, a.Hash, func(error) {}) }

// NewEpoch implements uplink.Outbox.
func (q queue) NewEpoch(why string) { q.o.NewEpoch(why, func(error) {}) }
