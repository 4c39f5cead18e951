package wire

import (
	"bytes"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"monban/firmware/access"
	"monban/firmware/door"
)

// canonical fails when a body was accepted that is not what the encoder writes.
func canonical(t *testing.T, kind string, body []byte) {
	got, err := reencode(kind, body)
	if err == nil && !bytes.Equal(got, body) {
		t.Fatalf("%s: accepted\n%q\nwrites\n%q", kind, body, got)
	}
}

// bodyKinds are the kinds with a body; the fuzzers pick one by number.
var bodyKinds = []string{
	KindHello, KindWelcome, KindHeartbeat, KindLease, KindAsk, KindAnswer, KindEvents, KindAck, KindPolicy, KindWant, "record",
	KindCommand, KindWitness,
}

func seedBodies(f *testing.F, kinds ...string) {
	for _, s := range samples(f) {
		for _, k := range kinds {
			if s.kind == k {
				f.Add(s.body)
			}
		}
	}
	f.Add([]byte("{}"))
	f.Add([]byte(nil))
}

func FuzzParseBody(f *testing.F) {
	for _, s := range samples(f) {
		for i, k := range bodyKinds {
			if s.kind == k {
				f.Add(uint8(i), s.body)
			}
		}
	}
	f.Fuzz(func(t *testing.T, n uint8, body []byte) {
		canonical(t, bodyKinds[int(n)%len(bodyKinds)], body)
	})
}

func FuzzParseRecord(f *testing.F) {
	seedBodies(f, "record")
	f.Fuzz(func(t *testing.T, body []byte) { canonical(t, "record", body) })
}

func FuzzParseEvents(f *testing.F) {
	seedBodies(f, KindEvents)
	f.Fuzz(func(t *testing.T, body []byte) {
		canonical(t, KindEvents, body)
		m, err := ParseEvents(body)
		if err != nil {
			return
		}
		_, _ = m.Chain()
		for i := range m.Records {
			r, err := ParseRecord(m.Records[i].Body)
			if err != nil || r.Seq != m.First+uint64(i) {
				t.Fatalf("record %d: %v, seq %d", i, err, r.Seq)
			}
			m.Records[i].Committed(r.GCommit)
		}
	})
}

// I7: what parses is a command that can run out.
func FuzzParseCommand(f *testing.F) {
	seedBodies(f, KindCommand)
	f.Fuzz(func(t *testing.T, body []byte) {
		canonical(t, KindCommand, body)
		m, err := ParseCommand(body)
		if err != nil {
			return
		}
		if m.TTLMS < 1 || m.TTLMS > MaxCommandMS || m.PulseMS < 0 || m.PulseMS > MaxPulseMS || m.ID == (CommandID{}) ||
			m.Action == door.CommandNone || m.Action > door.CommandSelfTest || m.Action != door.CommandUnlock && m.PulseMS != 0 {
			t.Fatalf("accepted %+v", m)
		}
	})
}

func FuzzParseManifest(f *testing.F) {
	seedBodies(f, KindPolicy)
	f.Fuzz(func(t *testing.T, body []byte) {
		canonical(t, KindPolicy, body)
		if m, err := ParseManifest(body); err == nil && len(m.Parts) != 3 {
			t.Fatalf("%d parts", len(m.Parts))
		}
	})
}

// anyKey accepts every signature under one name: the fuzzer gets past the signature to the rest.
type anyKey struct{ name string }

func (k anyKey) Name() string              { return k.name }
func (anyKey) KeyHash() uint32             { return 0x01020304 }
func (anyKey) Verify(_, _ []byte) bool     { return true }
func (anyKey) Sign([]byte) ([]byte, error) { return []byte("x"), nil }

func FuzzOpen(f *testing.F) {
	key := anyKey{"monban/any"}
	var v Verifiers
	for r := RoleGateway; r < roleCount; r++ {
		v = v.With(r, key)
	}
	kinds := append(UpKinds(), DownKinds()...)
	for _, s := range samples(f) {
		if s.kind == "record" {
			continue
		}
		msg, err := Seal(key, testSite, testGW, s.kind, s.body)
		if err != nil {
			f.Fatal(err)
		}
		for i, k := range kinds {
			if k == s.kind {
				f.Add(uint8(i), msg)
			}
		}
	}
	f.Fuzz(func(t *testing.T, n uint8, msg []byte) {
		kind := kinds[int(n)%len(kinds)]
		body, err := Open(v, testSite, testGW, kind, msg)
		if err != nil {
			if FaultOf(err) == FaultNone {
				t.Fatalf("error without a fault: %v", err)
			}
			return
		}
		if !bodyForm(body) {
			t.Fatalf("body %q", body)
		}
		again, err := Seal(key, testSite, testGW, kind, body)
		if err != nil {
			t.Fatalf("opened but cannot be sealed: %v", err)
		}
		if a, b, _ := bytes.Cut(again, []byte("\n\n")); !bytes.HasPrefix(msg, a) || b == nil {
			t.Fatalf("opened\n%q\nseals as\n%q", msg, again)
		}
		canonical(t, kind, body)
	})
}

func FuzzOpenKeys(f *testing.F) {
	key := anyKey{"monban/any"}
	k := testKeys(f)
	f.Add(keysText(&k))
	rolling := changingKeys(f)
	f.Add(keysText(&rolling))
	f.Add(keysHead)
	f.Fuzz(func(t *testing.T, text string) {
		msg, err := note.Sign(&note.Note{Text: text}, key)
		if err != nil {
			return
		}
		keys, err := OpenKeys(key, testSite, string(msg))
		if err != nil {
			return
		}
		if keysText(&keys) != text {
			t.Fatalf("accepted %q", text)
		}
		if _, err := keys.Verifiers(); err != nil {
			t.Fatal(err)
		}
		if _, err := note.NewVerifier(keys.NextRoot); keys.NextRoot != "" && err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzParsePrivate(f *testing.F) {
	for _, p := range []Private{{}, {PIN: access.PINDuress, Card: make([]byte, 60)}, {Inputs: make([]byte, access.InputsSize)}} {
		f.Add(appendPrivate(nil, &p))
	}
	f.Fuzz(func(t *testing.T, clear []byte) {
		p, err := parsePrivate(clear)
		if err == nil && !bytes.Equal(appendPrivate(nil, &p), clear) {
			t.Fatalf("accepted %x", clear)
		}
		if _, err := OpenPrivate(testAskKey, clear); err == nil {
			t.Fatal("opens without having been sealed")
		}
	})
}

func FuzzParseTopic(f *testing.F) {
	f.Add(Topic(testSite, testGW, KindAsk))
	f.Add("monban/1/s/g/down/chunk")
	f.Fuzz(func(t *testing.T, topic string) {
		if site, gw, kind, err := ParseTopic(topic); err == nil && Topic(site, gw, kind) != topic {
			t.Fatalf("accepted %q", topic)
		}
	})
}
