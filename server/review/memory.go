package review

import "iter"

// journal is how a Watch goes back to where it was when the transaction that drove it is rolled back. It is not safe for
// concurrent use: the store runs one transaction at a time.
type journal struct {
	open bool
	undo []func()
}

func (j *journal) note(f func()) {
	if j.open {
		j.undo = append(j.undo, f)
	}
}

func (j *journal) keep() {
	clear(j.undo)
	j.open, j.undo = false, j.undo[:0]
}

func (j *journal) back() {
	for i := len(j.undo) - 1; i >= 0; i-- {
		j.undo[i]()
	}
	j.keep()
}

// memory is a map that forgets: an entry that was not set again is gone after lifeMS to twice that by the log's clock, and
// earlier when more than most are held. It keeps two generations instead of a time for each entry, so that a flood
// costs the same for each fact. Values are plain: what is got is a copy.
type memory[K comparable, V any] struct {
	book       *journal
	young, old map[K]V
	sinceMS    int64 // when the young generation began
	lifeMS     int64
	most       int
}

// most entries of one generation of a rule's memory: 16 doors' worth of nonsense for an hour, and some megabytes.
const mostRemembered = 1 << 15

func newMemory[K comparable, V any](book *journal, lifeMS int64) *memory[K, V] {
	return &memory[K, V]{book: book, young: map[K]V{}, old: map[K]V{}, lifeMS: lifeMS, most: mostRemembered}
}

func (m *memory[K, V]) get(k K) (v V, ok bool) {
	if v, ok = m.young[k]; ok {
		return v, true
	}
	v, ok = m.old[k]
	return v, ok
}

// set puts a value; nowMS is the log's clock.
func (m *memory[K, V]) set(nowMS int64, k K, v V) {
	if nowMS-m.sinceMS >= m.lifeMS || len(m.young) >= m.most {
		young, old, since := m.young, m.old, m.sinceMS
		m.book.note(func() { m.young, m.old, m.sinceMS = young, old, since })
		m.young, m.old, m.sinceMS = map[K]V{}, m.young, nowMS
	}
	was, had := m.young[k]
	m.book.note(func() { put(m.young, k, was, had) })
	m.young[k] = v
}

func (m *memory[K, V]) drop(k K) {
	young, inYoung := m.young[k]
	old, inOld := m.old[k]
	if !inYoung && !inOld {
		return
	}
	m.book.note(func() { put(m.young, k, young, inYoung); put(m.old, k, old, inOld) })
	delete(m.young, k)
	delete(m.old, k)
}

func put[K comparable, V any](m map[K]V, k K, v V, had bool) {
	if had {
		m[k] = v
		return
	}
	delete(m, k)
}

// all gives each entry once, in no order.
func (m *memory[K, V]) all() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		for k, v := range m.young {
			if !yield(k, v) {
				return
			}
		}
		for k, v := range m.old {
			if _, newer := m.young[k]; !newer && !yield(k, v) {
				return
			}
		}
	}
}

// mostCounted bounds how many moments or things a rule counts at one key, and so the thresholds that can be set.
const mostCounted = 16

// tally counts different things at one key within a window of their own times, in whatever order they come. The zero
// tally has counted nothing.
type tally struct {
	thing [mostCounted]uint64
	at    [mostCounted]int64
	n     uint8
	told  bool
}

// add counts thing at a moment and reports whether this is the one that makes it least within the window that ends there. It
// says so once, and again only after the count has been below least.
func (t *tally) add(thing uint64, atMS, windowMS int64, least int) bool {
	slot := -1
	for i := range t.n {
		if t.thing[i] == thing {
			slot = int(i)
		}
	}
	switch {
	case slot >= 0:
		t.at[slot] = max(t.at[slot], atMS)
	case t.n < mostCounted:
		slot = int(t.n)
		t.n++
		t.thing[slot], t.at[slot] = thing, atMS
	default: // the oldest gives way
		slot = 0
		for i := range t.at {
			if t.at[i] < t.at[slot] {
				slot = i
			}
		}
		t.thing[slot], t.at[slot] = thing, atMS
	}
	count := 0
	for i := range t.n {
		if t.at[i] <= atMS && t.at[i] > atMS-windowMS {
			count++
		}
	}
	if count < least {
		t.told = false
		return false
	}
	first := !t.told
	t.told = true
	return first
}
