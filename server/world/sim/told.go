package sim

import (
	"cmp"
	"slices"
	"time"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/server/attempt"
	"monban/server/review"
	"monban/server/store"
	"monban/server/visit"
)

// review gives the thresholds of the rules over time.
func (o *Options) review() review.Settings {
	if o.Review != nil {
		return *o.Review
	}
	return review.DefaultSettings()
}

// silent reports whether a gateway is away or has records that are not here, as its heartbeats tell.
func (s *server) silent(id access.GatewayID) bool {
	for _, g := range s.w.gateways {
		if g.id == id {
			return s.w.now-s.heard[id] > 5*time.Second || g.disk.state().Pending > 0
		}
	}
	return true
}

// tellOffline is what the server does each second about gateways that have fallen silent.
func (s *server) tellOffline() {
	limit := time.Duration(s.w.opt.review().OfflineMS) * time.Millisecond
	for _, g := range s.w.gateways {
		since, known := s.heard[g.id]
		told := s.silences[g.id]
		if told.since != since {
			told = silence{since: since}
		}
		if silent := s.w.now - since; known && silent >= limit && s.w.now-s.bootAt >= limit && !told.done && s.w.now >= told.again {
			now := s.wallMS()
			err := s.write(func(m *model) error {
				againMS, err := s.pipeline.Offline(m, g.id, now-silent.Milliseconds(), now)
				told.done, told.again = againMS == 0, s.w.now+time.Duration(againMS-now)*time.Millisecond
				return err
			})
			if err == nil {
				s.silences[g.id] = told
			}
		}
	}
}

// silence is what was done about a gateway of which nothing is heard.
type silence struct {
	since, again time.Duration // again is when to ask for it
	done         bool
}

// AfterRollback implements ingest.Tx.
func (m *model) AfterRollback(f func()) { m.undone(f) }

// ToldAt implements ingest.Told.
func (m *model) ToldAt(kind, gateway, door string, fromMS, toMS int64, most int) (n int, err error) {
	for i := range m.findings {
		if f := &m.findings[i]; n < most && f.Kind == kind && f.Gateway == gateway && f.Door == door && f.AtMS > fromMS && f.AtMS <= toMS {
			n++
		}
	}
	return n, nil
}

// grave reports whether a severity is at least another.
func grave(severity, least string) bool {
	s, _ := review.ParseSeverity(severity)
	l, _ := review.ParseSeverity(least)
	return s >= l
}

// ToldAsGrave implements ingest.Told.
func (m *model) ToldAsGrave(kind, gateway, door, severity string, fromMS, toMS int64, most int) (n int, err error) {
	for i := range m.findings {
		f := &m.findings[i]
		if n < most && f.Kind == kind && f.Gateway == gateway && f.Door == door && f.AtMS > fromMS && f.AtMS <= toMS && grave(f.Severity, severity) {
			n++
		}
	}
	return n, nil
}

// ToldOn implements ingest.Told.
func (m *model) ToldOn(kind, gateway, door, detail, severity string, fromMS, toMS int64) (bool, error) {
	return slices.ContainsFunc(m.findings, func(f attempt.Finding) bool {
		return f.Kind == kind && f.Gateway == gateway && f.Door == door && f.Detail == detail && f.AtMS >= fromMS && f.AtMS < toMS && grave(f.Severity, severity)
	}), nil
}

// ToldOf implements ingest.Told.
func (m *model) ToldOf(kind string, id [16]byte) (bool, error) {
	return slices.ContainsFunc(m.findings, func(f attempt.Finding) bool { return f.Kind == kind && f.Attempt == id }), nil
}

func samePlace(a, b *store.More) bool {
	return a.Kind == b.Kind && a.Gateway == b.Gateway && a.Door == b.Door && a.Detail == b.Detail
}

// Counted implements ingest.Told.
func (m *model) Counted(kind, gateway, door, detail string) (store.More, bool, error) {
	for i := range m.counted {
		if samePlace(&m.counted[i], &store.More{Kind: kind, Gateway: gateway, Door: door, Detail: detail}) {
			return m.counted[i], true, nil
		}
	}
	return store.More{}, false, nil
}

// CountedUntil implements ingest.Told.
func (m *model) CountedUntil(nowMS int64) (out []store.More, err error) {
	for _, x := range m.counted {
		if x.DueMS <= nowMS {
			out = append(out, x)
		}
	}
	return out, nil
}

// PutCounted implements ingest.Told.
func (m *model) PutCounted(x store.More) error {
	old := m.counted
	m.undone(func() { m.counted = old })
	m.counted = slices.DeleteFunc(slices.Clone(old), func(o store.More) bool { return samePlace(&o, &x) })
	if x.Count > 0 {
		m.counted = append(m.counted, x)
	}
	return nil
}

// PutAwaited implements ingest.Awaits.
func (m *model) PutAwaited(a store.Awaited) error {
	if err := m.DropAwaited(a.Kind, a.Attempt); err != nil {
		return err
	}
	m.awaited = append(m.awaited[:len(m.awaited):len(m.awaited)], a)
	return nil
}

// DropAwaited implements ingest.Awaits.
func (m *model) DropAwaited(kind string, id [16]byte) error {
	old := m.awaited
	m.undone(func() { m.awaited = old })
	m.awaited = slices.DeleteFunc(slices.Clone(old), func(o store.Awaited) bool { return o.Kind == kind && o.Attempt == id })
	return nil
}

// AllAwaited implements ingest.Loading.
func (m *model) AllAwaited() ([]store.Awaited, error) { return m.awaited, nil }

// LogSize implements ingest.Loading.
func (m *model) LogSize() (int64, error) { return m.tree.Size(), nil }

// LastPassages implements ingest.Loading.
func (m *model) LastPassages(atMS int64) (out []attempt.Row, err error) {
	newest := map[string]*attempt.Row{}
	for _, r := range m.order {
		if r.Passage != string(door.EventEntry) && r.Passage != string(door.EventExit) || r.Opening == attempt.NoIndex || r.PassedMS > atMS {
			continue
		}
		who := m.openings[r.Opening].Person
		if old := newest[who]; who != "" && (old == nil || old.PassedMS <= r.PassedMS) {
			newest[who] = r
		}
	}
	for _, r := range newest {
		out = append(out, *r)
	}
	slices.SortFunc(out, func(a, b attempt.Row) int {
		return cmp.Or(cmp.Compare(a.PassedMS, b.PassedMS), cmp.Compare(a.First, b.First))
	})
	return out, nil
}

// PassedAfter implements ingest.Around.
func (m *model) PassedAfter(person string, ms int64, limit int) (out []attempt.Row, err error) {
	for _, r := range m.passedBy(person) {
		if r.PassedMS > ms {
			out = append(out, *r)
		}
	}
	return out[:min(limit, len(out))], nil
}

// passedBy lists the passages of a person in the order of passing.
func (m *model) passedBy(person string) (out []*attempt.Row) {
	for _, r := range m.order {
		if (r.Passage == string(door.EventEntry) || r.Passage == string(door.EventExit)) && r.Opening != attempt.NoIndex && m.openings[r.Opening].Person == person {
			out = append(out, r)
		}
	}
	slices.SortStableFunc(out, func(a, b *attempt.Row) int { return cmp.Compare(a.PassedMS, b.PassedMS) })
	return out
}

// Habits implements ingest.Around.
func (m *model) Habits(person, at string, fromMS, beforeMS int64) (firstMS int64, used bool, err error) {
	for _, r := range m.passedBy(person) {
		if r.PassedMS >= beforeMS {
			break
		}
		if firstMS == 0 {
			firstMS = r.PassedMS
		}
		used = used || r.Door == at && r.Passage == string(door.EventEntry) && r.PassedMS >= fromMS
	}
	return firstMS, used, nil
}

// WorkCovers implements ingest.Around.
func (m *model) WorkCovers(e visit.Passage) (bool, error) {
	for _, x := range m.sorted(always) {
		if v, ok := x.matter().(*visit.Visit); ok && v.Covers(e) {
			return true, nil
		}
	}
	return false, nil
}

// WorkPlanned implements ingest.Last.
func (m *model) WorkPlanned(zones []access.ZoneID, atMS int64) (bool, error) {
	for _, x := range m.sorted(always) {
		if v, ok := x.matter().(*visit.Visit); ok && v.Plans(zones, atMS) {
			return true, nil
		}
	}
	return false, nil
}

// OwnRights implements ingest.Around. In a story nobody signs in to give rights.
func (m *model) OwnRights(string) ([]store.OwnRight, error) { return nil, nil }
