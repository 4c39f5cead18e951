package policycache

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
)

// Each file begins with its magic line and ends with the SHA-256 of everything before. The sum finds
// damage; it is no protection against an attacker, which the signature is.
const (
	policyMagic = "monban policy 1\n"
	stateMagic  = "monban policy state 1\n"
	floorMagic  = "monban policy floor 1\n"
	ageMagic    = "monban policy age 1\n"
	// maxFile bounds what Open reads: three parts of 640 chunks of 32 KiB, and the note.
	maxFile = 3*640*32<<10 + 64<<10
)

func sealed(b []byte) []byte {
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

// unseal checks magic and sum and gives what lies between.
func unseal(b []byte, magic string) ([]byte, error) {
	n := len(b) - sha256.Size
	if n < len(magic) || !bytes.HasPrefix(b, []byte(magic)) || sha256.Sum256(b[:n]) != [sha256.Size]byte(b[n:]) {
		return nil, ErrDamaged
	}
	return b[len(magic):n], nil
}

// encodePolicy is magic, then note, rules, modes and state, each after its length as 4 bytes.
func encodePolicy(s *Snapshot) []byte {
	b := []byte(policyMagic)
	for _, part := range [][]byte{s.Note, s.Rules, s.Modes, s.State} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(part)))
		b = append(b, part...)
	}
	return sealed(b)
}

func decodePolicy(b []byte) (note []byte, parts [3][]byte, err error) {
	if b, err = unseal(b, policyMagic); err != nil {
		return nil, parts, err
	}
	var all [4][]byte
	for i := range all {
		if len(b) < 4 {
			return nil, parts, ErrDamaged
		}
		n := binary.BigEndian.Uint32(b)
		if b = b[4:]; uint64(n) > uint64(len(b)) {
			return nil, parts, ErrDamaged
		}
		all[i], b = b[:n], b[n:]
	}
	if len(b) > 0 {
		return nil, parts, ErrDamaged
	}
	return all[0], [3][]byte(all[1:]), nil
}

func encodeFloor(f floor) []byte {
	b := binary.BigEndian.AppendUint64([]byte(floorMagic), f.version)
	for _, v := range f.parts {
		b = binary.BigEndian.AppendUint64(b, v)
	}
	return sealed(b)
}

func (c *Cache) readPolicy() (Snapshot, error) {
	b, err := read(c.path("policy"))
	if err != nil {
		return Snapshot{}, err
	}
	note, parts, err := decodePolicy(b)
	if err != nil {
		return Snapshot{}, err
	}
	snap, err := c.verify(note, parts)
	if err != nil {
		return Snapshot{}, err
	}
	if newer, ok := c.readState(&snap); ok {
		snap = newer
	}
	if err := c.floor.check(&snap.Manifest); err == nil {
		return snap, nil
	}
	// Only who is inside may be older than the floor: its file is the one that is written again and again,
	// and a damaged one must not take the rules away. Nobody's place is known then, until the server tells.
	for i, p := range snap.Manifest.Parts[:2] {
		if p.Version < c.floor.parts[i] {
			return snap, c.floor.check(&snap.Manifest)
		}
	}
	snap.StateLost = true
	return snap, nil
}

// encodeState is magic, then note and state, each after its length as 4 bytes.
func encodeState(s *Snapshot) []byte {
	b := []byte(stateMagic)
	for _, part := range [][]byte{s.Note, s.State} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(part)))
		b = append(b, part...)
	}
	return sealed(b)
}

// readState gives the policy with the state part that was stored after it; ok is false when there is
// none, or it is damaged or of other rules.
func (c *Cache) readState(base *Snapshot) (s Snapshot, ok bool) {
	b, err := read(c.path("policy.state"))
	if err == nil {
		b, err = unseal(b, stateMagic)
	}
	var all [2][]byte
	for i := range all {
		if err != nil || len(b) < 4 {
			return Snapshot{}, false
		}
		n := binary.BigEndian.Uint32(b)
		if b = b[4:]; uint64(n) > uint64(len(b)) {
			return Snapshot{}, false
		}
		all[i], b = b[:n], b[n:]
	}
	if len(b) > 0 {
		return Snapshot{}, false
	}
	s, err = c.verify(all[0], [3][]byte{base.Rules, base.Modes, all[1]})
	return s, err == nil && s.Manifest.Version > base.Manifest.Version
}

// readFloor leaves the zero floor when there is no file: the first policy of a new gateway.
func (c *Cache) readFloor() error {
	b, err := read(c.path("policy.floor"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err == nil {
		b, err = unseal(b, floorMagic)
	}
	if err == nil && len(b) != 32 {
		err = ErrDamaged
	}
	if err != nil {
		return fmt.Errorf("floor: %w", err)
	}
	c.floor.version = binary.BigEndian.Uint64(b)
	for i := range c.floor.parts {
		c.floor.parts[i] = binary.BigEndian.Uint64(b[8+8*i:])
	}
	return nil
}

func (c *Cache) readAge() error {
	b, err := read(c.path("policy.age"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err == nil {
		b, err = unseal(b, ageMagic)
	}
	if err == nil && len(b) != 16 {
		err = ErrDamaged
	}
	if err != nil {
		return fmt.Errorf("age: %w", err)
	}
	c.age = age{version: binary.BigEndian.Uint64(b), ms: max(int64(binary.BigEndian.Uint64(b[8:])), 0)}
	return nil
}

func read(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFile {
		return nil, ErrDamaged
	}
	return os.ReadFile(name)
}

// write replaces a file: beside, synced, renamed, folder synced. A crash leaves the old or the new one.
func (c *Cache) write(name string, data []byte) error {
	path := c.path(name)
	if err := c.step(name + " write"); err != nil {
		return err
	}
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := c.step(name + " rename"); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	if err := c.step(name + " sync"); err != nil {
		return err
	}
	d, err := os.Open(c.cfg.Dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (c *Cache) step(name string) error {
	if c.cfg.Step == nil {
		return nil
	}
	return c.cfg.Step(name)
}
