package app

import (
	"sync"

	"golang.org/x/mod/sumdb/note"

	"monban/firmware/access"
	"monban/firmware/link"
	"monban/firmware/wire"
	"monban/server/policypub"
	"monban/server/store"
)

// policies adapts the publisher to the link.
type policies struct {
	pub   *policypub.Publisher
	store *store.Store
}

// Versions implements downlink.Policies.
func (p policies) Versions(gw access.GatewayID) (link.Versions, bool) {
	if inDoubt(p.store) != nil {
		return link.Versions{}, false // no lease: the gateway is alone
	}
	v, ok := p.pub.Versions(gw)
	return link.Versions(v), ok
}

// Manifest implements downlink.Policies.
func (p policies) Manifest(gw access.GatewayID) ([]byte, bool) {
	if inDoubt(p.store) != nil {
		return nil, false
	}
	m, err := p.pub.Manifest(gw)
	return m, err == nil
}

// Chunk implements downlink.Policies.
func (p policies) Chunk(gw access.GatewayID, hash wire.Hash) ([]byte, bool) {
	return p.pub.Chunk(gw, hash)
}

// verifiers finds gateways' note keys, read once each.
type verifiers struct {
	site *Site
	mu   sync.Mutex
	keys map[access.GatewayID]note.Verifier
}

func newVerifiers(s *Site) *verifiers {
	return &verifiers{site: s, keys: map[access.GatewayID]note.Verifier{}}
}

// forget drops a gateway's key, because it has a new one.
func (v *verifiers) forget(gw access.GatewayID) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.keys, gw)
}

// Verifier implements downlink.Gateways.
func (v *verifiers) Verifier(gw access.GatewayID) (note.Verifier, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if k, ok := v.keys[gw]; ok {
		return k, true
	}
	k, err := v.site.Verifier(gw)
	if err != nil {
		return nil, false // an unknown gateway is not believed in anything
	}
	v.keys[gw] = k
	return k, true
}
