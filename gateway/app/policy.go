package app

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"sync"
	"time"

	"monban/firmware/access"
	"monban/firmware/link"
	"monban/firmware/mono"
	"monban/firmware/wire"
	"monban/gateway/policycache"
)

// policies keeps the policy in force: on disk in the cache, compiled in the doors' hands.
type policies struct {
	cache *policycache.Cache
	apply func(p *access.Policy, rules uint64, since int64) // gives it to every door
	// sinceIs says that the policy held is in force at the wall time ms; nil = nobody does.
	sinceIs func(ms int64)
	state   func(part []byte, lost bool) // takes the server's word on who is inside; nil = nobody does
	wall    func() int64
	clock   func() access.ClockQuality
	// trusted is the last trusted wall time that was saved, 0 when none was.
	trusted func() int64
	now     func() mono.Time
	ages    ageStore
	save    func() // makes age and trusted time durable; nil = nobody does
	log     *slog.Logger

	mu    sync.Mutex
	held  link.PolicyHeld
	since int64 // wall ms at which the policy was last known to be in force
	// young is how old the policy was at the least, ms, at youngAt: what was saved, what a trusted clock has
	// shown since, and the time this process has run. No clock makes it younger than that.
	young   int64
	youngAt mono.Time
	heard   bool // the server has named the version held since start
}

// ageStore keeps the age of a policy over restarts; policycache.Cache does.
type ageStore interface {
	Age(version uint64) int64
	SaveAge(version uint64, ms int64) error
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
	p.apply(compiled, s.Version(wire.PartRules), p.loaded(heldOf(s)))
	p.tellState(&s)
}

// tellState passes on the state part in force.
func (p *policies) tellState(s *policycache.Snapshot) {
	if p.state != nil {
		p.state(s.State, s.StateLost)
	}
}

// onlyState reports whether a policy differs from the one in force in nothing but who is inside.
func onlyState(held link.PolicyHeld, m *wire.Manifest) bool {
	return held.Parts[0].Data != nil && held.Parts[0].Sum == m.Parts[0].Sum && held.Parts[1].Sum == m.Parts[1].Sum &&
		held.Parts[0].Version == m.Parts[0].Version && held.Parts[1].Version == m.Parts[1].Version
}

// loaded takes over a policy that the cache held and gives the wall time at which it was last known to be
// in force. The age was saved together with the last trusted time; the time that this gateway was off
// counts too. Without a trusted time nobody knows how long it was off: the policy is too old for every door until
// the server names it (fail secure: entry denied, exit as always).
func (p *policies) loaded(held link.PolicyHeld) (since int64) {
	saved, age := p.trusted(), p.ages.Age(held.Manifest)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held, p.since, p.young, p.youngAt = held, max(saved-age, 0), age, p.now()
	return p.since
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
	same := onlyState(p.Held(), &r.Manifest)
	if err == nil && !same {
		compiled, err = compile(parts[0], parts[1])
	}
	if err == nil {
		var s policycache.Snapshot
		if s, err = p.cache.Store(r.Note, parts); err == nil {
			now := p.wall()
			p.mu.Lock()
			p.held, p.since, p.young, p.youngAt = heldOf(s), now, 0, p.now()
			p.mu.Unlock()
			if p.save != nil {
				p.save()
			}
			if same {
				if p.sinceIs != nil {
					p.sinceIs(now)
				}
			} else {
				p.apply(compiled, s.Version(wire.PartRules), now)
			}
			p.tellState(&s)
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
	p.young, p.youngAt = 0, p.now()
	first := !p.heard
	p.heard = true
	p.mu.Unlock()
	if first && p.save != nil { // a process that is killed again and again must not keep it old
		p.save()
	}
}

// stands gives what is held, since when it is known to be in force, UTC ms, and how old it is, ms.
func (p *policies) stands() (held link.PolicyHeld, since, ageMS int64) {
	now := p.wall()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.held, p.since, max(p.least(), now-p.since)
}

// least is how old the policy is at the least, ms. mu is held.
func (p *policies) least() int64 {
	return p.young + int64(p.now().Sub(p.youngAt)/time.Millisecond)
}

// seen notes that by a trusted clock that read wallMS the policy is as old as that. Once it was too old
// for a door it stays so until the server names it again: a clock that is set back later revives nothing
// (D12). mu is held.
func (p *policies) seen(wallMS int64) {
	if age := wallMS - p.since; age > p.least() {
		p.young, p.youngAt = age, p.now()
	}
}

// clockMoved makes the wall time at which the policy was last known to be in force fit a clock that was
// of quality was and has been set by stepMS, and returns it. One that seems to come from the future stays
// so, which every door takes for too old, until the server names it again.
func (p *policies) clockMoved(stepMS int64, was access.ClockQuality) (since int64) {
	now := p.wall()
	p.mu.Lock()
	defer p.mu.Unlock()
	if was >= access.ClockRTC {
		p.seen(now - stepMS)
	}
	if p.since <= now {
		p.since = min(p.since, now-p.least())
	}
	return p.since
}

// saveAge makes the policy's age durable, so that a restart does not make it young again (D12). By a
// clock that nobody trusts, or one before the policy was in force, only the time that has surely passed
// counts.
func (p *policies) saveAge() {
	now := p.wall()
	p.mu.Lock()
	if p.clock() >= access.ClockRTC {
		p.seen(now)
	}
	v, ms := p.held.Manifest, p.least()
	p.mu.Unlock()
	if v == 0 {
		return
	}
	if err := p.ages.SaveAge(v, ms); err != nil {
		p.log.LogAttrs(context.Background(), slog.LevelWarn, "age of the policy not saved", slog.Any("err", err))
	}
}
