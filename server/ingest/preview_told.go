package ingest

import (
	"bytes"
	"cmp"
	"slices"

	"monban/server/attempt"
	"monban/server/entrylog"
	"monban/server/review"
	"monban/server/store"
)

// memoryTold is what a preview has told: the store's answers about findings, without the store.
type memoryTold struct {
	list []attempt.Finding
	more map[store.More]*store.More // by kind, gateway, door and detail
}

// AppendFinding implements Told.
func (m *memoryTold) AppendFinding(f attempt.Finding, _ *entrylog.Opening) (int64, error) {
	m.list = append(m.list, f)
	return int64(len(m.list)), nil
}

// count counts, up to most, what was told of a kind at a place and holds. Newest first: what is asked lies around now.
func (m *memoryTold) count(kind, gateway, door string, most int, holds func(f *attempt.Finding) bool) (n int) {
	for i := len(m.list) - 1; i >= 0 && n < most; i-- {
		if f := &m.list[i]; f.Kind == kind && f.Gateway == gateway && f.Door == door && holds(f) {
			n++
		}
	}
	return n
}

// ToldAt implements Told.
func (m *memoryTold) ToldAt(kind, gateway, door string, fromMS, toMS int64, most int) (int, error) {
	return m.count(kind, gateway, door, most, func(f *attempt.Finding) bool { return f.AtMS > fromMS && f.AtMS <= toMS }), nil
}

// ToldAsGrave implements Told.
func (m *memoryTold) ToldAsGrave(kind, gateway, door, severity string, fromMS, toMS int64, most int) (int, error) {
	return m.count(kind, gateway, door, most, func(f *attempt.Finding) bool {
		return f.AtMS > fromMS && f.AtMS <= toMS && asGrave(f.Severity, severity)
	}), nil
}

// ToldOn implements Told.
func (m *memoryTold) ToldOn(kind, gateway, door, detail, severity string, fromMS, toMS int64) (bool, error) {
	return m.count(kind, gateway, door, 1, func(f *attempt.Finding) bool {
		return f.Detail == detail && f.AtMS >= fromMS && f.AtMS < toMS && asGrave(f.Severity, severity)
	}) > 0, nil
}

func asGrave(a, b string) bool {
	x, _ := review.ParseSeverity(a)
	y, _ := review.ParseSeverity(b)
	return x >= y
}

// ToldOf implements Told.
func (m *memoryTold) ToldOf(kind string, id [16]byte) (bool, error) {
	for i := range m.list {
		if m.list[i].Kind == kind && bytes.Equal(m.list[i].Attempt[:], id[:]) {
			return true, nil
		}
	}
	return false, nil
}

func moreKey(kind, gateway, door, detail string) store.More {
	return store.More{Kind: kind, Gateway: gateway, Door: door, Detail: detail}
}

// Counted implements Told.
func (m *memoryTold) Counted(kind, gateway, door, detail string) (store.More, bool, error) {
	if x := m.more[moreKey(kind, gateway, door, detail)]; x != nil {
		return *x, true, nil
	}
	return store.More{}, false, nil
}

// CountedUntil implements Told.
func (m *memoryTold) CountedUntil(nowMS int64) (out []store.More, err error) {
	for _, x := range m.more {
		if x.DueMS <= nowMS {
			out = append(out, *x)
		}
	}
	slices.SortFunc(out, func(a, b store.More) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Gateway, b.Gateway), cmp.Compare(a.Door, b.Door), cmp.Compare(a.Detail, b.Detail))
	})
	return out, nil
}

// PutCounted implements Told.
func (m *memoryTold) PutCounted(x store.More) error {
	k := moreKey(x.Kind, x.Gateway, x.Door, x.Detail)
	if x.Count == 0 {
		delete(m.more, k)
	} else {
		m.more[k] = &x
	}
	return nil
}

// firstOf gives the earliest findings of a list.
func firstOf(list []PreviewedFinding) []PreviewedFinding {
	slices.SortFunc(list, func(a, b PreviewedFinding) int {
		return cmp.Or(cmp.Compare(a.AtMS, b.AtMS), cmp.Compare(a.Door, b.Door))
	})
	return list[:min(len(list), mostPreviewed)]
}
