package ingest

import (
	"monban/firmware/access"
	"monban/server/review"
)

// Notice logs what the watch over the people inside has found (VE-10, AD-10), unless an open finding
// says the same of the zone. nowMS is the server's clock, UTC ms.
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
	open, err := tx.OpenFinding(string(f.Kind), string(gw), string(at), f.Detail)
	if err != nil || open {
		return err
	}
	return appendFinding(tx, f)
}
