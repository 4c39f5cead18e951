package store

import "monban/server/entrylog"

// met notes of the newest leaf what the page of plain words says.
func (c *check) met() {
	p := c.log.Parsed()
	if c.rep.FirstMS == 0 {
		c.rep.FirstMS = p.AtMS()
	}
	c.rep.LastMS = max(c.rep.LastMS, p.AtMS())
	if p.Kind == entrylog.KindRecord {
		c.rep.Records++
	}
}

// report completes what the page says once all leaves were met.
func (c *check) report() {
	r := c.rep
	next := c.log.Next()
	r.Head.To, r.Head.Size, r.Head.Log = next, next, next
	r.Sure, r.Signed = c.log.Sure(), c.log.Sure()
	r.Chains, r.Covered, r.Disposals = c.log.Chains(), c.log.Covered(), c.log.Disposals()
	r.Database.Cosigned, r.Stamps = c.log.HeldOwn(), c.log.HeldStamps()
	if c.keys == nil {
		r.Closed = c.openings
	}
}
