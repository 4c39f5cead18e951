package app

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"sync"
	"time"

	"monban/firmware/access"
	"monban/firmware/link"
	"monban/firmware/wire"
	"monban/gateway/policycache"
)

// policies keeps the policy in force: on disk in the cache, compiled in the doors' hands.
type policies struct {
	cache *policycache.Cache
	apply func(p *access.Policy, rules uint64, since int64) // gives it to every door
	wall  func() int64
	clock func() access.ClockQuality
	// trusted is the last trusted wall time that was saved, 0 when none was.
	trusted func() int64
	log     *slog.Logger

	mu    sync.Mutex
	held  link.PolicyHeld
	since int64 // wall ms at which the policy was last known to be in force
}

// load puts what the cache holds in force. since is when it was last known to be in force: the doors
// judge its age themselves (D12).
func (p *policies) load() {
	s, ok := p.cache.Held()
	if !ok {
		p.apply(nil, 0, 0) // no policy: nobody enters, everybody leaves
		return
	}
	compiled, err := compile(s.Rules, s.Modes)
	if err != nil {
		// Verified bytes that do not compile: fail secure, every entry is denied until a new policy comes.
		p.log.LogAttrs(context.Background(), slog.LevelError, "policy on disk does not compile", slog.Any("err", err))
		p.apply(nil, 0, 0)
		return
	}
	rules := s.Version(wire.PartRules)
	// The age was saved together with the last trusted time; the time that this gateway was off counts
	// too. Without a trusted time the saved age alone is the floor, and Decide denies anyway (D12).
	saved := p.trusted()
	if saved == 0 {
		saved = p.wall()
	}
	since := saved - p.cache.Age(s.Manifest.Version)
	p.mu.Lock()
	p.held, p.since = heldOf(s), since
	p.mu.Unlock()
	p.apply(compiled, rules, since)
}

// compile turns the parts of a policy into what Decide reads.
func compile(rulesPart, modesPart []byte) (*access.Policy, error) {
	rules, err := access.DecodeRules(rulesPart)
	if err != nil {
		return nil, err
	}
	loc, err := time.LoadLocation(rules.TimeZone)
	if err != nil {
		return nil, err
	}
	compiled, err := access.Compile(*rules, loc)
	if err != nil {
		return nil, err
	}
	modes, err := access.DecodeModes(modesPart)
	if err != nil {
		return nil, err
	}
	return compiled.WithModes(modes), nil
}

func heldOf(s policycache.Snapshot) link.PolicyHeld {
	h := link.PolicyHeld{Manifest: s.Manifest.Version}
	names := wire.PartNames()
	for i, data := range [3][]byte{s.Rules, s.Modes, s.State} {
		h.Parts[i] = link.HeldPart{Version: s.Version(names[i]), Sum: sha256.Sum256(data), Data: data}
	}
	return h
}

// Held implements uplink.Policies.
func (p *policies) Held() link.PolicyHeld {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.held
}

// Apply implements uplink.Policies: compile, make durable, put in force, in this order. A policy that
// does not compile is not stored; the one in force stays.
func (p *policies) Apply(r link.PolicyReady) link.PolicyHeld {
	parts, err := r.Assemble()
	var compiled *access.Policy
	if err == nil {
		compiled, err = compile(parts[0], parts[1])
	}
	if err == nil {
		var s policycache.Snapshot
		if s, err = p.cache.Store(r.Note, parts); err == nil {
			now := p.wall()
			p.mu.Lock()
			p.held, p.since = heldOf(s), now
			p.mu.Unlock()
			p.apply(compiled, s.Version(wire.PartRules), now)
		}
	}
	if err != nil {
		p.log.LogAttrs(context.Background(), slog.LevelError, "policy from the server is not taken over", slog.Uint64("version", r.Manifest.Version), slog.Any("err", err))
	}
	return p.Held()
}

// confirmed says that the server named the rules version held: it is in force now.
func (p *policies) confirmed() {
	now := p.wall()
	p.mu.Lock()
	p.since = now // the server's time: a later one of ours was a wrong clock
	p.mu.Unlock()
}

// saveAge makes the policy's age durable, so that a restart does not make it young again (D12). An age
// by a clock that nobody trusts would overwrite a good one, so it is not saved.
func (p *policies) saveAge() {
	if p.clock() < access.ClockRTC {
		return
	}
	p.mu.Lock()
	v, since := p.held.Manifest, p.since
	p.mu.Unlock()
	if v == 0 {
		return
	}
	if err := p.cache.SaveAge(v, p.wall()-since); err != nil {
		p.log.LogAttrs(context.Background(), slog.LevelWarn, "age of the policy not saved", slog.Any("err", err))
	}
}
