package wire

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/firmware/door"
)

func TestSamplesRoundTrip(t *testing.T) {
	t.Parallel()
	for _, s := range samples(t) {
		got, err := reencode(s.kind, s.body)
		if err != nil {
			t.Errorf("%s/%s: %v\n%s", s.kind, s.name, err, s.body)
			continue
		}
		if diff := cmp.Diff(string(got), string(s.body)); diff != "" {
			t.Errorf("%s/%s: Append(Parse(b)) (-got +want):\n%s", s.kind, s.name, diff)
		}
	}
}

// Every single-byte change of every body is either refused or is a different canonical body.
func TestMutationsAreRefusedOrCanonical(t *testing.T) {
	t.Parallel()
	for _, s := range samples(t) {
		refused := 0
		for i := range s.body {
			for _, c := range []byte{'0', '1', 'f', '"', ',', '}', ' ', '-', '\\', '\n', 0, 0xff, s.body[i] ^ 0x20} {
				if c == s.body[i] {
					continue
				}
				b := bytes.Clone(s.body)
				b[i] = c
				got, err := reencode(s.kind, b)
				switch {
				case err != nil:
					refused++
				case !bytes.Equal(got, b):
					t.Fatalf("%s/%s: byte %d = %q accepted but not canonical:\n%s\n%s", s.kind, s.name, i, c, b, got)
				}
			}
		}
		if refused < len(s.body) {
			t.Errorf("%s/%s: only %d mutations of %d bytes refused", s.kind, s.name, refused, len(s.body))
		}
	}
}

// Cut, extended and re-ordered bodies are refused with an error that names the field.
func TestStructureIsStrict(t *testing.T) {
	t.Parallel()
	for _, s := range samples(t) {
		text := string(s.body)
		for n := range len(s.body) {
			if _, err := reencode(s.kind, s.body[:n]); err == nil {
				t.Fatalf("%s/%s: accepted when cut to %d bytes", s.kind, s.name, n)
			}
		}
		bad := map[string]string{
			"extended":      text + "}",
			"newline":       text + "\n",
			"unknown field": strings.TrimSuffix(text, "}") + `,"x":1}`,
			"space":         strings.Replace(text, ":", ": ", 1),
			"empty object":  "{}",
			"empty":         "",
			"null":          "null",
		}
		for what, b := range bad {
			_, err := reencode(s.kind, []byte(b))
			var e *Error
			if !errors.As(err, &e) || e.Fault != FaultBody || e.Kind != s.kind || e.Field == "" {
				t.Errorf("%s/%s %s: got %v, want FaultBody naming a field", s.kind, s.name, what, err)
			}
		}
	}
}

func TestRefusedValues(t *testing.T) {
	t.Parallel()
	record := testRecord(812)
	cases := []struct {
		kind, from, to, field string
	}{
		{"record", `"seq":812`, `"seq":0812`, "seq"},
		{"record", `"seq":812`, `"seq":0`, "seq"},
		{"record", `"seq":812`, `"seq":18446744073709551616`, "seq"},
		{"record", `"seq":812`, `"seq":8.12`, "door"},
		{"record", `"seq":812`, `"seq":-8`, "seq"},
		{"record", `"offset_ms":-12`, `"offset_ms":-0`, "offset_ms"},
		{"record", `"offset_ms":-12`, `"offset_ms":9223372036854775808`, "offset_ms"},
		{"record", `"boottime_ns":73000000123`, `"boottime_ns":-1`, "boottime_ns"},
		{"record", `"gateway":"gw-1"`, `"gateway":"GW-1"`, "gateway"},
		{"record", `"gateway":"gw-1"`, `"gateway":""`, "gateway"},
		{"record", `"gateway":"gw-1"`, `"gateway":"` + strings.Repeat("g", 33) + `"`, "gateway"},
		{"record", `"door":"server-room-1"`, `"door":"server/room"`, "door"},
		{"record", `"side":"enter"`, `"side":"both"`, "side"},
		{"record", `"event":"denied"`, `"event":""`, "event"},
		{"record", `"failed":"no_grant+pin_required"`, `"failed":"pin_required+no_grant"`, "failed"},
		{"record", `"failed":"no_grant+pin_required"`, `"failed":"no_grant+no_grant"`, "failed"},
		{"record", `"failed":"no_grant+pin_required"`, `"failed":"no_grant+"`, "failed"},
		{"record", `"reason":"no_grant"`, `"reason":"because"`, "reason"},
		{"record", `"link":"secure"`, `"link":"tls"`, "link"},
		{"record", `"detail":""`, `"detail":"` + strings.Repeat("d", 65) + `"`, "detail"},
		{"record", `"detail":""`, `"detail":"\n"`, "detail"},
		{"record", `{"record":1`, `{"record":2`, "record"},
		{KindLease, `"ttl_ms":3000`, `"ttl_ms":3001`, "ttl_ms"},
		{KindLease, `"ttl_ms":3000`, `"ttl_ms":-1`, "ttl_ms"},
		{KindCommand, `"ttl_ms":5000`, `"ttl_ms":5001`, "ttl_ms"},
		{KindCommand, `"ttl_ms":5000`, `"ttl_ms":0`, "ttl_ms"},
		{KindCommand, `"pulse_ms":5000`, `"pulse_ms":5001`, "pulse_ms"},
		{KindCommand, `"pulse_ms":5000`, `"pulse_ms":-1`, "pulse_ms"},
		{KindCommand, `"action":"remote_unlock"`, `"action":"rearm"`, "pulse_ms"},
		{KindCommand, `"action":"remote_unlock"`, `"action":"none"`, "action"},
		{KindCommand, `"action":"remote_unlock"`, `"action":"lockdown"`, "action"},
		{KindCommand, `"door":"server-room-1"`, `"door":""`, "door"},
		{KindAsk, `"pin_failed":1`, `"pin_failed":256`, "pin_failed"},
		{KindAsk, `"pin_given":true`, `"pin_given":1`, "pin_given"},
		{KindAnswer, `"outcome":"granted"`, `"outcome":"Granted"`, "outcome"},
		{KindWelcome, `\n`, `\r`, "keys"},
		{KindWelcome, `\n`, `\u000a`, "keys"},
		{KindHeartbeat, `"contact":"closed"`, `"contact":"ajar"`, "contact"},
		{KindHeartbeat, `"pending":7`, `"pending":7,"keys":1`, "keys"},
		{KindHeartbeat, `"pending":7`, `"pending":7,"key":2`, "mains"},
		{KindHeartbeat, `"pending":7`, `"pending":7,"mains":"yes"`, "battery"},
		{KindHeartbeat, `"pending":7`, `"pending":7,"mains":"","battery":""`, "mains"},
		{KindHeartbeat, `"pending":7`, `"pending":7,"mains":"no","battery":"full"`, "battery"},
		{KindHeartbeat, `"pending":7`, `"pending":7,"mains":"no","battery":"ok","keys":2`, "(end)"},
		{KindPolicy, `"min_version":40`, `"min_version":45`, "min_version"},
		{KindPolicy, `"name":"modes"`, `"name":"state"`, "name"},
		{KindPolicy, `"bytes":70000`, `"bytes":7000`, "chunks"},
		{KindEvents, `"first":7`, `"first":8`, "body"},
		{KindEvents, `"first":7`, `"first":0`, "first"},
		{KindEvents, `"salt":"`, `"salt":"AAAA`, "salt"},
	}
	bodies := map[string]string{"record": string(AppendRecord(nil, &record))}
	for _, s := range samples(t) {
		if _, ok := bodies[s.kind]; !ok {
			bodies[s.kind] = string(s.body)
		}
	}
	for _, c := range cases {
		body := bodies[c.kind]
		if !strings.Contains(body, c.from) {
			t.Errorf("%s holds no %s", c.kind, c.from)
			continue
		}
		_, err := reencode(c.kind, []byte(strings.Replace(body, c.from, c.to, 1)))
		var e *Error
		if !errors.As(err, &e) || e.Field != c.field {
			t.Errorf("%s %s: got %v, want refusal of field %s", c.kind, c.to, err, c.field)
		}
	}
}

func TestEventsLimits(t *testing.T) {
	t.Parallel()
	m := testEvents(MaxBatchRecords)
	for i := range m.Records { // without private parts 64 records fit
		r := testRecord(m.First + uint64(i))
		m.Records[i] = Carried{Body: AppendRecord(nil, &r)}
	}
	b := AppendEvents(nil, &m)
	size := 0
	for i := range m.Records {
		size += CarriedSize(&m.Records[i])
	}
	if len(b) > size+batchHead || len(b) > MaxBatchBytes {
		t.Errorf("body of %d bytes, CarriedSize says %d", len(b), size)
	}
	if _, err := ParseEvents(b); err != nil {
		t.Errorf("64 records: %v", err)
	}
	r := testRecord(m.First + MaxBatchRecords)
	m.Records = append(m.Records, Carried{Body: AppendRecord(nil, &r)})
	if _, err := ParseEvents(AppendEvents(nil, &m)); err == nil {
		t.Error("65 records accepted")
	}
	m.Records = nil
	if _, err := ParseEvents(AppendEvents(nil, &m)); err == nil {
		t.Error("no records accepted")
	}
	big := testEvents(60) // 30 private parts are too many bytes
	if b := AppendEvents(nil, &big); len(b) > MaxBatchBytes {
		if _, err := ParseEvents(b); FaultOf(err) != FaultTooLarge {
			t.Errorf("batch of %d bytes: got %v, want too_large", len(b), err)
		}
	} else {
		t.Errorf("fixture of %d bytes is not too large", len(b))
	}
}

// I3. A batch whose records were changed, dropped or re-ordered does not chain.
func TestEventsChain(t *testing.T) {
	t.Parallel()
	m := testEvents(3)
	hashes, err := m.Chain()
	if err != nil || hashes[2] != m.Head {
		t.Fatalf("Chain() = %v, %v", hashes, err)
	}
	m.Records[1].Body = bytes.Replace(m.Records[1].Body, []byte("lease_over"), []byte("lease_ower"), 1)
	if _, err := m.Chain(); err == nil {
		t.Error("a changed record chains")
	}
	m = testEvents(3)
	m.Prev[0] ^= 1
	if _, err := m.Chain(); err == nil {
		t.Error("another predecessor chains")
	}
}

func TestCommitted(t *testing.T) {
	t.Parallel()
	m := testEvents(2)
	for i := range m.Records {
		r, err := ParseRecord(m.Records[i].Body)
		if err != nil {
			t.Fatal(err)
		}
		if !m.Records[i].Committed(r.GCommit) {
			t.Errorf("record %d: its own private part does not match", i)
		}
		if m.Records[i].Committed(Hash{1}) {
			t.Errorf("record %d: a foreign commitment matches", i)
		}
	}
	m.Records[0].Salt[0] ^= 1
	r, _ := ParseRecord(m.Records[0].Body)
	if m.Records[0].Committed(r.GCommit) {
		t.Error("another salt matches")
	}
}

func drawHash(t *rapid.T, label string) (h Hash) {
	copy(h[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, label))
	return h
}

func draw16(t *rapid.T, label string) (h [16]byte) {
	copy(h[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, label))
	return h
}

func drawStamp(t *rapid.T) Stamp {
	return Stamp{
		Boot: BootID(draw16(t, "boot")), BoottimeNS: rapid.Int64Min(0).Draw(t, "boottime"),
		WallMS: rapid.Int64().Draw(t, "wall"), OffsetMS: rapid.Int64().Draw(t, "offset"),
		Quality: access.ClockQuality(rapid.Uint8Range(0, uint8(access.ClockServer)).Draw(t, "quality")),
	}
}

func drawReasons(t *rapid.T) (set access.ReasonSet) {
	for _, r := range access.Reasons() {
		if rapid.IntRange(0, 9).Draw(t, "has") == 0 {
			set = set.With(r)
		}
	}
	return set
}

var (
	idGen    = rapid.StringMatching(`[a-z0-9-]{1,32}`)
	optIDGen = rapid.StringMatching(`[a-z0-9-]{0,32}`)
	tokenGen = rapid.StringMatching(`[a-z0-9_.-]{0,64}`)
)

func drawRecord(t *rapid.T) Record {
	return Record{
		Gateway: access.GatewayID(idGen.Draw(t, "gateway")), Epoch: Epoch(draw16(t, "epoch")),
		Seq: rapid.Uint64Min(1).Draw(t, "seq"), Door: access.DoorID(optIDGen.Draw(t, "door")),
		Side:    access.Side(rapid.Uint8Range(0, 2).Draw(t, "side")),
		Event:   door.Event(rapid.StringMatching(`[a-z0-9_.-]{1,64}`).Draw(t, "event")),
		Attempt: draw16(t, "attempt"), Stamp: drawStamp(t),
		By:     access.DecidedBy(rapid.Uint8Range(0, 2).Draw(t, "by")),
		Reason: rapid.SampledFrom(access.Reasons()).Draw(t, "reason"), Failed: drawReasons(t),
		Policy: rapid.Uint64().Draw(t, "policy"), PolicyAge: rapid.Int64().Draw(t, "age"),
		Assurance: tokenGen.Draw(t, "assurance"), Link: rapid.SampledFrom([]string{"", "clear", "secure"}).Draw(t, "link"),
		Detail: tokenGen.Draw(t, "detail"), GCommit: drawHash(t, "gcommit"),
	}
}

// Parse(Append(x)) == x for the messages that carry the most.
func TestParseIsInverse(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := drawRecord(t)
		got, err := ParseRecord(AppendRecord(nil, &r))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(got, r); diff != "" {
			t.Fatal(diff)
		}
		ask := Ask{
			Gateway: r.Gateway, ID: AskID(draw16(t, "id")), Attempt: r.Attempt, Door: access.DoorID(idGen.Draw(t, "door")),
			Side: r.Side, Card: nilIfEmpty(rapid.SliceOfN(rapid.Byte(), 0, maxSealed).Draw(t, "card")),
			Assurance: r.Assurance, PINGiven: rapid.Bool().Draw(t, "given"), PIN: r.GCommit,
			PINFailed: rapid.Uint8().Draw(t, "failed"), Stamp: r.Stamp, Rules: r.Policy,
			PINReset: rapid.Int64Min(0).Draw(t, "reset"),
		}
		gotAsk, err := ParseAsk(AppendAsk(nil, &ask))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(gotAsk, ask); diff != "" {
			t.Fatal(diff)
		}
		answer := Answer{
			Gateway: r.Gateway, ID: ask.ID, Attempt: r.Attempt,
			Outcome: access.Outcome(rapid.Uint8Range(0, uint8(access.Granted)).Draw(t, "outcome")),
			Reason:  r.Reason, Failed: r.Failed, Rules: r.Policy, Leaf: r.Seq, ServerMS: r.PolicyAge,
		}
		gotAnswer, err := ParseAnswer(AppendAnswer(nil, &answer))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(gotAnswer, answer); diff != "" {
			t.Fatal(diff)
		}
		ack := Ack{
			Gateway: r.Gateway, Epoch: r.Epoch, Seq: r.Seq, Hash: r.GCommit,
			Checkpoint: rapid.StringMatching(`[ -~\n—髙﨑𠮷葛󠄀神𩸽]{0,200}`).Draw(t, "checkpoint"),
		}
		gotAck, err := ParseAck(AppendAck(nil, &ack))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(gotAck, ack); diff != "" {
			t.Fatal(diff)
		}
	})
}

func nilIfEmpty(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}

// Private parts are equally long whatever the PIN was, and open only as what they were sealed for.
func TestPrivate(t *testing.T) { // D10
	t.Parallel()
	inputs := access.AppendInputs(nil, access.View{}, access.Request{Door: "d"})
	sealedCard := SealCard(testAskKey, Nonce{3}, card.Ref(seeded("ref")))
	size := 0
	for _, p := range []Private{
		{Card: sealedCard, PIN: access.PINNone, Inputs: inputs},
		{Card: sealedCard, PIN: access.PINOK, Inputs: inputs},
		{Card: sealedCard, PIN: access.PINDuress, Inputs: inputs},
		{Card: sealedCard, PIN: access.PINBad, Inputs: inputs},
		{Inputs: inputs}, {Card: sealedCard}, {}, {Card: sealedCard, Purpose: 3}, {Card: sealedCard, PIN: access.PINOK, Inputs: inputs, Purpose: MaxPurpose},
	} {
		sealed := SealPrivate(testAskKey, Nonce{4}, p)
		if size == 0 {
			size = len(sealed)
		}
		if len(sealed) != size || size > maxPrivate {
			t.Errorf("%v: %d bytes, want %d", p.PIN, len(sealed), size)
		}
		got, err := OpenPrivate(testAskKey, sealed)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(got, p); diff != "" {
			t.Error(diff)
		}
		sealed[len(sealed)-1] ^= 1
		if _, err := OpenPrivate(testAskKey, sealed); !errors.Is(err, ErrSealed) {
			t.Errorf("changed text opens: %v", err)
		}
	}
	ref, err := OpenCard(testAskKey, sealedCard)
	if err != nil || !ref.Equal(card.Ref(seeded("ref"))) {
		t.Errorf("OpenCard: %v", err)
	}
	if _, err := OpenPrivate(testAskKey, sealedCard); !errors.Is(err, ErrSealed) {
		t.Errorf("a card opens as a private part: %v", err)
	}
	if _, err := OpenCard(AskKey{}, sealedCard); !errors.Is(err, ErrSealed) {
		t.Errorf("opens under another key: %v", err)
	}
	for n := range sealedCard {
		if _, err := OpenCard(testAskKey, sealedCard[:n]); !errors.Is(err, ErrSealed) {
			t.Errorf("opens when cut to %d bytes: %v", n, err)
		}
	}
}

func TestPINProof(t *testing.T) {
	t.Parallel()
	token := card.PINToken(seeded("pin token"))
	a, b := PINProof(testAskKey, token, AskID{1}), PINProof(testAskKey, token, AskID{2})
	if a.Equal(b) {
		t.Error("a proof is good for another ask")
	}
	if !a.Equal(PINProof(testAskKey, token, AskID{1})) {
		t.Error("the same proof differs")
	}
}
