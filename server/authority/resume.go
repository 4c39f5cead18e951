package authority

import (
	"monban/firmware/access"
	"monban/firmware/door"
	"monban/server/attempt"
	"monban/server/policypub"
	"monban/server/review"
	"monban/server/store"
)

// resume tells the watch since when outsiders are without an escort and where somebody was left alone, as the log says
// it: a restart begins no grace anew (VE-10) and loses no warning (AD-10). mu is held.
func (p *Places) resume(past Past, rows []attempt.Row) error {
	site := p.policies.Site()
	if site == nil {
		return nil
	}
	for _, zone := range p.watch.Unescorted() {
		since, err := p.unescortedSince(past, site, zone)
		if err != nil {
			return err
		}
		if since == 0 {
			continue // nobody is known by whose entry it began: it begins now
		}
		z, _ := site.Policy.Zone(zone)
		told, err := past.FoundSince(string(review.EscortLeft), string(zone), since+z.EscortGraceMS)
		if err != nil {
			return err
		}
		p.watch.Resume(zone, since, told)
	}
	for _, zone := range p.watch.Few() {
		left := p.lastLeft(site, rows, zone)
		if left == 0 {
			continue // the last one to move came in: the second may still follow
		}
		told, err := past.FoundSince(string(review.LeftAlone), string(zone), left)
		if err != nil {
			return err
		}
		if !told {
			p.watch.LeftAlone(zone, left)
		}
	}
	return nil
}

// walk bounds the passages of one person that are read at once.
const walk = 16

// unescortedSince is when the last escort left a zone in which there are outsiders, or when the first of these came, if
// that was later. mu is held.
func (p *Places) unescortedSince(past Past, site *policypub.Current, zone access.ZoneID) (int64, error) {
	since := int64(0)
	for _, person := range site.Policy.Outsiders(p.st, zone) {
		if at := p.last[person].ms; since == 0 || at < since {
			since = at
		}
	}
	if since == 0 {
		return 0, nil
	}
	for _, person := range site.Policy.Escorts() {
		left := p.last[person].ms // by a passage, or by an officer's word
		for left > since {
			rows, err := past.PassedBefore(person, left+1, walk)
			if err != nil {
				return 0, err
			}
			in, more := p.wasWithin(site, rows, zone, &left)
			was := in != nil
			if was {
				if left, err = takenOut(past, person, ledInto(site, in), in.PassedMS, left); err != nil {
					return 0, err
				}
				since = max(since, left)
			}
			if was || !more || len(rows) < walk {
				break
			}
		}
	}
	return since, nil
}

// takenOut is when somebody who went into a zone left it: at untilMS, by their next passage, or before by an officer's word that they are
// outside, or that the zone is empty (AD-9, AD-10).
func takenOut(past Past, person string, zone access.ZoneID, fromMS, untilMS int64) (int64, error) {
	acts, err := past.ZoneActs(fromMS)
	if err != nil {
		return 0, err
	}
	for _, a := range acts {
		if a.AtMS < fromMS || a.AtMS >= untilMS {
			continue
		}
		if a.Kind == store.ActForgiven && a.Subject == person || a.Kind == store.ActZoneReset && a.Subject == string(zone) {
			untilMS = a.AtMS
		}
	}
	return untilMS, nil
}

// wasWithin goes back over a person's passages, the newest last, until one that led into the zone, which it gives; left becomes the time
// of the movement after it. more is false when nothing older can matter. mu is held.
func (p *Places) wasWithin(site *policypub.Current, rows []attempt.Row, zone access.ZoneID, left *int64) (in *attempt.Row, more bool) {
	for i := len(rows) - 1; i >= 0; i-- {
		r := &rows[i]
		if site.Policy.Within(ledInto(site, r), zone) {
			return r, false
		}
		if r.PassedMS < *left {
			more = true
		}
		*left = r.PassedMS
	}
	return nil, more
}

// ledInto is the zone that a passage led into, "" = outside or a door that there is no more.
func ledInto(site *policypub.Current, r *attempt.Row) access.ZoneID {
	d, _ := site.Policy.Door(access.DoorID(r.Door))
	if r.Passage == string(door.EventExit) {
		return d.ExitZone
	}
	return d.EnterZone
}

// lastLeft is when the last movement at a zone was, if somebody left by it; 0 if it was an entry, or there was none. mu is held.
func (p *Places) lastLeft(site *policypub.Current, rows []attempt.Row, zone access.ZoneID) int64 {
	left, came := int64(0), int64(0)
	for i := range rows {
		r := &rows[i]
		switch d, _ := site.Policy.Door(access.DoorID(r.Door)); {
		case site.Policy.Within(ledInto(site, r), zone):
			came = max(came, r.PassedMS)
		case r.Passage == string(door.EventExit) && site.Policy.Within(d.EnterZone, zone):
			left = max(left, r.PassedMS)
		}
	}
	if left < came {
		return 0
	}
	return left
}
