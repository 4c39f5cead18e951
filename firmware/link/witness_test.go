package link

import (
	"testing"

	"monban/firmware/wire"
)

// EV-4, D24: a gateway that holds something asks each WitnessEvery and tells news at once; the answer is an ack, which
// the shell's witness gets to look at. One that is no witness says nothing and takes no proof.
func TestWitnessAsks(t *testing.T) {
	t.Parallel()
	r := newRig(t, 0)
	r.in(Connected{})
	r.welcome(0, wire.Hash{})
	if out := r.after(2 * WitnessEvery); len(published(t, out, wire.KindWitness)) != 0 {
		t.Error("speaks as a witness without being one")
	}
	proof := wire.Ack{Gateway: testGW, Epoch: r.box.epoch, Checkpoint: "c", Proves: true, Old: 3, Proof: []wire.Hash{{1}}}
	if out := r.from(wire.KindAck, wire.AppendAck(nil, &proof)); count[WitnessCheck](out) != 0 {
		t.Error("looks at a proof without being a witness")
	}
	out := r.in(WitnessHeld{Key: "k", Held: "h"})
	m := published(t, out, wire.KindWitness)
	if len(m) != 1 {
		t.Fatalf("%d messages of a new witness, want a question", len(m))
	}
	w := openWitness(t, m[0])
	if !w.Ask || w.Key != "k" || w.Held != "h" || w.Refused != "" || w.Epoch != r.box.epoch {
		t.Errorf("asks %+v", w)
	}
	checks := ofType[WitnessCheck](r.from(wire.KindAck, wire.AppendAck(nil, &proof)))
	if len(checks) != 1 || checks[0].Old != 3 || checks[0].Checkpoint != "c" || len(checks[0].Proof) != 1 {
		t.Errorf("to be looked at: %+v", checks)
	}
	plain := proof
	plain.Proves, plain.Old, plain.Proof = false, 0, nil
	if out := r.from(wire.KindAck, wire.AppendAck(nil, &plain)); count[WitnessCheck](out) != 0 {
		t.Error("an ordinary ack is no proof")
	}
	m = published(t, r.in(WitnessHeld{Key: "k", Held: "h2"}), wire.KindWitness)
	if len(m) != 1 || openWitness(t, m[0]).Ask || openWitness(t, m[0]).Held != "h2" {
		t.Errorf("news are not told at once, or ask: %d messages", len(m))
	}
	if out := r.in(WitnessHeld{Key: "k", Held: "h2"}); len(published(t, out, wire.KindWitness)) != 0 {
		t.Error("tells what is no news")
	}
	asked := 0
	for range 100 { // 50 s in steps of half a second
		for _, p := range published(t, r.after(WitnessEvery/60), wire.KindWitness) {
			if openWitness(t, p).Ask {
				asked++
			}
		}
	}
	if asked < 1 || asked > 4 {
		t.Errorf("asked %d times in 50 s", asked)
	}
	r.in(Disconnected{})
	if out := r.in(WitnessHeld{Key: "k", Held: "h3"}); len(published(t, out, wire.KindWitness)) != 0 {
		t.Error("speaks without a connection")
	}
}

func openWitness(t *testing.T, body []byte) wire.Witness {
	t.Helper()
	w, err := wire.ParseWitness(body)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// EV-4: the server's machine passes on what a gateway holds, and its proof goes out as an ack that says nothing else new.
func TestServerProves(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	w := wire.Witness{Gateway: testGW, Epoch: wire.Epoch{1}, Key: "k", Held: "h", Ask: true}
	got := ofType[Witnessed](d.from(wire.KindWitness, wire.AppendWitness(nil, &w)))
	if len(got) != 1 || got[0].Witness != w {
		t.Fatalf("passes on %+v", got)
	}
	other := w
	other.Gateway = "gw-2"
	if out := d.from(wire.KindWitness, wire.AppendWitness(nil, &other)); count[Witnessed](out) != 0 {
		t.Error("takes what another gateway holds")
	}
	out := published(t, d.in(Proof{Epoch: wire.Epoch{1}, Seq: 9, Hash: wire.Hash{2}, Checkpoint: "c", Old: 5, Proof: []wire.Hash{{3}}}), wire.KindAck)
	if len(out) != 1 {
		t.Fatalf("%d acks", len(out))
	}
	a, err := wire.ParseAck(out[0])
	if err != nil || !a.Proves || a.Old != 5 || a.Seq != 9 || a.Checkpoint != "c" || len(a.Proof) != 1 {
		t.Errorf("ack %+v, %v", a, err)
	}
}
