package link

import (
	"bytes"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/mono"
	"monban/firmware/wire"
)

// rig drives one gateway machine by hand.
type rig struct {
	*testing.T
	g   *Gateway
	now mono.Time
	box *outbox
}

func newRig(t *testing.T, records int) *rig {
	r := &rig{T: t, g: newTestGateway(1, 7), now: mono.Time(10 * time.Second), box: &outbox{epoch: wire.Epoch{1}}}
	for range records {
		r.box.append(stampAt(1, r.now))
	}
	r.in(PolicyHeld{})
	r.in(r.box.state())
	return r
}

// in steps the machine and serves the outbox.
func (r *rig) in(in GatewayInput) []GatewayAction {
	r.Helper()
	out := r.g.Step(r.now, stampAt(1, r.now), in)
	for _, l := range ofType[Load](out) {
		out = append(out, r.in(r.box.load(l))...)
	}
	return out
}

func (r *rig) after(d time.Duration) []GatewayAction {
	r.Helper()
	r.now = r.now.Add(d)
	return r.in(Tick{})
}

// from delivers a message sealed by the key of its role.
func (r *rig) from(kind string, body []byte) []GatewayAction {
	r.Helper()
	return r.in(Message{Kind: kind, Payload: sealAs(r, wire.RoleOf(kind), kind, body)})
}

func sealAs(t testing.TB, role wire.Role, kind string, body []byte) []byte {
	t.Helper()
	msg, err := wire.Seal(roleKey(role), testSite, testGW, kind, body)
	if err != nil {
		t.Fatal(err)
	}
	return msg
}

func (r *rig) welcome(seq uint64, hash wire.Hash) []GatewayAction {
	r.Helper()
	return r.from(wire.KindWelcome, wire.AppendWelcome(nil, &wire.Welcome{
		Gateway: testGW, Boot: wire.BootID{1}, Epoch: r.box.epoch, Watermark: seq, Hash: hash, ServerMS: int64(r.now),
	}))
}

func (r *rig) ack(seq uint64, hash wire.Hash) []GatewayAction {
	r.Helper()
	return r.from(wire.KindAck, wire.AppendAck(nil, &wire.Ack{Gateway: testGW, Epoch: r.box.epoch, Seq: seq, Hash: hash}))
}

// beat takes the newest heartbeat out of some actions.
func (r *rig) beat(actions []GatewayAction) wire.Heartbeat {
	r.Helper()
	bodies := published(r, actions, wire.KindHeartbeat)
	if len(bodies) != 1 {
		r.Fatalf("%d heartbeats, want one", len(bodies))
	}
	m, err := wire.ParseHeartbeat(bodies[0])
	if err != nil {
		r.Fatal(err)
	}
	return m
}

func (r *rig) lease(c wire.Challenge, versions Versions) []GatewayAction {
	r.Helper()
	return r.from(wire.KindLease, wire.AppendLease(nil, &wire.Lease{
		Gateway: testGW, Challenge: c, TTLMS: wire.MaxLeaseMS, Rules: versions.Rules, Modes: versions.Modes, State: versions.State,
		ServerMS: int64(r.now),
	}))
}

// link connects and takes a lease.
func (r *rig) link(versions Versions) []GatewayAction {
	r.Helper()
	return r.lease(r.beat(r.in(Connected{})).Challenge, versions)
}

func count[T, A any](actions []A) int { return len(ofType[T](actions)) }

func why(actions []GatewayAction) string {
	for _, a := range ofType[Rejected](actions) {
		return a.Why
	}
	return ""
}

func TestHelloUntilWelcomed(t *testing.T) {
	t.Parallel()
	r := newRig(t, 3)
	hellos := len(published(t, r.in(Connected{}), wire.KindHello))
	if hellos != 1 {
		t.Fatalf("%d hellos on connecting, want 1", hellos)
	}
	for range 600 { // a minute
		hellos += len(published(t, r.after(100*time.Millisecond), wire.KindHello))
	}
	if hellos < 10 || hellos > 30 {
		t.Errorf("%d hellos in a minute without a welcome", hellos)
	}
	r.welcome(0, wire.Hash{})
	r.ack(3, r.box.hashAt(3))
	for range 600 {
		if len(published(t, r.after(100*time.Millisecond), wire.KindHello)) > 0 {
			t.Fatal("a hello after the welcome")
		}
	}
}

// I5: the lease runs from when the heartbeat was sent.
func TestLeaseRunsFromSending(t *testing.T) {
	t.Parallel()
	r := newRig(t, 0)
	first := r.beat(r.in(Connected{}))
	sent := r.now
	r.now = r.now.Add(900 * time.Millisecond)
	out := r.lease(first.Challenge, Versions{Rules: 4})
	leases := ofType[Lease](out)
	if len(leases) != 1 || leases[0].Until != sent.Add(LeaseTime) || leases[0].Rules != 4 || count[LinkUp](out) != 1 {
		t.Fatalf("got %+v", out)
	}
	if times := ofType[ServerTime](out); len(times) != 1 || times[0].Sent != sent || times[0].At != r.now {
		t.Errorf("server time %+v", times)
	}
	if out := r.lease(first.Challenge, Versions{Rules: 3}); why(out) != WhyStale || count[Lease](out) != 0 {
		t.Errorf("a lease counts twice: %+v", out)
	}
	if out := r.lease(wire.Challenge{9}, Versions{}); why(out) != WhyStale {
		t.Errorf("a lease for no heartbeat: %+v", out)
	}
	second := r.beat(r.after(100 * time.Millisecond)) // sent 1.0 s after the first
	r.now = sent.Add(LeaseTime - 1)
	if !r.g.Linked(r.now) {
		t.Error("lost too early")
	}
	r.now = sent.Add(LeaseTime)
	if out := r.in(Tick{}); count[LinkLost](out) != 1 || r.g.Linked(r.now) {
		t.Errorf("not lost at its end: %+v", out)
	}
	r.now = sent.Add(time.Second + LeaseTime)
	if out := r.lease(second.Challenge, Versions{}); why(out) != WhyStale || r.g.Linked(r.now) {
		t.Errorf("a lease that came after its end: %+v", out)
	}
}

func TestShortLease(t *testing.T) {
	t.Parallel()
	r := newRig(t, 0)
	m := r.beat(r.in(Connected{}))
	out := r.from(wire.KindLease, wire.AppendLease(nil, &wire.Lease{Gateway: testGW, Challenge: m.Challenge, TTLMS: 500}))
	if l := ofType[Lease](out); len(l) != 1 || l[0].Until != r.now.Add(500*time.Millisecond) {
		t.Errorf("got %+v", out)
	}
}

// Only the link role gives leases, answers and acks; only the policy role policies. I9
func TestRolesAndTargets(t *testing.T) {
	t.Parallel()
	r := newRig(t, 0)
	m := r.beat(r.in(Connected{}))
	lease := wire.AppendLease(nil, &wire.Lease{Gateway: testGW, Challenge: m.Challenge, TTLMS: 3000})
	if out := r.in(Message{Kind: wire.KindLease, Payload: sealAs(t, wire.RolePolicy, wire.KindLease, lease)}); why(out) != "signature" {
		t.Errorf("a lease by the policy key: %+v", out)
	}
	if out := r.in(Message{Kind: wire.KindAck, Payload: sealAs(t, wire.RoleLink, wire.KindLease, lease)}); why(out) != "kind" {
		t.Errorf("a lease on the ack topic: %+v", out)
	}
	other := wire.AppendLease(nil, &wire.Lease{Gateway: "gw-2", Challenge: m.Challenge, TTLMS: 3000})
	if out := r.from(wire.KindLease, other); why(out) != WhyOtherGateway {
		t.Errorf("another gateway's lease: %+v", out)
	}
	if out := r.in(Message{Kind: wire.KindWitness, Payload: []byte("x")}); why(out) != WhyUnknownKind {
		t.Errorf("a reserved kind: %+v", out)
	}
	if r.g.Linked(r.now) {
		t.Error("linked")
	}
}

func askOf(n byte) Ask {
	return Ask{Ask: wire.Ask{Attempt: door.Attempt{n}, Door: "server-room-1", Side: access.SideEnter}, Tag: uint64(n)}
}

func failedAs(t *testing.T, actions []GatewayAction, n byte, want AskWhy) {
	t.Helper()
	f := ofType[AskFailed](actions)
	if len(f) != 1 || f[0].Why != want || f[0].Tag != uint64(n) || f[0].Attempt != (door.Attempt{n}) {
		t.Errorf("got %+v, want ask %d failed as %s", f, n, want)
	}
}

func (r *rig) sentAsk(actions []GatewayAction) wire.Ask {
	r.Helper()
	bodies := published(r, actions, wire.KindAsk)
	if len(bodies) != 1 {
		r.Fatalf("%d asks, want one", len(bodies))
	}
	m, err := wire.ParseAsk(bodies[0])
	if err != nil {
		r.Fatal(err)
	}
	return m
}

func (r *rig) answer(m wire.Ask) []GatewayAction {
	r.Helper()
	return r.from(wire.KindAnswer, wire.AppendAnswer(nil, &wire.Answer{
		Gateway: testGW, ID: m.ID, Attempt: m.Attempt, Outcome: access.Granted, Reason: access.ReasonGranted,
	}))
}

func TestAsks(t *testing.T) { // D8
	t.Parallel()
	r := newRig(t, 0)
	failedAs(t, r.in(askOf(1)), 1, AskNoLease)
	r.link(Versions{})

	m := r.sentAsk(r.in(askOf(2)))
	if out := r.answer(m); count[Answered](out) != 1 || ofType[Answered](out)[0].Late || ofType[Answered](out)[0].Tag != 2 {
		t.Errorf("got %+v", out)
	}
	if out := r.answer(m); why(out) != WhyStale || count[Answered](out) != 0 {
		t.Errorf("an answer counts twice: %+v", out)
	}

	m = r.sentAsk(r.in(askOf(3)))
	stranger := m
	stranger.Attempt[0]++
	if out := r.answer(stranger); why(out) != WhyStale {
		t.Errorf("an answer for another attempt: %+v", out)
	}
	if again := r.sentAsk(r.after(askAgain)); again.ID != m.ID {
		t.Error("repeated with another id")
	}
	failedAs(t, r.after(AskTimeout-askAgain), 3, AskTimedOut)
	if out := r.answer(m); count[Answered](out) != 1 || !ofType[Answered](out)[0].Late {
		t.Errorf("late answer: %+v", out)
	}
	if out := r.answer(m); why(out) != WhyStale {
		t.Errorf("a late answer counts twice: %+v", out)
	}

	m = r.sentAsk(r.in(askOf(4)))
	r.now = r.now.Add(AskTimeout) // the timer is late, the answer comes first
	out := r.answer(m)
	failedAs(t, out, 4, AskTimedOut)
	if a := ofType[Answered](out); len(a) != 1 || !a[0].Late {
		t.Errorf("an answer at its deadline counts: %+v", out)
	}

	r.in(askOf(5))
	failedAs(t, r.in(Disconnected{}), 5, AskDisconnected)
	failedAs(t, r.in(askOf(6)), 6, AskDisconnected)
	r.now = r.now.Add(LeaseTime)
	failedAs(t, r.in(askOf(7)), 7, AskNoLease)
}

func TestAskTableIsBounded(t *testing.T) {
	t.Parallel()
	r := newRig(t, 0)
	r.link(Versions{})
	for n := range byte(MaxAsks) {
		if out := r.in(askOf(n)); count[AskFailed](out) != 0 {
			t.Fatalf("ask %d failed", n)
		}
	}
	failedAs(t, r.in(askOf(200)), 200, AskTooMany)
}

// A PIN is bound to its ask, and an ask without one looks no different. D10
func TestAskPIN(t *testing.T) {
	t.Parallel()
	r := newRig(t, 0)
	r.link(Versions{})
	with := askOf(1)
	with.PINGiven, with.PIN = true, [32]byte{1, 2, 3}
	m := r.sentAsk(r.in(with))
	if m.PIN != wire.PINProof(wire.AskKey{}, with.PIN, m.ID) {
		t.Error("not the proof of this token and ask")
	}
	without := r.sentAsk(r.in(askOf(2)))
	if without.PIN == (wire.Hash{}) || without.PIN == wire.PINProof(wire.AskKey{}, [32]byte{}, without.ID) {
		t.Error("no random bytes where no PIN was given")
	}
}

// D18: the root's newer keys note counts at once, an older one never.
func TestKeysChange(t *testing.T) {
	t.Parallel()
	keyOf := func(name string) (note.Signer, string) {
		skey, vkey, err := note.GenerateKey(seedReader(uint64(len(name))), name)
		if err != nil {
			t.Fatal(err)
		}
		s, err := note.NewSigner(skey)
		if err != nil {
			t.Fatal(err)
		}
		return s, vkey
	}
	root := hashKey{wire.KeyName(testSite, wire.RoleRoot)}
	link, linkKey := keyOf(wire.KeyName(testSite, wire.RoleLink))
	_, policyKey := keyOf(wire.KeyName(testSite, wire.RolePolicy))
	_, commandKey := keyOf(wire.KeyName(testSite, wire.RoleCommand))
	_, logKey := keyOf("monban/0123abcd")
	noteOf := func(version uint64, by note.Signer) string {
		text, err := wire.SealKeys(by, wire.Keys{Site: testSite, Version: version, Link: linkKey, Policy: policyKey, Command: commandKey, Log: logKey})
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	r := newRig(t, 0)
	r.g.cfg.Root, r.g.keys = root, 5
	r.in(Connected{})
	welcome := func(keys string) []GatewayAction {
		body := wire.AppendWelcome(nil, &wire.Welcome{Gateway: testGW, Boot: wire.BootID{1}, Epoch: r.box.epoch, Keys: keys, ServerMS: 1})
		msg, err := wire.Seal(link, testSite, testGW, wire.KindWelcome, body)
		if err != nil {
			t.Fatal(err)
		}
		return r.in(Message{Kind: wire.KindWelcome, Payload: msg})
	}
	for what, keys := range map[string]string{
		"older": noteOf(4, root), "same version": noteOf(5, root), "not the root's": noteOf(6, hashKey{wire.KeyName(testSite, wire.RoleLink)}),
	} {
		if out := welcome(keys); count[KeysChanged](out) != 0 || r.g.session.welcomed {
			t.Errorf("%s: %+v", what, out)
		}
	}
	out := welcome(noteOf(6, root))
	if c := ofType[KeysChanged](out); len(c) != 1 || c[0].Keys.Version != 6 || !r.g.session.welcomed {
		t.Errorf("got %+v", out)
	}
}

// D18: while the root is changed two roots' notes count; once the new one has signed, the old one's do not. What is kept on
// the disk is said in heartbeats, and nothing else is.
func TestChangeOfTheRoot(t *testing.T) {
	t.Parallel()
	keyOf := func(name string, seed uint64) (note.Signer, string) {
		skey, vkey, err := note.GenerateKey(seedReader(seed), name)
		if err != nil {
			t.Fatal(err)
		}
		s, err := note.NewSigner(skey)
		if err != nil {
			t.Fatal(err)
		}
		return s, vkey
	}
	rootName := wire.KeyName(testSite, wire.RoleRoot)
	old, oldKey := keyOf(rootName, 101)
	young, youngKey := keyOf(rootName, 102)
	stranger, _ := keyOf(rootName, 103)
	link, linkKey := keyOf(wire.KeyName(testSite, wire.RoleLink), 104)
	base := wire.Keys{Site: testSite, Link: linkKey}
	_, base.Policy = keyOf(wire.KeyName(testSite, wire.RolePolicy), 105)
	_, base.Command = keyOf(wire.KeyName(testSite, wire.RoleCommand), 106)
	_, base.Log = keyOf("monban/0123abcd", 107)
	announce, done := base, base
	announce.CA, announce.NextCA, announce.NextRoot, done.CA = "AAAA", "BBBB", youngKey, "BBBB"
	r := newRig(t, 0)
	var err error
	if r.g.cfg.Root, err = note.NewVerifier(oldKey); err != nil {
		t.Fatal(err)
	}
	r.g.keys = 1
	r.in(Connected{})
	for i, c := range []struct {
		what    string
		keys    wire.Keys
		version uint64
		by      note.Signer
		taken   bool
	}{
		{"the new root alone", done, 3, young, false},
		{"announced by the new root itself", announce, 2, young, false},
		{"announced by the old one", announce, 2, old, true},
		{"by neither", done, 3, stranger, false},
		{"the old one again, still allowed", announce, 3, old, true},
		{"the new one", done, 4, young, true},
		{"the old one after its day", announce, 5, old, false},
		{"the new one goes on", done, 6, young, true},
	} {
		c.keys.Version = c.version
		text, err := wire.SealKeys(c.by, c.keys)
		if err != nil {
			t.Fatal(err)
		}
		body := wire.AppendWelcome(nil, &wire.Welcome{Gateway: testGW, Boot: wire.BootID{1}, Epoch: r.box.epoch, Keys: text, ServerMS: int64(i + 1)})
		msg, err := wire.Seal(link, testSite, testGW, wire.KindWelcome, body)
		if err != nil {
			t.Fatal(err)
		}
		if got := count[KeysChanged](r.in(Message{Kind: wire.KindWelcome, Payload: msg})) == 1; got != c.taken {
			t.Errorf("%s: taken %v, want %v", c.what, got, c.taken)
		}
	}
	beat := func() uint64 {
		t.Helper()
		for range 3 {
			if bodies := published(t, r.after(time.Second), wire.KindHeartbeat); len(bodies) > 0 {
				m, err := wire.ParseHeartbeat(bodies[0])
				if err != nil {
					t.Fatal(err)
				}
				return m.Keys
			}
		}
		t.Fatal("no heartbeat")
		return 0
	}
	if got := beat(); got != 0 {
		t.Errorf("heartbeat says that %d is kept, and nothing is", got)
	}
	r.in(KeysKept{Version: 6})
	if got := beat(); got != 6 {
		t.Errorf("heartbeat says %d, want 6", got)
	}
}

// Without randomness nothing is asked and no lease is held: the link is lost, the doors decide. I9
func TestRandomnessFails(t *testing.T) {
	t.Parallel()
	r := newRig(t, 0)
	r.link(Versions{})
	r.g.dice = dice{bytes.NewReader(nil)}
	failedAs(t, r.in(askOf(1)), 1, AskUnsent)
	for range 4 {
		if len(published(t, r.after(time.Second), wire.KindHeartbeat)) > 0 {
			t.Error("a heartbeat without a challenge")
		}
	}
	if r.g.Linked(r.now) {
		t.Error("still linked")
	}
}
