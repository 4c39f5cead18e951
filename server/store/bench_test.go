package store

import (
	"crypto/sha256"
	"database/sql"
	"fmt"
	"testing"
	"time"

	"monban/firmware/door"
	"monban/server/entrylog"
	"monban/server/keystore"
)

// benchLeaves makes n decision leaves with sealed openings, outside the timed part.
func benchLeaves(tb testing.TB, s *site, n int) (bodies [][]byte, sealed []keystore.Sealed) {
	tb.Helper()
	for i := range n {
		d := decision(i, monday)
		c, x, err := s.keys.Seal(keystore.Period{FiscalYear: 2026, Class: entrylog.ClassRegister}, person(i))
		must(tb, err)
		d.Commit = c
		b, err := d.Append(nil)
		must(tb, err)
		bodies, sealed = append(bodies, b), append(sealed, x)
	}
	return bodies, sealed
}

const benchBatch = 100

// BenchmarkAppendPlain and BenchmarkAppendChained are the pair (e) of the performance goals: the same
// rows of leaf and opening in batches of 100, without and with tree, stored hashes and checkpoints.
func BenchmarkAppendPlain(b *testing.B) {
	s := newSite(b)
	opt := s.options()
	opt.Signer = nil
	st, err := Open(s.path, opt)
	must(b, err)
	b.Cleanup(func() { st.Close() })
	bodies, sealed := benchLeaves(b, s, benchBatch)
	next := int64(1)
	for b.Loop() {
		first := next
		must(b, st.Write(b.Context(), func(tx *Tx) error {
			next = first
			for i, body := range bodies {
				if _, err := tx.exec(`INSERT INTO log_leaf (idx, kind, body, hashes) VALUES (?, ?, ?, ?)`, next, "decision", body, zeroHash[:]); err != nil {
					return err
				}
				x := &sealed[i]
				if _, err := tx.exec(insertOpening, next, x.Period.FiscalYear, string(x.Period.Class), x.RowKey, x.Ciphertext, x.PersonRef); err != nil {
					return err
				}
				next++
			}
			return nil
		}))
	}
	b.ReportMetric(float64(b.N)*benchBatch/b.Elapsed().Seconds(), "leaves/s")
}

var zeroHash [32]byte

func BenchmarkAppendChained(b *testing.B) {
	s := newSite(b)
	opt := s.options()
	opt.CheckpointEvery = checkpointEvery
	st, err := Open(s.path, opt)
	must(b, err)
	b.Cleanup(func() { st.Close() })
	bodies, sealed := benchLeaves(b, s, benchBatch)
	for b.Loop() {
		must(b, st.Write(b.Context(), func(tx *Tx) error {
			for i, body := range bodies {
				if _, err := tx.append(entrylog.KindDecision, body, &sealed[i]); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	b.ReportMetric(float64(b.N)*benchBatch/b.Elapsed().Seconds(), "leaves/s")
}

// BenchmarkDecision is a whole decision as authority writes it: leaf, sealed opening, tree, line.
func BenchmarkDecision(b *testing.B) {
	s := newSite(b)
	st := s.open(b)
	n := 0
	for b.Loop() {
		first := n
		must(b, st.Write(b.Context(), func(tx *Tx) error {
			for n = first; n < first+benchBatch; n++ {
				if _, err := tx.AppendDecision(decision(n, monday), person(n)); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/benchBatch, "µs/decision")
}

// BenchmarkCommitOne is one decision in one commit: what a person at a door waits for.
func BenchmarkCommitOne(b *testing.B) {
	s := newSite(b)
	st := s.open(b)
	n := 0
	for b.Loop() {
		n++
		must(b, st.Write(b.Context(), func(tx *Tx) error {
			_, err := tx.AppendDecision(decision(n, monday), person(n))
			return err
		}))
	}
}

// benchLog writes a log of about n leaves as a site writes it: a decision, then the records.
func benchLog(tb testing.TB, attempts int) *site {
	s := newSite(tb)
	st := s.open(tb)
	tr := newTraffic()
	for n := 0; n < attempts; {
		first := n
		must(tb, st.Write(tb.Context(), func(tx *Tx) error {
			for ; n < min(attempts, first+100); n++ {
				at := int64(monday + n*1000)
				if _, err := tx.AppendDecision(decision(n, at), person(n)); err != nil {
					return err
				}
				g := fmt.Sprintf("g%d", n%3+1)
				for i, e := range []door.Event{door.EventGranted, door.EventEntry, door.EventClosed} {
					if _, err := tr.record(tx, g, e, attemptID(n), at+int64(i)*1000, nil); err != nil {
						return err
					}
				}
			}
			return nil
		}))
		if n%1000 == 0 {
			must(tb, st.SignNow(tb.Context()))
		}
	}
	must(tb, st.Close())
	return s
}

// readAndHash is the floor of the verify goals: read leaf and opening rows through database/sql and
// SHA-256 each once, on one thread (D29).
func readAndHash(tb testing.TB, s *site) {
	db := openPool(s.path, true, 1)
	defer db.Close()
	rows, err := db.Query(`SELECT l.idx, l.body, o.row_key, o.ciphertext FROM log_leaf l LEFT JOIN opening o ON o.idx = l.idx ORDER BY l.idx`)
	must(tb, err)
	defer rows.Close()
	var idx int64
	var body, rowKey, ciphertext sql.RawBytes
	for rows.Next() {
		must(tb, rows.Scan(&idx, &body, &rowKey, &ciphertext))
		sha256.Sum256(body)
		if ciphertext != nil {
			sha256.Sum256(ciphertext)
		}
	}
	must(tb, rows.Err())
}

// BenchmarkVerify interleaves the three arms of pair (f) and reports the ratios to the floor.
func BenchmarkVerify(b *testing.B) {
	s := benchLog(b, 10_000)
	var floor, plain, open time.Duration
	for b.Loop() {
		t0 := time.Now()
		readAndHash(b, s)
		t1 := time.Now()
		if res := s.verify(b, false); !res.Clean() {
			b.Fatal(res.Findings[0])
		}
		t2 := time.Now()
		if res := s.verify(b, true); !res.Clean() {
			b.Fatal(res.Findings[0])
		}
		floor, plain, open = floor+t1.Sub(t0), plain+t2.Sub(t1), open+time.Since(t2)
	}
	b.ReportMetric(float64(plain)/float64(floor), "verify/floor")
	b.ReportMetric(float64(open)/float64(floor), "openings/floor")
	b.ReportMetric(float64(floor.Nanoseconds())/float64(b.N)/40_000, "floor-ns/leaf")
}
