package store

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"monban/firmware/witness"
	"monban/server/entrylog"
)

// guard is a witness of a test's log.
type guard struct {
	key   *witness.Cosigner
	state witness.State
}

func newGuard(name string) *guard {
	seed := sha256.Sum256([]byte(name))
	return &guard{key: witness.New(name, ed25519.NewKeyFromSeed(seed[:]))}
}

// visit shows the witness the newest checkpoint, as the link does.
func (g *guard) visit(t *testing.T, st *Store, log note.Verifier, at int64) error {
	t.Helper()
	held := g.state.Held()
	signed, proof, ok, err := st.ProveSince(t.Context(), held.Origin, held.Size)
	must(t, err)
	if !ok {
		return nil
	}
	g.state, err = g.state.Take(g.key, log, signed, held.Size, proof, uint64(at/1000))
	return err
}

func (g *guard) keep(t *testing.T, s *site, st *Store) {
	t.Helper()
	c, _, err := OpenCosigned(g.key.VKey(), g.state.Note, func(string) note.Verifier { return s.log })
	must(t, err)
	c.ReceivedMS = c.AtMS
	must(t, st.Write(t.Context(), func(tx *Tx) error { return tx.PutCosignature(c) }))
}

// EV-4, EV-3: witnesses follow a growing log; of each day the newest cosignature stays; verify compares the log with
// them and finds each changed column; a log that does not extend what a witness holds is not signed any more.
func TestCosignatures(t *testing.T) {
	s := newSite(t)
	st := s.open(t)
	w := newGuard("monban/hall/gw/g1/witness")
	tr := newTraffic()
	for i := range 8 {
		must(t, st.Write(t.Context(), tr.step))
		must(t, st.SignNow(t.Context()))
		must(t, w.visit(t, st, s.log, monday+int64(i)*6*3_600_000)) // two days of six-hour steps
		w.keep(t, s, st)
		if held := w.state.Held(); held.Size != st.Size() {
			t.Fatalf("holds %d of %d", held.Size, st.Size())
		}
	}
	must(t, st.Read(t.Context(), func(r *ReadTx) error {
		list, err := r.Cosignatures(w.key.VKey()[:strings.Index(w.key.VKey(), "+")], 10)
		if len(list) != 2 || list[0].Size != st.Size() { // 09:00 in Tokyo is midnight UTC: 0–18 h and 24–42 h
			t.Errorf("%d rows kept: %+v", len(list), list)
		}
		return err
	}))
	held := w.state.Held()
	must(t, st.Beyond(t.Context(), "g1", held.Size, held.Root))
	if st.SignErr() != nil {
		t.Fatal("refuses to sign for a witness that fits")
	}
	must(t, st.Close())
	wantClean(t, s.verify(t, true))
	data, err := os.ReadFile(s.path)
	must(t, err)
	for column, value := range map[string]string{
		"witness": "'x'", "day": "'2020-01-01'", "origin": "'monban/00000000'", "size": "size + 1", "at_ms": "at_ms + 1000", "vkey": "'x'", "received_ms": "at_ms - 360000",
		"note": "replace(note, '— ', '—  ')",
	} {
		must(t, os.WriteFile(s.path, data, 0o600))
		exec(t, s.path, `UPDATE cosignature SET `+column+` = `+value+` WHERE size = (SELECT max(size) FROM cosignature)`)
		if res := s.verify(t, false); !slices.ContainsFunc(res.Findings, func(f entrylog.Finding) bool { return f.Table == "cosignature" }) {
			t.Errorf("column %s changed: %v", column, res.Findings)
		}
	}
	must(t, os.WriteFile(s.path, data, 0o600))

	// The database of another past, the log's key in hand: what each of the witnesses holds is not in it.
	forged := s.forged(t, 30)
	fs := forged.open(t)
	if err := w.visit(t, fs, s.log, monday); !errors.Is(err, witness.ErrFork) || w.state.Refused == "" {
		t.Errorf("the witness took another past: %v", err)
	}
	if err := fs.Beyond(t.Context(), "g1", held.Size, held.Root); !errors.Is(err, ErrHead) || fs.SignErr() == nil {
		t.Errorf("goes on signing another past than a witness holds: %v", err)
	}
	short := s.forged(t, 1)
	ss := short.open(t)
	if err := ss.Beyond(t.Context(), "g1", held.Size, held.Root); !errors.Is(err, ErrHead) || !strings.Contains(err.Error(), "behind") {
		t.Errorf("goes on signing behind a witness: %v", err)
	}
	_, _, err = OpenCosigned(newGuard("other").key.VKey(), w.state.Note, func(string) note.Verifier { return s.log })
	if !errors.Is(err, ErrWitness) {
		t.Errorf("takes a note that this witness did not cosign: %v", err)
	}
}

// EV-4, OP-2: what is newest of a witness goes by the server's receipt. A cosignature of a time to come is not kept, however
// far, and one that is shown again is not new.
func TestCosignatureReceipt(t *testing.T) {
	s := newSite(t)
	st := s.open(t)
	w := newGuard("monban/hall/gw/g1/witness")
	name := strings.SplitN(w.key.VKey(), "+", 2)[0]
	tr := newTraffic()
	put := func(at, received int64) error {
		t.Helper()
		must(t, st.Write(t.Context(), tr.step))
		must(t, st.SignNow(t.Context()))
		must(t, w.visit(t, st, s.log, at))
		c, _, err := OpenCosigned(w.key.VKey(), w.state.Note, func(string) note.Verifier { return s.log })
		must(t, err)
		c.ReceivedMS = received
		return st.Write(t.Context(), func(tx *Tx) error { return tx.PutCosignature(c) })
	}
	newest := func() (c Cosignature) {
		t.Helper()
		must(t, st.Read(t.Context(), func(r *ReadTx) error {
			list, err := r.Cosignatures(name, 1)
			if len(list) > 0 {
				c = list[0]
			}
			return err
		}))
		return c
	}
	const day, minute = 86_400_000, 60_000
	for at, want := range map[int64]error{
		monday + 6*minute:        ErrWitnessClock,
		4_070_908_800_000:        ErrWitnessClock, // 2099
		-1000:                    ErrWitnessClock, // 2⁶⁴−1 s
		monday + 4*minute:        nil,
		monday - 40*day:          nil, // behind is no harm: the receipt counts
		monday + 5*minute - 1000: nil,
	} {
		if err := put(at, monday); !errors.Is(err, want) {
			t.Errorf("cosigned %d s after its receipt: %v, want %v", (at-monday)/1000, err, want)
		}
	}
	if put(monday, 0) == nil {
		t.Error("takes one without a receipt")
	}
	// A clock that is set back: the later receipt is the newer one.
	must(t, put(monday-3*day, monday+2*day))
	if c := newest(); c.ReceivedMS != monday+2*day || c.AtMS != monday-3*day {
		t.Errorf("newest is the one of %d, received %d", c.AtMS, c.ReceivedMS)
	}
	again := newest()
	again.ReceivedMS += 5 * day
	must(t, st.Write(t.Context(), func(tx *Tx) error { return tx.PutCosignature(again) }))
	if c := newest(); c.ReceivedMS != monday+2*day {
		t.Errorf("shown again it counts as received at %d", c.ReceivedMS)
	}
	must(t, st.Close())
	wantClean(t, s.verify(t, false))
}
