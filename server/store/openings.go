package store

import (
	"encoding/json"
	"errors"
	"fmt"

	"monban/server/entrylog"
	"monban/server/keystore"
)

// Opened is an opening, or why it cannot be read: ErrErased, or that it does not fit its leaf.
type Opened struct {
	Opening entrylog.Opening
	Err     error
}

// Openings decrypts the openings of many leaves at once, each as Opening does. A leaf that has none is left out.
func (r Reader) Openings(leaves []int64) (map[int64]Opened, error) {
	if len(leaves) == 0 {
		return nil, nil
	}
	list, err := json.Marshal(leaves)
	if err != nil {
		return nil, fmt.Errorf("read openings: %w", err)
	}
	rows, err := r.query(`SELECT o.idx, l.body, o.fiscal_year, o.class, o.row_key, o.ciphertext, o.person_ref
		FROM json_each(?) AS j CROSS JOIN opening AS o ON o.idx = j.value JOIN log_leaf AS l ON l.idx = o.idx`, string(list))
	if err != nil {
		return nil, fmt.Errorf("read openings: %w", err)
	}
	defer rows.Close()
	out := make(map[int64]Opened, len(leaves))
	for rows.Next() {
		var idx int64
		var s keystore.Sealed
		var body, ref []byte
		if err := rows.Scan(&idx, &body, &s.Period.FiscalYear, &s.Period.Class, &s.RowKey, &s.Ciphertext, &ref); err != nil {
			return nil, fmt.Errorf("read openings: %w", err)
		}
		s.PersonRef = ref
		o, _, _, err := r.open(idx, body, s)
		out[idx] = Opened{o, err}
	}
	return out, rows.Err()
}

// open decrypts what was read of an opening and holds it against its leaf.
func (r Reader) open(idx int64, body []byte, s keystore.Sealed) (o entrylog.Opening, raw []byte, salt [32]byte, err error) {
	commit, err := entrylog.CommitOf(body)
	if err != nil {
		return o, nil, salt, fmt.Errorf("leaf %d: %w: %w", idx, keystore.ErrDamaged, err)
	}
	o, raw, salt, err = r.keys.Open(commit, s)
	if errors.Is(err, keystore.ErrNoKey) {
		return o, nil, salt, r.whyNoKey(s.Period)
	}
	if err != nil {
		return o, nil, salt, fmt.Errorf("leaf %d: %w", idx, err)
	}
	return o, raw, salt, nil
}
