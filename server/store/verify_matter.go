package store

import (
	"slices"
	"strings"

	"monban/server/entrylog"
)

// matterCheck is what verify knows of matters while it reads the leaves: with the key store how each stands, without
// it only which leaves moved one.
type matterCheck struct {
	leaves map[int64]bool     // leaves that move a matter; true when the opening could be read
	want   map[string]*Matter // by id, from the openings
}

// matterLeaf takes an action leaf; o is its opening, nil when it was not or could not be read.
func (c *check) matterLeaf(idx int64, o *entrylog.Opening) {
	if c.log.Parsed().Kind != entrylog.KindAction || c.log.Parsed().Action.Target != MatterTarget || c.log.Parsed().Action.Result == "refused" {
		return
	}
	if c.matters.leaves == nil {
		c.matters = matterCheck{leaves: map[int64]bool{}, want: map[string]*Matter{}}
	}
	c.matters.leaves[idx] = o != nil
	if o == nil {
		return
	}
	t, err := parseMatterText(o)
	if err != nil {
		c.res.Add("log_leaf", key(idx), "%v", err)
		return
	}
	m := t.Matter()
	m.First, m.Idx = idx, idx
	if old := c.matters.want[m.ID]; old != nil {
		m.First = old.First
	}
	c.matters.want[m.ID] = &m
}

// finishMatters compares the rows with what the leaves give.
func (c *check) finishMatters() error {
	rows, err := c.tx.QueryContext(c.ctx, `SELECT `+matterColumns+` FROM matter ORDER BY id`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		m, err := scanMatter(rows.Scan)
		if err != nil {
			return err
		}
		read, moved := c.matters.leaves[m.Idx]
		_, began := c.matters.leaves[m.First]
		if !moved || !began && !c.log.Gone(m.First) || m.First > m.Idx {
			c.res.Add("matter", m.ID, "no leaf of a matter is number %d or %d", m.First, m.Idx)
			continue
		}
		if c.keys == nil {
			continue
		}
		want := c.matters.want[m.ID]
		delete(c.matters.want, m.ID)
		switch {
		case want == nil && read:
			c.res.Add("matter", m.ID, "follows from no leaf")
		case want == nil: // its openings were erased
		case want.Idx != m.Idx:
			c.res.Add("matter", m.ID, "stands at leaf %d, the newest of it is %d", m.Idx, want.Idx)
		default:
			c.compareMatter(&m, want)
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for id := range c.matters.want {
		c.res.Add("matter", id, "the row is missing")
	}
	return nil
}

func (c *check) compareMatter(m, want *Matter) {
	// Of a matter that began in a year whose key is gone, the first leaf that can be read is not its first.
	if read := c.matters.leaves[m.First] && !c.log.Gone(m.First); m.First != want.First && (read || m.First > want.First) {
		c.res.Add("matter", m.ID, "first_idx is %d, the leaves give %d", m.First, want.First)
	}
	if m.Kind != want.Kind || m.State != want.State || m.Open != want.Open || m.Zone != want.Zone || !slices.Equal(m.Doors, want.Doors) ||
		m.FromMS != want.FromMS || m.UntilMS != want.UntilMS {
		c.res.Add("matter", m.ID, "is not what leaf %d says (%s)", m.Idx, strings.Join([]string{want.Kind, want.State}, " "))
	}
}
