package downlink

import (
	"time"

	"monban/firmware/link"
)

// ack says how far the committed rows reach. It has one caller, after Ingest's commit (I4); the
// machine signs. Acks are cumulative, so a lost or doubled one does no harm.
func (d *Downlink) ack(gw *gateway, at time.Time, c Committed) {
	if c.Fork {
		d.act(gw, at, d.step(gw, link.Refused{Epoch: c.Epoch, Fork: true}))
		return
	}
	d.count.acks.Add(1)
	d.act(gw, at, d.step(gw, link.Committed{Epoch: c.Epoch, Seq: c.Seq, Hash: c.Hash, Checkpoint: c.Checkpoint}))
}
