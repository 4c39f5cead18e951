package store

import (
	"database/sql"
	"errors"
	"fmt"

	"monban/server/entrylog"
)

type chainKey struct {
	gateway string
	epoch   [16]byte
}

type chainState struct {
	watermark int64 // last seq without a gap before it, 0 = none
	hash      entrylog.Hash
	idx       int64 // leaf that moved it last
}

// chain gives where a gateway's chain stands inside this transaction; an unknown one stands at 0
// with the zero hash.
func (tx *Tx) chain(k chainKey) (chainState, error) {
	if c, ok := tx.chains[k]; ok {
		return c, nil
	}
	if c, ok := tx.s.chains[k]; ok {
		return c, nil
	}
	c, err := tx.Reader.chain(k)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return chainState{}, err
	}
	return c, nil
}

func (r Reader) chain(k chainKey) (chainState, error) {
	var c chainState
	var hash []byte
	err := r.row(`SELECT watermark, hash, idx FROM gateway_chain WHERE gateway = ? AND epoch = ?`, k.gateway, k.epoch[:]).
		Scan(&c.watermark, &hash, &c.idx)
	if errors.Is(err, sql.ErrNoRows) {
		return chainState{}, ErrNotFound
	}
	if err != nil {
		return chainState{}, fmt.Errorf("read chain of %s: %w", k.gateway, err)
	}
	copy(c.hash[:], hash)
	return c, nil
}

// flushChains writes the watermarks that moved: once per transaction, not once per record.
func (tx *Tx) flushChains() error {
	for k, c := range tx.chains {
		_, err := tx.exec(`INSERT INTO gateway_chain (gateway, epoch, watermark, hash, idx) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (gateway, epoch) DO UPDATE SET watermark = excluded.watermark, hash = excluded.hash, idx = excluded.idx`,
			k.gateway, k.epoch[:], c.watermark, c.hash[:], c.idx)
		if err != nil {
			return fmt.Errorf("move watermark of %s: %w", k.gateway, err)
		}
	}
	return nil
}

// Chain gives watermark and hash of a gateway's chain, 0 and the zero hash when there is none yet.
// Inside a transaction it includes what the transaction has appended.
func (tx *Tx) Chain(gateway string, epoch [16]byte) (watermark uint64, hash entrylog.Hash, err error) {
	c, err := tx.chain(chainKey{gateway: gateway, epoch: epoch})
	return uint64(c.watermark), c.hash, err
}

// Chain gives committed watermark and hash of a gateway's chain: what an ack is built from (I4).
func (r Reader) Chain(gateway string, epoch [16]byte) (watermark uint64, hash entrylog.Hash, err error) {
	c, err := r.chain(chainKey{gateway: gateway, epoch: epoch})
	if errors.Is(err, ErrNotFound) {
		err = nil
	}
	return uint64(c.watermark), c.hash, err
}

// RecordHash gives the chain hash and leaf of a logged record; ErrNotFound when it is not logged. A
// record that comes again is the same when its hash is.
func (r Reader) RecordHash(gateway string, epoch [16]byte, seq uint64) (hash entrylog.Hash, idx int64, err error) {
	var b []byte
	err = r.row(`SELECT hash, idx FROM record WHERE gateway = ? AND epoch = ? AND seq = ?`, gateway, epoch[:], int64(seq)).Scan(&b, &idx)
	if err != nil {
		return hash, 0, found(err)
	}
	copy(hash[:], b)
	return hash, idx, nil
}
