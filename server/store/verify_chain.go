package store

import (
	"database/sql"
	"fmt"
	"math"

	"monban/firmware/wire"
	"monban/server/entrylog"
)

// recordPage is how many record rows of a chain are read at a time.
const recordPage = 512

type recordRow struct {
	seq  int64
	idx  int64
	hash entrylog.Hash // zero when the stored one has not 32 bytes
}

// chainCheck follows the chain of one outbox through the leaves and through table record.
type chainCheck struct {
	watermark int64
	hash      entrylog.Hash
	idx       int64

	page []recordRow // rows not yet met
	buf  []recordRow // what page is a part of
	done bool        // no rows after page
	from int64       // first seq not yet read
}

func chainName(k chainKey) string { return fmt.Sprintf("%s/%x", k.gateway, k.epoch) }

func recordName(k chainKey, seq int64) string { return fmt.Sprintf("%s/%d", chainName(k), seq) }

func (c *check) chainOf(k chainKey) *chainCheck {
	st := c.chains[k]
	if st == nil {
		st = &chainCheck{from: math.MinInt64}
		c.chains[k] = st
	}
	return st
}

// chainRecord checks the link of one record (I3) and its row (I2).
func (c *check) chainRecord(idx int64, r *entrylog.Record, b *wire.Record) error {
	k := chainKey{gateway: string(b.Gateway), epoch: b.Epoch}
	st := c.chainOf(k)
	seq := int64(b.Seq)
	if seq != st.watermark+1 {
		c.res.Add("log_leaf", key(idx), "record %d of %s follows on %d", seq, chainName(k), st.watermark)
	}
	if entrylog.Link(st.hash, r.Body) != r.Chain {
		c.res.Add("log_leaf", key(idx), "record %d of %s does not have the hash of its chain", seq, chainName(k))
	}
	st.watermark, st.hash, st.idx = seq, r.Chain, idx
	row, found, err := c.recordRow(k, st, seq)
	if err != nil {
		return err
	}
	switch {
	case !found:
		c.res.Add("record", recordName(k, seq), "is missing")
	case row.idx != idx:
		c.res.Add("record", recordName(k, seq), "idx is %d, the record is leaf %d", row.idx, idx)
	case row.hash != r.Chain:
		c.res.Add("record", recordName(k, seq), "hash is not the one of leaf %d", idx)
	}
	return nil
}

// chainGap moves a chain over records that are missing and will not come.
func (c *check) chainGap(idx int64, y *entrylog.System) {
	k := chainKey{gateway: y.Value("gateway")}
	var h entrylog.Hash
	seq, ok := y.Uint("seq")
	if !ok || !y.Hex("epoch", k.epoch[:]) || !y.Hex("h", h[:]) {
		c.res.Add("log_leaf", key(idx), "the gap is malformed")
		return
	}
	st := c.chainOf(k)
	if int64(seq) <= st.watermark {
		c.res.Add("log_leaf", key(idx), "gap up to %d of %s after %d", seq, chainName(k), st.watermark)
	}
	st.watermark, st.hash, st.idx = int64(seq), h, idx
}

// recordRow takes the row of seq from the chain's pages; rows before it follow from no leaf.
func (c *check) recordRow(k chainKey, st *chainCheck, seq int64) (recordRow, bool, error) {
	for {
		for len(st.page) > 0 && st.page[0].seq < seq {
			c.res.Add("record", recordName(k, st.page[0].seq), "follows from no leaf")
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

func (c *check) readPage(k chainKey, st *chainCheck) error {
	rows, err := c.tx.QueryContext(c.ctx, `SELECT gateway, epoch, seq, idx, hash FROM record WHERE gateway = ? AND epoch = ? AND seq >= ? ORDER BY seq LIMIT ?`,
		k.gateway, k.epoch[:], st.from, recordPage)
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
		if string(gateway) != k.gateway || string(epoch) != string(k.epoch[:]) {
			c.res.Add("record", fmt.Sprintf("%s/%x/%d", gateway, epoch, r.seq), "stands among the records of %s", chainName(k))
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
	for k, st := range c.chains {
		if _, _, err := c.recordRow(k, st, math.MaxInt64); err != nil {
			return err
		}
	}
	rows, err := c.tx.QueryContext(c.ctx, `SELECT gateway, epoch, watermark, hash, idx FROM gateway_chain`)
	if err != nil {
		return err
	}
	defer rows.Close()
	seen := map[chainKey]bool{}
	for rows.Next() {
		var k chainKey
		var epoch, hash []byte
		var watermark, idx int64
		if err := rows.Scan(&k.gateway, &epoch, &watermark, &hash, &idx); err != nil {
			return err
		}
		copy(k.epoch[:], epoch)
		name := fmt.Sprintf("%s/%x", k.gateway, epoch)
		st := c.chains[k]
		if st == nil || len(epoch) != len(k.epoch) {
			c.res.Add("gateway_chain", name, "follows from no leaf")
			continue
		}
		seen[k] = true
		if watermark != st.watermark || string(hash) != string(st.hash[:]) || idx != st.idx {
			c.res.Add("gateway_chain", name, "stands at %d by leaf %d, the leaves give %d by leaf %d, or its hash differs", watermark, idx, st.watermark, st.idx)
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for k := range c.chains {
		if !seen[k] {
			c.res.Add("gateway_chain", chainName(k), "is missing")
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
	var unknown []chainKey
	for rows.Next() {
		var k chainKey
		var epoch []byte
		if err := rows.Scan(&k.gateway, &epoch); err != nil {
			return err
		}
		copy(k.epoch[:], epoch)
		if len(epoch) != len(k.epoch) {
			c.res.Add("record", fmt.Sprintf("%s/%x", k.gateway, epoch), "epoch of %d bytes", len(epoch))
		} else if c.chains[k] == nil {
			unknown = append(unknown, k)
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, k := range unknown {
		if _, _, err := c.recordRow(k, &chainCheck{from: math.MinInt64}, math.MaxInt64); err != nil {
			return err
		}
	}
	return nil
}
