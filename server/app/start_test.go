package app

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/server/entrylog"
	"monban/server/store"
)

// Goal 34: after kill -9 with a full WAL the server serves pages and takes entries again within 5 s.
// MONBAN_ROWS sets how many entries there are (`make backlog`: 1,000,000).
func TestStartAfterKill(t *testing.T) {
	rows := 2000
	if v := os.Getenv("MONBAN_ROWS"); v != "" {
		var err error
		if rows, err = strconv.Atoi(v); err != nil {
			t.Fatal(err)
		}
	}
	cfg := testSite(t)
	s, err := OpenSite(cfg, time.Now(), quiet)
	if err != nil {
		t.Fatal(err)
	}
	// Half of the entries are of the last hour and nothing has come of them yet; the others are passages of 5,000 people
	// in the 31 days from which the server makes again who is inside.
	const batch, month = 1000, 30 * 24 * time.Hour
	now, seq := time.Now(), uint64(0)
	for n := 0; n < rows; n += batch {
		if err := s.Store.Write(t.Context(), func(tx *store.Tx) error {
			for i := n; i < min(n+batch, rows); i++ {
				at := now
				if i%2 == 0 {
					at = now.Add(-month + time.Duration(i)*(month/time.Duration(rows)))
				}
				d := entrylog.Decision{
					Gateway: "gw-1", Door: "server-room-1", Side: "enter", Outcome: "granted", Reason: "granted", Policy: 1,
					AtMS: at.UnixMilli(), Assurance: "uid_only",
				}
				_, _ = rand.Read(d.Attempt[:]) // crypto/rand never fails
				_, _ = rand.Read(d.Ask[:])
				if _, err := tx.AppendDecision(d, &entrylog.Opening{Person: fmt.Sprintf("s%04d", i/2%5000), Name: "髙橋 花子", Inputs: make([]byte, 150)}); err != nil {
					return err
				}
				if i%2 != 0 {
					continue
				}
				seq++
				r := wire.Record{
					Gateway: "gw-1", Epoch: wire.Epoch{1}, Seq: seq, Door: "server-room-1", Side: access.SideEnter, Event: door.EventEntry, Attempt: d.Attempt,
					By: access.ByServer, Reason: access.ReasonGranted, Policy: 1,
				}
				leaf := entrylog.Record{AtMS: d.AtMS, FromMS: d.AtMS, ToMS: d.AtMS, Body: wire.AppendRecord(nil, &r)}
				if _, _, err := tx.AppendRecord(store.RecordIn{Body: &r, Leaf: leaf}, nil); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	// What a killed process leaves: the files as they are, the WAL with them.
	killed := *cfg
	killed.DataDir = copyTree(t, cfg.DataDir)
	killed.CA.Dir = strings.Replace(cfg.CA.Dir, cfg.DataDir, killed.DataDir, 1)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	a, _, stop := running(t, &killed)
	res, err := http.Get("http://" + a.listener.Addr().String() + "/")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if err := a.site.Store.Write(t.Context(), gapLeaf); err != nil {
		t.Fatal(err)
	}
	took := time.Since(start)
	if res.StatusCode >= 500 || a.site.Store.Size() < int64(rows) {
		t.Errorf("status %d, %d leaves", res.StatusCode, a.site.Store.Size())
	}
	if rows >= 1_000_000 && took > 5*time.Second || took > 25*time.Second {
		t.Errorf("%d rows: serving after %v", rows, took)
	}
	t.Logf("%d rows: serving %v after the start", rows, took.Round(time.Millisecond))
	if err := stop(); err != nil {
		t.Error(err)
	}
}
