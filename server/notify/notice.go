package notify

import (
	"time"

	"monban/server/notify/route"
	"monban/server/review"
	"monban/server/store"
)

// Notice is news for a desk that is no finding: how many of something there are. It wakes nobody and goes to whom a route tells in office hours.
type Notice struct {
	What     route.What
	Kind     review.Kind // by which it finds its route; "" = routes for kinds do not take it
	Severity review.Severity
	Zone     string // in whose route it goes, "" = of no zone. It does not leave the house
	Count    int
	Which    string // of a breach
	Path     string // of the page that shows them; it says nothing of a place
	Key      string // the same one is told once; it leaves the house
}

// Open reports whether the office is open.
func (n *Notifier) Open(at time.Time) bool { return n.Tree().Open(at) }

// Tell queues a notice, in the transaction of what it tells of.
func (n *Notifier) Tell(tx *store.Tx, x *Notice) error {
	tree, now := n.Tree(), n.cfg.Now()
	item := route.Item{Kind: x.Kind, Severity: x.Severity}
	if x.Zone != "" {
		item.Zones = []string{x.Zone}
	}
	r := tree.Of(&item)
	name, err := key(tx.Reader, "%s", x.Key)
	if err != nil {
		return err
	}
	m := Message{What: x.What, Severity: x.Severity.String(), Count: x.Count, Which: x.Which, AtMS: now.UnixMilli(), Link: n.link(x.Path)}
	for _, list := range [][]string{r.Hours, tree.Every} {
		for _, c := range list {
			if _, known := n.queues[c]; !known {
				continue
			}
			if err := n.enqueue(tx, name, c, 0, int(x.Severity), &m, now); err != nil { // in both lists: once, as its key is there
				return err
			}
		}
	}
	return nil
}
