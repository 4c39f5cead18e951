package world

import (
	"fmt"
	"sync"
	"time"
)

// noise looks every two seconds how long a fixed piece of work takes.
type noise struct {
	quit   chan struct{}
	done   sync.WaitGroup
	once   sync.Once
	probes []time.Duration // the goroutine's until done
}

// noisy is the spread of the probes above which a run is marked. It is not thrown away: a ratio of the
// same run mostly survives noise that a time does not.
const noisy = 2.0

func startNoise() *noise {
	n := &noise{quit: make(chan struct{})}
	n.done.Go(func() { // ends with stop
		t := time.NewTicker(2 * time.Second)
		defer t.Stop()
		for {
			n.probes = append(n.probes, probe())
			select {
			case <-n.quit:
				return
			case <-t.C:
			}
		}
	})
	return n
}

// stop ends the probing and adds its row.
func (n *noise) stop(r *Report) error {
	n.once.Do(func() { close(n.quit) })
	n.done.Wait()
	spread := float64(quantile(n.probes, 0.9)) / float64(quantile(n.probes, 0.1))
	note := fmt.Sprintf("SHA-256 probe each 2 s, %d times", len(n.probes))
	if spread > noisy {
		note += "; NOISY RUN"
	}
	r.Rows = append(r.Rows, Row{Name: "noise, 90 % / 10 % of a fixed work", Value: spread, Unit: "x", Note: note})
	return nil
}
