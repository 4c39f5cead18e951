package store

import (
	"database/sql"
	"errors"

	"monban/server/entrylog"
)

// openActs opens the cursors over the rows that only repeat an action leaf.
func (c *check) openActs() (err error) {
	if c.days, err = openCursor(c, `SELECT idx, zone, day, kind, upto, account, at_ms FROM day_act`, `idx`, scanDayAct, c.at.Days); err != nil {
		return err
	}
	if c.cases, err = openCursor(c, `SELECT idx, finding, kind, account, at_ms FROM finding_act`, `idx`, scanFindingAct, c.at.Cases); err != nil {
		return err
	}
	if err = errors.Join(c.openCosigned(), c.openStamps()); err != nil {
		return err
	}
	c.zoneActs, err = openCursor(c, `SELECT idx, at_ms FROM zone_act`, `idx`,
		func(r *sql.Rows) (idx, at int64, err error) { err = r.Scan(&idx, &at); return }, c.at.ZoneActs)
	return err
}

// actRows compares those rows with their leaf.
func (c *check) actRows(idx int64, l *entrylog.Action) error {
	if want, ok := dayAct(idx, l); ok {
		row, found, err := c.days.take(idx, c.strayDay)
		switch {
		case err != nil:
			return err
		case !found:
			c.res.Add("day_act", key(idx), "is missing")
		case row != want:
			c.res.Add("day_act", key(idx), "is not what the leaf says")
		}
	}
	if want, ok := findingAct(idx, l); ok {
		row, found, err := c.cases.take(idx, c.strayCase)
		switch {
		case err != nil:
			return err
		case !found:
			c.res.Add("finding_act", key(idx), "is missing")
		case row != want:
			c.res.Add("finding_act", key(idx), "is not what the leaf says")
		}
	}
	if target, ok := zoneActTargets[l.Verb]; ok && target == l.Target && l.Result != "refused" {
		at, found, err := c.zoneActs.take(idx, c.strayZoneAct)
		switch {
		case err != nil:
			return err
		case !found:
			c.res.Add("zone_act", key(idx), "is missing")
		case at != l.AtMS:
			c.res.Add("zone_act", key(idx), "is not what the leaf says")
		}
	}
	return c.stampRow(idx, l)
}

func (c *check) strayCase(idx int64, _ FindingAct) {
	c.res.Add("finding_act", key(idx), "follows from no leaf")
}
func (c *check) strayDay(idx int64, _ DayAct) { c.res.Add("day_act", key(idx), "follows from no leaf") }
func (c *check) strayZoneAct(idx int64, _ int64) {
	c.res.Add("zone_act", key(idx), "follows from no leaf")
}
