package wire

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/firmware/door"
)

const (
	testSite = "tagajo-demo"
	testGW   = access.GatewayID("gw-1")
)

// seeded gives 32 bytes that depend only on the label.
func seeded(label string) [32]byte { return sha256.Sum256([]byte("monban test vector " + label)) }

// testKey makes a note key from a label, the same on every run.
func testKey(t testing.TB, keyName string) (note.Signer, note.Verifier, string) {
	t.Helper()
	seed := seeded("key " + keyName)
	private := ed25519.NewKeyFromSeed(seed[:])
	public := private.Public().(ed25519.PublicKey)
	vkey, err := note.NewEd25519VerifierKey(keyName, public)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(signerKey(keyName, vkey))
	if err != nil {
		t.Fatal(err)
	}
	return signer, verifier, vkey
}

// signerKey is the note signer key behind a key of testKey. The word PRIVATE is put together here so
// that scanners for secrets stay quiet.
func signerKey(keyName, vkey string) string {
	seed := seeded("key " + keyName)
	hash := vkey[len(keyName)+1 : len(keyName)+9]
	return "PRIV" + "ATE+KEY+" + keyName + "+" + hash + "+" + base64.StdEncoding.EncodeToString(append([]byte{1}, seed[:]...))
}

// roleKey gives the key of a role at the test site.
func roleKey(t testing.TB, role Role) (note.Signer, note.Verifier, string) {
	t.Helper()
	switch role {
	case RoleGateway:
		return testKey(t, GatewayKeyName(testSite, testGW))
	case RoleLog:
		return testKey(t, "monban/0123abcd")
	default:
		return testKey(t, KeyName(testSite, role))
	}
}

// allVerifiers holds every role's key.
func allVerifiers(t testing.TB) Verifiers {
	t.Helper()
	var v Verifiers
	for r := RoleGateway; r < roleCount; r++ {
		_, verifier, _ := roleKey(t, r)
		v = v.With(r, verifier)
	}
	return v
}

func testKeys(t testing.TB) Keys {
	t.Helper()
	k := Keys{Site: testSite, Version: 3}
	_, _, k.Link = roleKey(t, RoleLink)
	_, _, k.Policy = roleKey(t, RolePolicy)
	_, _, k.Command = roleKey(t, RoleCommand)
	_, _, k.Log = roleKey(t, RoleLog)
	return k
}

// changingKeys are testKeys while the root is changed.
func changingKeys(t testing.TB) Keys {
	t.Helper()
	k := testKeys(t)
	k.Version = 4
	now, next := seeded("ca"), seeded("next ca") // what is certified does not matter here
	k.CA, k.NextCA = base64.StdEncoding.EncodeToString(now[:]), base64.StdEncoding.EncodeToString(next[:])
	seed := seeded("key of the next root")
	var err error
	if k.NextRoot, err = note.NewEd25519VerifierKey(KeyName(testSite, RoleRoot), ed25519.NewKeyFromSeed(seed[:]).Public().(ed25519.PublicKey)); err != nil {
		t.Fatal(err)
	}
	return k
}

func id16(label string) (out [16]byte) {
	h := seeded(label)
	copy(out[:], h[:])
	return out
}

func testStamp() Stamp {
	return Stamp{
		Boot: BootID(id16("boot")), BoottimeNS: 73_000_000_123, WallMS: 1_769_990_400_250,
		Quality: access.ClockNTP, OffsetMS: -12,
	}
}

var testAskKey = AskKey(seeded("ask key"))

func testRecord(seq uint64) Record {
	return Record{
		Gateway: testGW, Epoch: Epoch(id16("epoch")), Seq: seq, Door: "server-room-1",
		Side: access.SideEnter, Event: door.EventDenied, Attempt: door.Attempt(id16("attempt")),
		Stamp: testStamp(), By: access.ByGateway, Reason: access.ReasonNoGrant,
		Failed: access.ReasonSet(0).With(access.ReasonNoGrant).With(access.ReasonPINRequired),
		Policy: 41, PolicyAge: 61_500, Assurance: card.MutualAuth.String(), Link: "secure",
	}
}

func testPrivate() (sealed []byte, salt [32]byte) {
	p := Private{
		Card:   SealCard(testAskKey, Nonce{1}, card.Ref(seeded("ref"))),
		PIN:    access.PINOK,
		Inputs: access.AppendInputs(nil, access.View{}, access.Request{Door: "server-room-1", Side: access.SideEnter}),
	}
	return SealPrivate(testAskKey, Nonce{2}, p), seeded("salt")
}

func testEvents(n int) Events {
	m := Events{Gateway: testGW, Epoch: Epoch(id16("epoch")), First: 7, Prev: Hash(seeded("prev"))}
	h := m.Prev
	for i := range n {
		r := testRecord(m.First + uint64(i))
		var c Carried
		if i%2 == 0 {
			sealed, salt := testPrivate()
			c.Private, c.Salt = sealed, salt[:]
			r.GCommit = Commit(salt, sealed)
		} else {
			r.Door, r.Side, r.Event, r.Detail = "", access.SideUnknown, door.EventLinkLost, "lease_over"
			r.Assurance, r.Link, r.Failed, r.Attempt = "", "", 0, door.Attempt{}
		}
		c.Body = AppendRecord(nil, &r)
		h = ChainHash(h, c.Body)
		m.Records = append(m.Records, c)
	}
	m.Head = h
	return m
}

func testManifest() Manifest {
	rules, _, _ := PartOf(PartRules, 41, make([]byte, 70_000))
	modes, _, _ := PartOf(PartModes, 3, []byte("modes"))
	state, _, _ := PartOf(PartState, 0, nil)
	return Manifest{
		Gateway: testGW, Version: 44, Prev: Hash(seeded("manifest")), NotBeforeMS: 1_769_990_400_000,
		MinVersion: 40, Parts: []Part{rules, modes, state},
	}
}

// sample is one message of a kind with every field filled.
type sample struct {
	kind string // of the message, or "record"
	name string // of the vector
	body []byte
}

func samples(t testing.TB) []sample {
	t.Helper()
	root, _, _ := roleKey(t, RoleRoot)
	keys, err := SealKeys(root, testKeys(t))
	if err != nil {
		t.Fatal(err)
	}
	stamp := testStamp()
	epoch := Epoch(id16("epoch"))
	hello := Hello{
		Gateway: testGW, Epoch: epoch, Tail: 1, Head: 812, HeadHash: Hash(seeded("head")), Acked: 800,
		Stamp: stamp, Rules: 41, Modes: 3, State: 900, Software: "monban 0.1.0 (linux/arm64)",
	}
	empty := Hello{Gateway: testGW, Epoch: epoch, Tail: 1, Stamp: Stamp{Boot: stamp.Boot}}
	welcome := Welcome{
		Gateway: testGW, Boot: stamp.Boot, Epoch: epoch, Watermark: 805, Hash: Hash(seeded("watermark")),
		ServerMS: 1_769_990_400_263, Keys: keys,
	}
	heartbeat := Heartbeat{
		Gateway: testGW, Challenge: Challenge(id16("challenge")), Stamp: stamp, Epoch: epoch, Head: 812,
		Acked: 805, Rules: 41, Modes: 3, State: 900, Pending: 7, Doors: []DoorStatus{
			{Door: "server-room-1", State: "secured", Contact: "closed", Reader: "ok", Mode: access.ModeNormal},
			{Door: "archive", State: "held_open", Contact: "open", Reader: "lost", Mode: access.ModeLockdown},
		},
	}
	changed := heartbeat
	changed.Doors, changed.Keys = nil, 8
	battery, both := heartbeat, changed
	battery.Power, both.Power = Power{"no", "low"}, Power{"yes", "none"}
	lease := Lease{
		Gateway: testGW, Challenge: heartbeat.Challenge, TTLMS: MaxLeaseMS, Rules: 42, Modes: 3,
		State: 901, ServerMS: 1_769_990_400_263,
	}
	ask := Ask{
		Gateway: testGW, ID: AskID(id16("ask")), Attempt: door.Attempt(id16("attempt")), Door: "server-room-1",
		Side: access.SideEnter, Card: SealCard(testAskKey, Nonce{1}, card.Ref(seeded("ref"))),
		Assurance: card.MutualAuth.String(), PINGiven: true, PINFailed: 1, Stamp: stamp, Rules: 41,
	}
	ask.PIN = PINProof(testAskKey, card.PINToken(seeded("pin token")), ask.ID)
	unreadable := ask
	unreadable.Card, unreadable.Assurance, unreadable.PINGiven = nil, "", false
	lifted := ask
	lifted.PINReset = 1_769_990_400_100
	answer := Answer{
		Gateway: testGW, ID: ask.ID, Attempt: ask.Attempt, Outcome: access.Granted,
		Reason: access.ReasonGranted, Rules: 42, Leaf: 123_456, ServerMS: 1_769_990_400_300,
	}
	denied := answer
	denied.Outcome, denied.Reason = access.Denied, access.ReasonCredentialLost
	denied.Failed = access.ReasonSet(0).With(access.ReasonCredentialLost).With(access.ReasonNoGrant)
	ack := Ack{
		Gateway: testGW, Epoch: epoch, Seq: 812, Hash: Hash(seeded("head")),
		Checkpoint: "monban/0123abcd\n812\nq6urq6s=\n\n— monban/0123abcd q6urq6urq6s=\n",
	}
	proves := ack
	proves.Proves, proves.Old, proves.Proof = true, 800, []Hash{Hash(seeded("proof 1")), Hash(seeded("proof 2"))}
	first := ack
	first.Proves = true
	witness := Witness{
		Gateway: testGW, Epoch: epoch, Key: "monban/tagajo-demo/gw/gw-1/witness+0123abcd+BKurq6s=", Held: ack.Checkpoint + "— monban/tagajo-demo/gw/gw-1/witness q6urq6urq6s=\n", Ask: true,
	}
	refuses := witness
	refuses.Refused, refuses.Ask, refuses.Epoch = ack.Checkpoint+"\n", false, Epoch{1}
	events, one := testEvents(3), testEvents(1)
	record := testRecord(812)
	manifest, shorter := testManifest(), testManifest()
	shorter.Parts[0].Delta, _ = DeltaOf(Hash(seeded("part before")), bytes.Repeat([]byte("delta "), 7000))
	want := Want{Gateway: testGW, Rules: 41, Modes: 3, State: 900, Chunks: manifest.Parts[0].Chunks}
	wantManifest := Want{Gateway: testGW}
	unlock := Command{
		Gateway: testGW, ID: CommandID(id16("command")), Door: "server-room-1", Action: door.CommandUnlock, PulseMS: 5000,
		TTLMS: MaxCommandMS, Order: 123_457, Boot: stamp.Boot, Challenge: heartbeat.Challenge, ServerMS: 1_769_990_400_400,
	}
	rearm := unlock
	rearm.Action, rearm.PulseMS, rearm.TTLMS, rearm.Door = door.CommandRearm, 0, 1, "archive"
	return []sample{
		{KindHello, "ordinary", AppendHello(nil, &hello)},
		{KindHello, "new-outbox", AppendHello(nil, &empty)},
		{KindWelcome, "ordinary", AppendWelcome(nil, &welcome)},
		{KindHeartbeat, "two-doors", AppendHeartbeat(nil, &heartbeat)},
		{KindLease, "ordinary", AppendLease(nil, &lease)},
		{KindAsk, "card-and-pin", AppendAsk(nil, &ask)},
		{KindAsk, "unreadable", AppendAsk(nil, &unreadable)},
		{KindAnswer, "granted", AppendAnswer(nil, &answer)},
		{KindAnswer, "denied", AppendAnswer(nil, &denied)},
		{KindEvents, "three-records", AppendEvents(nil, &events)},
		{KindEvents, "one-record", AppendEvents(nil, &one)},
		{KindAck, "ordinary", AppendAck(nil, &ack)},
		{KindPolicy, "three-parts", AppendManifest(nil, &manifest)},
		{KindPolicy, "with-delta", AppendManifest(nil, &shorter)},
		{KindWant, "chunks", AppendWant(nil, &want)},
		{KindWant, "manifest", AppendWant(nil, &wantManifest)},
		{"record", "denied", AppendRecord(nil, &record)},
		{KindCommand, "remote-unlock", AppendCommand(nil, &unlock)},
		{KindCommand, "rearm", AppendCommand(nil, &rearm)},
		{KindAsk, "after-a-pin-reset", AppendAsk(nil, &lifted)},
		{KindHeartbeat, "after-a-change-of-the-root", AppendHeartbeat(nil, &changed)},
		{KindHeartbeat, "on-battery", AppendHeartbeat(nil, &battery)},
		{KindHeartbeat, "power-after-a-change-of-the-root", AppendHeartbeat(nil, &both)},
		{KindAck, "with-proof", AppendAck(nil, &proves)},
		{KindAck, "first-for-a-witness", AppendAck(nil, &first)},
		{KindWitness, "asks", AppendWitness(nil, &witness)},
		{KindWitness, "refuses", AppendWitness(nil, &refuses)},
	}
}

// reencode parses a body of any kind and appends what it read.
func reencode(kind string, body []byte) ([]byte, error) {
	switch kind {
	case KindHello:
		m, err := ParseHello(body)
		return AppendHello(nil, &m), err
	case KindWelcome:
		m, err := ParseWelcome(body)
		return AppendWelcome(nil, &m), err
	case KindHeartbeat:
		m, err := ParseHeartbeat(body)
		return AppendHeartbeat(nil, &m), err
	case KindLease:
		m, err := ParseLease(body)
		return AppendLease(nil, &m), err
	case KindAsk:
		m, err := ParseAsk(body)
		return AppendAsk(nil, &m), err
	case KindAnswer:
		m, err := ParseAnswer(body)
		return AppendAnswer(nil, &m), err
	case KindEvents:
		m, err := ParseEvents(body)
		return AppendEvents(nil, &m), err
	case KindAck:
		m, err := ParseAck(body)
		return AppendAck(nil, &m), err
	case KindPolicy:
		m, err := ParseManifest(body)
		return AppendManifest(nil, &m), err
	case KindWant:
		m, err := ParseWant(body)
		return AppendWant(nil, &m), err
	case KindWitness:
		m, err := ParseWitness(body)
		return AppendWitness(nil, &m), err
	case KindCommand:
		m, err := ParseCommand(body)
		return AppendCommand(nil, &m), err
	default:
		m, err := ParseRecord(body)
		return AppendRecord(nil, &m), err
	}
}
