package link

import (
	"bytes"
	"testing"
	"time"

	"monban/firmware/wire"
)

// wants gives the Want messages among some actions.
func (r *rig) wants(actions []GatewayAction) []wire.Want {
	r.Helper()
	var out []wire.Want
	for _, b := range published(r, actions, wire.KindWant) {
		m, err := wire.ParseWant(b)
		if err != nil {
			r.Fatal(err)
		}
		out = append(out, m)
	}
	return out
}

// fetch answers every want for chunks until nothing more is wanted; it gives all actions and how
// many chunks were asked for.
func (r *rig) fetch(actions []GatewayAction, p Policy) (all []GatewayAction, chunks int) {
	r.Helper()
	for {
		all = append(all, actions...)
		wants := r.wants(actions)
		actions = nil
		for _, w := range wants {
			if len(w.Chunks) > wire.MaxWantChunks {
				r.Fatalf("%d chunks wanted at once", len(w.Chunks))
			}
			for _, h := range w.Chunks {
				chunks++
				b, ok := p.Chunks.Chunk(h)
				if !ok {
					r.Fatal("wants a chunk that the manifest does not name")
				}
				actions = append(actions, r.in(Message{Kind: wire.KindChunk, Payload: b})...)
			}
		}
		if len(actions) == 0 {
			return all, chunks
		}
	}
}

func (r *rig) policy(p Policy) []GatewayAction {
	r.Helper()
	return r.in(Message{Kind: wire.KindPolicy, Payload: p.Note})
}

func heldOf(version uint64, versions [3]uint64, parts [3][]byte) PolicyHeld {
	h := PolicyHeld{Manifest: version}
	for i, name := range wire.PartNames() {
		p, _, _ := wire.PartOf(name, versions[i], parts[i])
		h.Parts[i] = HeldPart{Version: versions[i], Sum: p.Sum, Data: parts[i]}
	}
	return h
}

func TestPull(t *testing.T) {
	t.Parallel()
	const size = 40*wire.MaxChunk + 17
	r := newRig(t, 0)
	first, parts := policyOf(t, 1, [3]uint64{1, 1, 0}, size)
	wants := r.wants(r.link(Versions{Rules: 1, Modes: 1}))
	if len(wants) != 1 || len(wants[0].Chunks) != 0 {
		t.Fatalf("got %+v, want one want for the manifest", wants)
	}
	if again := r.wants(r.after(2 * time.Second)); len(again) != 1 {
		t.Errorf("a lost manifest is asked for %d times", len(again))
	}
	all, chunks := r.fetch(r.policy(first), first)
	ready := ofType[PolicyReady](all)
	if len(ready) != 1 || chunks != 42 || !bytes.Equal(ready[0].Note, first.Note) {
		t.Fatalf("%d policies after %d chunks", len(ready), chunks)
	}
	for i := range parts {
		if !bytes.Equal(ready[0].Parts[i], parts[i]) {
			t.Errorf("part %d differs", i)
		}
	}
	r.in(heldOf(1, [3]uint64{1, 1, 0}, parts))
	if r.g.pull.phase != pullIdle {
		t.Error("not done")
	}

	// A change of the modes fetches the modes alone, also when it is pushed.
	second, _ := policyOf(t, 2, [3]uint64{1, 2, 0}, size)
	all, chunks = r.fetch(r.policy(second), second)
	if ready = ofType[PolicyReady](all); len(ready) != 1 || chunks != 1 || !bytes.Equal(ready[0].Parts[0], parts[0]) {
		t.Errorf("%d policies after %d chunks", len(ready), chunks)
	}
	r.in(heldOf(2, [3]uint64{1, 2, 0}, ready[0].Parts))

	// Rollback, mix and match, wrong target, wrong key: refused.
	for what, c := range map[string]struct {
		p    Policy
		want string
	}{
		"older manifest":             {first, WhyWayBack},
		"newer manifest, older part": {mustPolicy(t, 3, [3]uint64{1, 1, 0}), WhyWayBack},
		"older manifest, newer part": {mustPolicy(t, 1, [3]uint64{1, 3, 0}), WhyWayBack},
		"the same again":             {second, WhyStale},
	} {
		if out := r.policy(c.p); why(out) != c.want || len(r.wants(out)) != 0 {
			t.Errorf("%s: %+v", what, out)
		}
	}
	m := wire.Manifest{Gateway: "gw-2", Version: 9}
	for _, name := range wire.PartNames() {
		m.Parts = append(m.Parts, wire.Part{Name: name, Version: 9})
	}
	if out := r.from(wire.KindPolicy, wire.AppendManifest(nil, &m)); why(out) != WhyOtherGateway {
		t.Errorf("another gateway's policy: %+v", out)
	}
	m.Gateway = testGW
	body := wire.AppendManifest(nil, &m)
	if out := r.in(Message{Kind: wire.KindPolicy, Payload: sealAs(t, wire.RoleLink, wire.KindPolicy, body)}); why(out) != "signature" {
		t.Errorf("a policy by the link key: %+v", out)
	}
}

func mustPolicy(t testing.TB, version uint64, parts [3]uint64) Policy {
	p, _ := policyOf(t, version, parts, 5*wire.MaxChunk)
	return p
}

// Chunks that were not asked for, lost, spoilt or doubled.
func TestPullChunks(t *testing.T) {
	t.Parallel()
	r := newRig(t, 0)
	r.link(Versions{Rules: 1})
	p := mustPolicy(t, 1, [3]uint64{1, 0, 0})
	wants := r.wants(r.policy(p))
	if len(wants) != 1 || len(wants[0].Chunks) != 5 {
		t.Fatalf("got %+v", wants)
	}
	if out := r.in(Message{Kind: wire.KindChunk, Payload: []byte("not wanted")}); why(out) != WhyUnknownChunk {
		t.Errorf("a foreign chunk: %+v", out)
	}
	if out := r.in(Message{Kind: wire.KindChunk, Payload: make([]byte, wire.MaxChunk+1)}); why(out) != WhyUnknownChunk {
		t.Errorf("a long chunk: %+v", out)
	}
	b, _ := p.Chunks.Chunk(wants[0].Chunks[2])
	r.in(Message{Kind: wire.KindChunk, Payload: b})
	if out := r.in(Message{Kind: wire.KindChunk, Payload: b}); why(out) != WhyUnknownChunk {
		t.Errorf("a chunk twice: %+v", out)
	}
	var again []wire.Want
	for range 20 {
		again = append(again, r.wants(r.after(100*time.Millisecond))...)
	}
	if len(again) == 0 || len(again[0].Chunks) != 4 {
		t.Fatalf("lost chunks are asked for as %+v", again)
	}
	// The connection changes meanwhile: what came stays.
	r.in(Disconnected{})
	out := r.in(Connected{})
	wants = r.wants(out)
	if len(wants) != 1 || len(wants[0].Chunks) != 4 {
		t.Fatalf("after a reconnect: %+v", wants)
	}
	all, _ := r.fetch(out, p)
	if count[PolicyReady](all) != 1 {
		t.Error("not complete")
	}
}

// A newer manifest in the middle takes over, with the chunks that still count.
func TestPullOvertaken(t *testing.T) {
	t.Parallel()
	r := newRig(t, 0)
	r.link(Versions{Rules: 1})
	p := mustPolicy(t, 1, [3]uint64{1, 0, 0})
	wants := r.wants(r.policy(p))
	for _, h := range wants[0].Chunks[:3] {
		b, _ := p.Chunks.Chunk(h)
		r.in(Message{Kind: wire.KindChunk, Payload: b})
	}
	next := mustPolicy(t, 2, [3]uint64{1, 1, 0})
	all, chunks := r.fetch(r.policy(next), next)
	if ready := ofType[PolicyReady](all); len(ready) != 1 || ready[0].Manifest.Version != 2 || chunks != 3 {
		t.Errorf("%d policies after %d chunks, want 1 after 3", len(ready), chunks)
	}
}

// A part whose sum its chunks do not make is dropped.
func TestPullWrongSum(t *testing.T) {
	t.Parallel()
	r := newRig(t, 0)
	r.link(Versions{Rules: 1})
	p, chunks, err := wire.PartOf(wire.PartRules, 1, []byte("rules"))
	if err != nil {
		t.Fatal(err)
	}
	p.Sum[0] ^= 1
	m := wire.Manifest{Gateway: testGW, Version: 1, Parts: []wire.Part{p, {Name: wire.PartModes}, {Name: wire.PartState}}}
	r.from(wire.KindPolicy, wire.AppendManifest(nil, &m))
	out := r.in(Message{Kind: wire.KindChunk, Payload: chunks[0]})
	if why(out) != WhyDamaged || count[PolicyReady](out) != 0 {
		t.Errorf("got %+v", out)
	}
}

// Storing failed, or the shell never said: asked for again, not in a storm.
func TestPullStoreFails(t *testing.T) {
	t.Parallel()
	r := newRig(t, 0)
	p := mustPolicy(t, 1, [3]uint64{1, 0, 0})
	r.link(Versions{Rules: 1})
	all, _ := r.fetch(r.policy(p), p)
	if count[PolicyReady](all) != 1 {
		t.Fatal("not complete")
	}
	r.in(PolicyHeld{})
	wants := 0
	for range 100 {
		r.now = r.now.Add(100 * time.Millisecond)
		out := r.in(Tick{})
		wants += len(r.wants(out))
		if len(published(t, out, wire.KindHeartbeat)) == 1 {
			r.lease(r.beat(out).Challenge, Versions{Rules: 1})
		}
	}
	if wants < 1 || wants > 6 {
		t.Errorf("%d wants in 10 s", wants)
	}
}
