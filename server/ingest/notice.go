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
	told, err := tx.FoundSince(string(f.Kind), f.Detail, n.AtMS) // of this absence: a watch that begins anew gives its notice again
	if err != nil || told {
		return err
	}
	return appendFinding(tx, f)
}
