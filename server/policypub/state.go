package policypub

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/firmware/wire"
	"monban/server/store"
)

// The `state` part of a gateway (D7): who is inside the zones it serves. It is published by itself, without
// compiling anything, has a version for each gateway, and is no leaf of the log: it repeats what the passages
// say, and what a decision knew of it stands in the decision's opening.

// heldState is the state part in force for a gateway.
type heldState struct {
	version uint64
	bytes   []byte
}

// told reports whether part number i of the gateway is its own and not in the ledger.
func (h heldState) told(i int) bool { return i == 2 && h.version > 1 }

func stateKey(gw access.GatewayID) string { return "policy_state/" + string(gw) }

// stateFloorSetting remembers the policy floor at which the state parts were last begun anew.
const stateFloorSetting = "policy_state_floor"

// loadStates reads the state parts in force. After a restore the gateways may hold newer ones than this
// database knows of: each begins anew with a version that is the time, as all versions but the first are,
// and says so little that no gateway relies on it before the server tells again.
func (r *publication) loadStates(floor uint64) error {
	r.states = map[access.GatewayID]heldState{}
	done, err := r.tx.Setting(stateFloorSetting)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	text := strconv.FormatUint(floor, 10)
	anew := floor > 0 && done != text
	for _, gw := range r.gatewayIDs() {
		held := heldState{1, []byte(stateBytes)}
		stored, err := r.tx.Setting(stateKey(gw))
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if stored != "" {
			part, err := access.DecodeState([]byte(stored))
			if err != nil {
				return fmt.Errorf("gateway %s: %w", gw, err)
			}
			held = heldState{part.Version, []byte(stored)}
		}
		if anew {
			part := access.StatePart{Version: max(held.version+1, uint64(r.nowMS/1000))}
			b, err := access.EncodeState(part)
			if err != nil {
				return fmt.Errorf("gateway %s: %w", gw, err)
			}
			if err := r.tx.SetSetting(stateKey(gw), string(b)); err != nil {
				return err
			}
			held = heldState{part.Version, b}
		}
		r.states[gw] = held
	}
	if anew {
		return r.tx.SetSetting(stateFloorSetting, text)
	}
	return nil
}

// ErrMoved says that another publication came in between: try again.
var ErrMoved = errors.New("the policy has just changed")

// Whereabouts is who is inside the zones of one gateway, by the site's person ids.
type Whereabouts struct {
	Epoch   wire.Epoch // newest record of the gateway that is in it
	Through uint64
	Inside  []access.Placed
	// Untold: nothing is said of who is inside, for no rule of the gateway's zones asks or nothing is known of its records.
	Untold bool
	Lifted []access.Lifted // PIN resets, by card reference
}

// PublishState appends a gateway's state part to tx and gives the policy in force with it, once tx has
// committed; nil when it says nothing new. cur is the policy in force. ErrMoved when it no longer is.
func PublishState(tx Ledger, cur *Current, gw access.GatewayID, w Whereabouts, nowMS int64) (*Current, error) {
	if cur == nil || cur.gateways[gw] == nil {
		return nil, fmt.Errorf("gateway %s: %w", gw, ErrNoGateway)
	}
	old := cur.gateways[gw]
	keys := cur.Keys.Gateways[gw]
	part := access.StatePart{
		Version: max(old.state+1, uint64(nowMS/1000)), Inside: slices.Clone(w.Inside), Untold: w.Untold, Lifted: slices.Clone(w.Lifted),
	}
	for i := range part.Lifted {
		part.Lifted[i].Key = access.Key(card.Ref(part.Lifted[i].Key).Token(keys.Token[:]))
	}
	slices.SortFunc(part.Lifted, func(a, b access.Lifted) int { return bytes.Compare(a.Key[:], b.Key[:]) })
	if w.Through > 0 && !w.Untold {
		part.Epoch, part.Through = fmt.Sprintf("%x", w.Epoch[:]), w.Through
	}
	for i := range part.Inside {
		part.Inside[i].Person = access.Pseudonym(part.Inside[i].Person, func(k access.Key) access.Key { return access.Key(card.Ref(k).Token(keys.Token[:])) })
	}
	slices.SortFunc(part.Inside, func(a, b access.Placed) int { return cmp.Compare(a.Person, b.Person) })
	if was, err := tx.Setting(stateKey(gw)); err == nil {
		if before, err := access.DecodeState([]byte(was)); err == nil && before.Version > 1 && before.Epoch == part.Epoch && before.Untold == part.Untold &&
			slices.Equal(before.Inside, part.Inside) && slices.Equal(before.Lifted, part.Lifted) {
			return nil, nil
		}
	}
	stored, err := tx.Setting(manifestKey(gw))
	if err != nil {
		return nil, err
	}
	if !bytes.Equal([]byte(stored), old.body) { // a change in the same commit: it is the newer truth
		return nil, ErrMoved
	}
	b, err := access.EncodeState(part)
	if err != nil {
		return nil, fmt.Errorf("gateway %s: %w", gw, err)
	}
	m, err := wire.ParseManifest(old.body)
	if err != nil {
		return nil, fmt.Errorf("gateway %s: %w", gw, err)
	}
	next := &published{state: part.Version, chunks: maps.Clone(old.chunks)}
	m.Prev = wire.ManifestHash(&m)
	m.Version = m.Parts[0].Version + m.Parts[1].Version + part.Version
	m.MinVersion, m.NotBeforeMS = m.Version, nowMS
	for _, h := range m.Parts[2].Chunks {
		delete(next.chunks, h)
	}
	var chunks [][]byte
	if m.Parts[2], chunks, err = wire.PartOf(wire.PartState, part.Version, b); err != nil {
		return nil, fmt.Errorf("gateway %s: %w", gw, err)
	}
	for i, c := range chunks {
		next.chunks[m.Parts[2].Chunks[i]] = c
	}
	next.body = wire.AppendManifest(nil, &m)
	if err := tx.SetSetting(stateKey(gw), string(b)); err != nil {
		return nil, err
	}
	if err := tx.SetSetting(manifestKey(gw), string(next.body)); err != nil {
		return nil, err
	}
	out := *cur
	out.gateways = maps.Clone(cur.gateways)
	out.gateways[gw] = next
	return &out, nil
}

// PublishState publishes who is inside the zones of a gateway. changed is false when it says nothing new.
func (p *Publisher) PublishState(ctx context.Context, gw access.GatewayID, w Whereabouts) (changed bool, err error) {
	err = p.cfg.Store.Write(ctx, func(tx *store.Tx) error {
		changed = false
		cur := p.current.Load()
		next, err := PublishState(tx, cur, gw, w, p.cfg.Now().UnixMilli())
		if err != nil || next == nil {
			return err
		}
		changed = true
		tx.AfterCommit(func() { p.current.Store(next) })
		return nil
	})
	return changed && err == nil, err
}
