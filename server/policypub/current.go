package policypub

import (
	"fmt"
	"sync"

	"golang.org/x/mod/sumdb/note"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/firmware/wire"
	"monban/server/directory"
	"monban/server/entrylog"
)

// Current is the policy in force and what the server looks up beside it. It never changes; readers
// share it.
type Current struct {
	Policy   *access.Policy // site policy, keyed by card_ref, modes applied
	Versions Versions
	Keys     Keys

	dir      *directory.Snapshot
	holders  map[card.Ref]Holder
	doors    map[access.DoorID]*directory.Door
	gateways map[access.GatewayID]*published
}

// Holder is a card and the person it belongs to, as the directory has them now. Neither may be changed.
type Holder struct {
	Person *directory.Person
	Card   *directory.Credential
}

// Opening begins an opening with the person and card as they are now: the name at that time. That of
// the zero Holder is empty.
func (h Holder) Opening() entrylog.Opening {
	if h.Person == nil || h.Card == nil {
		return entrylog.Opening{}
	}
	o := entrylog.Opening{
		Person: string(h.Person.ID), Name: h.Person.Name, Section: h.Person.Section, Category: string(h.Person.Category),
		Masked: h.Card.Masked, Badge: h.Card.Lent.Badge, Purpose: h.Card.Lent.Purpose, Escort: string(h.Card.Lent.Attendee),
	}
	if h.Person.Company != "" {
		o.Section = h.Person.Company
	}
	return o
}

func newCurrent(policy *access.Policy, v Versions, dir *directory.Snapshot, keys *Keys) *Current {
	c := &Current{
		Policy: policy, Versions: v, Keys: *keys, dir: dir,
		holders:  make(map[card.Ref]Holder, len(dir.Credentials)),
		doors:    make(map[access.DoorID]*directory.Door, len(dir.Doors)),
		gateways: make(map[access.GatewayID]*published, len(dir.Gateways)),
	}
	people := make(map[directory.PersonID]*directory.Person, len(dir.People))
	for i := range dir.People {
		people[dir.People[i].ID] = &dir.People[i]
	}
	for i := range dir.Credentials {
		x := &dir.Credentials[i]
		c.holders[x.Ref] = Holder{Person: people[x.Person], Card: x}
	}
	for i := range dir.Doors {
		c.doors[dir.Doors[i].ID] = &dir.Doors[i]
	}
	return c
}

// Holder finds whose card this is; ok is false for an unknown card.
func (c *Current) Holder(ref card.Ref) (h Holder, ok bool) {
	h, ok = c.holders[ref]
	return h, ok
}

// Door gives a door as the directory has it; nil when there is none.
func (c *Current) Door(id access.DoorID) *directory.Door { return c.doors[id] }

// Directory is the directory this policy was compiled from; not to be changed.
func (c *Current) Directory() *directory.Snapshot { return c.dir }

// VersionsOf gives the versions in force for a gateway; ok is false for one without policy. A nil Current
// has none.
func (c *Current) VersionsOf(gw access.GatewayID) (v Versions, ok bool) {
	if c == nil || c.gateways[gw] == nil {
		return Versions{}, false
	}
	v = c.Versions
	v.State = c.gateways[gw].state
	return v, true
}

// Manifest gives the manifest for a gateway, signed with the role policy; a nil Current has none.
func (c *Current) Manifest(gw access.GatewayID, signer note.Signer, site string) ([]byte, error) {
	if c == nil || c.gateways[gw] == nil {
		return nil, fmt.Errorf("gateway %s: %w", gw, ErrNoGateway)
	}
	return c.gateways[gw].sealed(signer, site, gw)
}

// Chunk gives a chunk of a gateway's manifest by its SHA-256. The caller must not change it.
func (c *Current) Chunk(gw access.GatewayID, hash wire.Hash) ([]byte, bool) {
	if c == nil || c.gateways[gw] == nil {
		return nil, false
	}
	b, ok := c.gateways[gw].chunks[hash]
	return b, ok
}

// published is what one gateway may pull.
type published struct {
	state  uint64 // version of its state part
	body   []byte // unsigned manifest
	chunks map[wire.Hash][]byte

	mu   sync.Mutex
	note []byte // mu; the signed message, nil until it was asked for
}

// sealed signs the manifest the first time it is asked for. It is not signed inside the transaction:
// one that rolled back would leave a signed manifest of a version that never came into force.
func (p *published) sealed(signer note.Signer, site string, gw access.GatewayID) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.note == nil {
		b, err := wire.Seal(signer, site, gw, wire.KindPolicy, p.body)
		if err != nil {
			return nil, fmt.Errorf("sign manifest of gateway %s: %w", gw, err)
		}
		p.note = b
	}
	return p.note, nil
}
