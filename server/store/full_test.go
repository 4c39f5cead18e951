package store

import (
	"fmt"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"monban/server/entrylog"
)

// brokenDisk is a signer whose disk fails.
type brokenDisk struct {
	Signer
	fault atomic.Int32 // errno; 0 = works
}

func (b *brokenDisk) SignCheckpoint(text string, proof tlog.TreeProof) ([]byte, error) {
	if n := b.fault.Load(); n != 0 {
		return nil, fmt.Errorf("save signer state: %w", syscall.Errno(n))
	}
	return b.Signer.SignCheckpoint(text, proof)
}

// A full disk stops signing, and so acks, only until there is space (reliability goal 7); any other failure stops
// it until the next start has compared what is there.
func TestSigningOnAFullDisk(t *testing.T) {
	for fault, comesBack := range map[syscall.Errno]bool{syscall.ENOSPC: true, syscall.EIO: false} {
		t.Run(fault.Error(), func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			disk := &brokenDisk{Signer: s.signer}
			opt := s.options()
			opt.Signer, opt.CheckpointEvery = disk, time.Millisecond
			st, err := Open(s.path, opt)
			must(t, err)
			defer st.Close()
			must(t, st.Write(t.Context(), newTraffic().step))
			signed := func() bool {
				c, err := entrylog.OpenCheckpoint([]byte(st.Checkpoint()), s.log)
				return err == nil && c.Size == st.Size() && st.SignErr() == nil
			}
			within := func(limit time.Duration, what string, cond func() bool) {
				t.Helper()
				for end := time.Now().Add(limit); !cond(); time.Sleep(time.Millisecond) {
					if time.Now().After(end) {
						t.Fatalf("not within %s: %s: %v", limit, what, st.SignErr())
					}
				}
			}
			within(20*time.Second, "signed", signed)
			before := st.Checkpoint()
			disk.fault.Store(int32(fault))
			must(t, st.Write(t.Context(), func(tx *Tx) error { _, err := tx.AppendDecision(decision(999, monday), person(1)); return err }))
			within(20*time.Second, "the fault is told", func() bool { return st.SignErr() != nil })
			if comesBack && st.Checkpoint() != before {
				t.Error("a full disk has taken the published checkpoint away")
			}
			disk.fault.Store(0)
			if comesBack {
				within(20*time.Second, "signed again without a new leaf", signed)
				return
			}
			time.Sleep(20 * time.Millisecond)
			if st.SignErr() == nil || st.SignNow(t.Context()) == nil {
				t.Error("signs again after an input/output error")
			}
		})
	}
}
