package sim

import (
	"cmp"
	"slices"
	"time"

	"monban/firmware/card"
	"monban/firmware/door"
	"monban/server/attempt"
	"monban/server/entrylog"
	"monban/server/store"
	"monban/server/visit"
	"monban/server/world/invariant"
)

// What the server asks the model store.

// OpenFinding implements ingest.Past. Nobody closes findings here, so every one is open; the list of
// a day is short.
func (m *model) OpenFinding(kind, gateway, door, detail string) (bool, error) {
	for i := range m.findings {
		f := &m.findings[i]
		if f.Kind == kind && f.Gateway == gateway && f.Door == door && f.Detail == detail {
			return true, nil
		}
	}
	return false, nil
}

// ForkedAt implements ingest.Past.
func (m *model) ForkedAt(gateway string, epoch [16]byte) (bool, error) {
	prefix := entrylog.HexText(epoch[:]) + "/"
	for i := range m.findings {
		f := &m.findings[i]
		if f.Kind == "chain_fork" && f.Gateway == gateway && len(f.Detail) >= len(prefix) && f.Detail[:len(prefix)] == prefix {
			return true, nil
		}
	}
	return false, nil
}

// Quarantined implements ingest.Past.
func (m *model) Quarantined(gateway string, epoch [16]byte, seq uint64, body []byte) (bool, error) {
	return m.kept[quarantineKey(gateway, epoch, seq, body)], nil
}

// OtherEpoch implements ingest.Past.
func (m *model) OtherEpoch(gateway string, epoch [16]byte) (bool, error) {
	for k := range m.chains {
		if k.gateway == gateway && k.epoch != epoch {
			return true, nil
		}
	}
	return false, nil
}

// Unrecorded implements ingest.Past.
func (m *model) Unrecorded(days [2]string, beforeMS int64) ([]attempt.Row, error) {
	var out []attempt.Row
	for _, r := range m.order {
		if r.Decision == attempt.NoIndex || r.Received >= beforeMS || r.Day != days[0] && r.Day != days[1] || m.leaves[r.First].Kind == entrylog.KindRecord {
			continue
		}
		bare := true
		for _, idx := range m.leavesOf[r.First] {
			bare = bare && m.leaves[idx].Kind != entrylog.KindRecord
		}
		for i := range m.findings {
			bare = bare && (m.findings[i].Attempt != r.ID || m.findings[i].Kind != "decision_without_record")
		}
		if bare {
			out = append(out, *r)
		}
	}
	return out, nil
}

// LoanAt implements ingest.Past.
func (m *model) LoanAt(ref card.Ref, atMS int64) (visit.Loan, bool, error) {
	for _, b := range m.badges {
		if !b.HasCard() || b.Ref != ref {
			continue
		}
		for _, x := range slices.Backward(m.sorted(always)) {
			if lender, ok := x.matter().(interface {
				LoanAt(badge string, atMS int64) (visit.Loan, bool)
			}); ok {
				if l, ok := lender.LoanAt(b.ID, atMS); ok {
					l.Masked = b.Masked
					m.nameLoan(&l)
					return l, true, nil
				}
			}
		}
	}
	return visit.Loan{}, false, nil
}

// nameLoan fills in who the directory knows.
func (m *model) nameLoan(l *visit.Loan) {
	for i := range m.w.server.dir.People {
		if p := &m.w.server.dir.People[i]; p.ID == l.Person && l.Name == "" {
			if l.Name, l.Category, l.Company = p.Name, p.Category, p.Company; l.Company == "" {
				l.Company = p.Section
			}
		}
	}
}

// MatterAtDoor implements ingest.Past.
func (m *model) MatterAtDoor(kind, door string, atMS int64) (bool, error) {
	for _, x := range m.matters {
		if h := x.head; h.Kind == kind && h.FromMS <= atMS && (h.UntilMS > atMS || h.UntilMS == 0 && h.Open) && slices.Contains(h.Doors, door) {
			return true, nil
		}
	}
	return false, nil
}

// LastRecord implements ingest.Past.
func (m *model) LastRecord(gateway string) (int64, error) {
	last := int64(-1)
	for k, c := range m.chains {
		if k.gateway == gateway {
			last = max(last, c.idx)
		}
	}
	if last < 0 {
		return 0, store.ErrNotFound
	}
	return last, nil
}

// PolicyHead implements policypub.Ledger.
func (m *model) PolicyHead(gateway, part string) (uint64, entrylog.Hash, error) {
	h := m.heads[[2]string{gateway, part}]
	return h.version, h.sum, nil
}

// AppendPolicy implements policypub.Ledger.
func (m *model) AppendPolicy(gateway, part string, version uint64, bytes []byte, atMS int64) (int64, error) {
	leaf, sum := attempt.PolicyLeaf(gateway, part, version, bytes, atMS)
	idx, err := m.system(leaf, nil)
	if err != nil {
		return 0, err
	}
	key := [2]string{gateway, part}
	old, before := m.heads[key], m.parts[key]
	m.heads[key] = policyHead{version, sum, bytes, idx}
	if old.version > 0 {
		m.parts[key] = append(slices.Clone(before[max(0, len(before)+1-keptVersions):]), old)
	}
	m.undone(func() { m.heads[key], m.parts[key] = old, before })
	return idx, nil
}

// keptVersions is how many versions of a part the model keeps beside the one in force; the store keeps all.
const keptVersions = 20

// Policy implements policypub.Ledger.
func (m *model) Policy(gateway, part string, version uint64) (store.PolicyVersion, error) {
	key := [2]string{gateway, part}
	for _, h := range append(slices.Clone(m.parts[key]), m.heads[key]) {
		if h.version == version && version > 0 {
			return store.PolicyVersion{Idx: h.idx, Version: h.version, Sum: h.sum[:], Bytes: h.bytes}, nil
		}
	}
	return store.PolicyVersion{}, store.ErrNotFound
}

// Setting implements policypub.Ledger.
func (m *model) Setting(key string) (string, error) {
	v, ok := m.settings[key]
	if !ok {
		return "", store.ErrNotFound
	}
	return v, nil
}

// SetSetting implements policypub.Ledger.
func (m *model) SetSetting(key, value string) error {
	old := m.settings[key]
	m.settings[key] = value
	m.undone(func() { m.settings[key] = old })
	return nil
}

// appendCoverage states a silence (I10). from and to are true times.
func (m *model) appendCoverage(c attempt.Coverage, from, to time.Duration, atMS int64) error {
	if _, err := m.system(c.Leaf(atMS), nil); err != nil {
		return err
	}
	m.coverage = append(m.coverage, c)
	m.undone(func() { m.coverage = m.coverage[:len(m.coverage)-1] })
	m.events = append(m.events, invariant.Event{Kind: invariant.Coverage, Gateway: gatewayID(c.Gateway), From: from, Until: to})
	return nil
}

// Passages implements authority.Past.
func (m *model) Passages(int64, *time.Location) (out []attempt.Row, err error) {
	for _, r := range m.order {
		if r.Passage == string(door.EventEntry) || r.Passage == string(door.EventExit) || r.Passage == "" {
			out = append(out, *r)
		}
	}
	return out, nil
}

// PassedBefore implements authority.Past.
func (m *model) PassedBefore(person string, ms int64, limit int) (out []attempt.Row, err error) {
	for _, r := range m.order {
		passed := r.Passage == string(door.EventEntry) || r.Passage == string(door.EventExit)
		if passed && r.PassedMS < ms && r.Opening != attempt.NoIndex && m.openings[r.Opening].Person == person {
			out = append(out, *r)
		}
	}
	slices.SortStableFunc(out, func(a, b attempt.Row) int { return cmp.Compare(a.PassedMS, b.PassedMS) })
	return out[max(0, len(out)-limit):], nil
}

// FoundAt implements ingest.Tx.
func (m *model) FoundAt(kind, detail string, atMS int64) (bool, error) {
	for i := range m.findings {
		if f := &m.findings[i]; f.Kind == kind && f.Detail == detail && f.AtMS == atMS {
			return true, nil
		}
	}
	return false, nil
}

// FoundSince implements authority.Past.
func (m *model) FoundSince(kind, detail string, fromMS int64) (bool, error) {
	for i := range m.findings {
		if f := &m.findings[i]; f.Kind == kind && f.Detail == detail && f.AtMS >= fromMS {
			return true, nil
		}
	}
	return false, nil
}

// Opening implements authority.Past.
func (m *model) Opening(idx int64) (entrylog.Opening, error) {
	o, ok := m.openings[idx]
	if !ok {
		return o, store.ErrNotFound
	}
	return o, nil
}

// PINCount implements authority.Tx. No story has a PIN reset.
func (m *model) PINCount(ref card.Ref) (uint8, int64, error) { return m.pins[ref], 0, nil }

// SetPINFailed implements authority.Tx.
func (m *model) SetPINFailed(ref card.Ref, failed uint8) error {
	old := m.pins[ref]
	m.pins[ref] = failed
	m.undone(func() { m.pins[ref] = old })
	return nil
}

// PINResets implements authority.Past.
func (m *model) PINResets(int) ([]store.PINReset, error) { return nil, nil }

// ZoneActs implements authority.Past.
func (m *model) ZoneActs(int64) ([]store.ZoneAct, error) { return m.acts, nil }
