package store

import (
	"database/sql"
	"fmt"
	"math"

	"monban/firmware/wire"
	"monban/server/entrylog"
	"monban/server/logcheck"
)

// recordPage is how many record rows of a chain are read at a time.
const recordPage = 512

type recordRow struct {
	seq  int64
	idx  int64
	hash entrylog.Hash // zero when the stored one has not 32 bytes
}

// chainRows follows the rows of one chain in table record.
type chainRows struct {
	page []recordRow // rows not yet met
	buf  []recordRow // what page is a part of
	done bool        // no rows after page
	from int64       // first seq not yet read
}

func (c *check) rowsOfChain(k logcheck.ChainKey) *chainRows {
	st := c.records[k]
	if st == nil {
		st = &chainRows{from: math.MinInt64}
		c.records[k] = st
	}
	return st
}

// recordLeaf compares the row of one record with its leaf (I2); its link is checked already.
func (c *check) recordLeaf(idx int64, r *entrylog.Record, b *wire.Record) error {
	k := logcheck.ChainKey{Gateway: string(b.Gateway), Epoch: b.Epoch}
	seq := int64(b.Seq)
	row, found, err := c.recordRow(k, c.rowsOfChain(k), seq)
	if err != nil {
		return err
	}
	switch {
	case !found:
		c.res.Add("record", k.Record(seq), "is missing")
	case row.idx != idx:
		c.res.Add("record", k.Record(seq), "idx is %d, the record is leaf %d", row.idx, idx)
	case row.hash != r.Chain:
		c.res.Add("record", k.Record(seq), "hash is not the one of leaf %d", idx)
	}
	return nil
}

// recordRow takes the row of seq from the chain's pages; rows before it follow from no leaf.
func (c *check) recordRow(k logcheck.ChainKey, st *chainRows, seq int64) (recordRow, bool, error) {
	for {
		for len(st.page) > 0 && st.page[0].seq < seq {
			c.res.Add("record", k.Record(st.page[0].seq), "follows from no leaf")
			st.page = st.page[1:]
		}
		if len(st.page) > 0 {
			if st.page[0].seq != seq {
				return recordRow{}, false, nil
			}
			row := st.page[0]
			st.page = st.page[1:]
			return row, true, nil
		}
		if st.done {
			return recordRow{}, false, nil
		}
		if err := c.readPage(k, st); err != nil {
			return recordRow{}, false, err
		}
	}
}

func (c *check) readPage(k logcheck.ChainKey, st *chainRows) error {
	rows, err := c.tx.QueryContext(c.ctx, `SELECT gateway, epoch, seq, idx, hash FROM record WHERE gateway = ? AND epoch = ? AND seq >= ? ORDER BY seq LIMIT ?`,
		k.Gateway, k.Epoch[:], st.from, recordPage)
	if err != nil {
		return err
	}
	defer rows.Close()
	st.buf = st.buf[:0] // the page is used up
	var gateway, epoch, hash sql.RawBytes
	for rows.Next() {
		var r recordRow
		if err := rows.Scan(&gateway, &epoch, &r.seq, &r.idx, &hash); err != nil {
			return err
		}
		// A range scan does not look at the key of every row it gives: a damaged one stays in its place.
		if string(gateway) != k.Gateway || string(epoch) != string(k.Epoch[:]) {
			c.res.Add("record", fmt.Sprintf("%s/%x/%d", gateway, epoch, r.seq), "stands among the records of %s", k)
		}
		if len(hash) == len(r.hash) {
			copy(r.hash[:], hash)
		}
		st.buf = append(st.buf, r)
		st.from = r.seq + 1
	}
	st.page = st.buf
	st.done = len(st.page) < recordPage
	return rows.Err()
}

// finishChains compares watermarks, and names rows of chains that no leaf speaks of.
func (c *check) finishChains() error {
	for k, st := range c.records {
		if _, _, err := c.recordRow(k, st, math.MaxInt64); err != nil {
			return err
		}
	}
	rows, err := c.tx.QueryContext(c.ctx, `SELECT gateway, epoch, watermark, hash, idx FROM gateway_chain`)
	if err != nil {
		return err
	}
	defer rows.Close()
	seen := map[logcheck.ChainKey]bool{}
	for rows.Next() {
		var k logcheck.ChainKey
		var epoch, hash []byte
		var watermark, idx int64
		if err := rows.Scan(&k.Gateway, &epoch, &watermark, &hash, &idx); err != nil {
			return err
		}
		copy(k.Epoch[:], epoch)
		name := fmt.Sprintf("%s/%x", k.Gateway, epoch)
		st := c.log.Chains()[k]
		if st == nil || len(epoch) != len(k.Epoch) {
			c.res.Add("gateway_chain", name, "follows from no leaf")
			continue
		}
		seen[k] = true
		if watermark != st.Watermark || string(hash) != string(st.Hash[:]) || idx != st.Idx {
			c.res.Add("gateway_chain", name, "stands at %d by leaf %d, the leaves give %d by leaf %d, or its hash differs", watermark, idx, st.Watermark, st.Idx)
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for k := range c.log.Chains() {
		if !seen[k] {
			c.res.Add("gateway_chain", k.String(), "is missing")
		}
	}
	return c.strayRecords()
}

// strayRecords names record rows of unknown chains, found by jumping from chain to chain.
func (c *check) strayRecords() error {
	rows, err := c.tx.QueryContext(c.ctx, `SELECT DISTINCT gateway, epoch FROM record`)
	if err != nil {
		return err
	}
	defer rows.Close()
	var unknown []logcheck.ChainKey
	for rows.Next() {
		var k logcheck.ChainKey
		var epoch []byte
		if err := rows.Scan(&k.Gateway, &epoch); err != nil {
			return err
		}
		copy(k.Epoch[:], epoch)
		if len(epoch) != len(k.Epoch) {
			c.res.Add("record", fmt.Sprintf("%s/%x", k.Gateway, epoch), "epoch of %d bytes", len(epoch))
		} else if c.log.Chains()[k] == nil {
			unknown = append(unknown, k)
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, k := range unknown {
		if _, _, err := c.recordRow(k, &chainRows{from: math.MinInt64}, math.MaxInt64); err != nil {
			return err
		}
	}
	return nil
}
