package store

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"
)

// All readers that may read at once hold their connections when each asks something that was never asked: whoever prepares the
// statement needs one more, and none waits for ever (a server that started its jobs at one moment once did).
func TestReadersPrepareAtOnce(t *testing.T) {
	s := newSite(t).open(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var begun, done sync.WaitGroup
	begun.Add(s.opt.Readers)
	for range s.opt.Readers {
		done.Go(func() {
			err := s.Read(ctx, func(r *ReadTx) error {
				begun.Done()
				begun.Wait()
				_, err := r.LastJobRun("none", time.Now())
				return err
			})
			if !errors.Is(err, ErrNotFound) {
				t.Error(err)
			}
		})
	}
	done.Wait()
}
