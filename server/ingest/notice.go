package ingest

import (
	"monban/firmware/access"
	"monban/server/review"
)

// Notice logs what the watch over the people inside has found (VE-10, AD-10). Each time is told, also of a zone of which a finding is still
// open: that somebody was alone this morning does not say that somebody was alone in the afternoon. nowMS is the server's clock, UTC ms.
func (p *Pipeline) Notice(tx Tx, n access.Notice, nowMS int64) error {
	site := p.policies.Site()
	if site == nil {
		return ErrNoPolicy
	}
	var gw access.GatewayID
	var at access.DoorID // the zone's first door: where to go and look
	for _, id := range site.Policy.Doors() {
		d, _ := site.Policy.Door(id)
		if x := site.Door(id); d.EnterZone == n.Zone && x != nil {
			gw, at = x.Gateway, id
			break
		}
	}
	f, ok := review.FromNotice(n, gw, at)
	if !ok {
		return nil
	}
	// Of this absence: a transaction that failed though it was stored is run again. One that began before another that is told already, and is known only
	// now, out of late records, is told as well.
	told, err := tx.FoundAt(string(f.Kind), f.Detail, n.AtMS)
	if err != nil || told {
		return err
	}
	return appendFinding(tx, f)
}
