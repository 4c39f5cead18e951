package store

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"monban/server/keystore"
)

// LostKey is a class and year with openings that the key of the key store does not open, though nothing says that it was destroyed.
type LostKey struct {
	keystore.Period
	Leaf  int64 // of the opening that was tried
	Alone bool  // the next one opens: it is this row that is damaged, and no key is lost
	Why   error
}

// LostKeys tries the first and the newest opening of each class and year. So it finds a key that was taken out of the key store's file, also after another one of
// that class and year was made, and a whole file of before; a MAC in the file would say nothing of that one. What a leaf or the key store's list says was destroyed
// is none. Those that are lost come first, then single rows.
func (r Reader) LostKeys() (out []LostKey, err error) {
	list := r.keys.Disposals()
	var rows []LostKey
	for p := (keystore.Period{}); ; {
		err := r.row(`SELECT fiscal_year, class FROM opening WHERE (fiscal_year, class) > (?, ?) ORDER BY fiscal_year, class LIMIT 1`,
			p.FiscalYear, string(p.Class)).Scan(&p.FiscalYear, &p.Class)
		if errors.Is(err, sql.ErrNoRows) {
			return append(out, rows...), nil
		}
		if err != nil {
			return nil, fmt.Errorf("read openings: %w", err)
		}
		if slices.ContainsFunc(list, func(d keystore.Disposal) bool { return d.Period() == p }) {
			continue
		}
		for _, order := range []string{"ASC", "DESC"} {
			x, err := r.lostAt(p, order)
			if err != nil {
				return nil, err
			}
			if x == nil {
				continue
			}
			if !x.Alone {
				out = append(out, *x)
				break
			}
			if len(rows) == 0 || rows[len(rows)-1].Leaf != x.Leaf { // it is not the year's only one
				rows = append(rows, *x)
			}
		}
	}
}

// lostAt tries the opening at one end of a class and year; nil = it opens, or was erased. One that does not decrypt may be a damaged row as well as one under another
// key: the one beside it tells.
func (r Reader) lostAt(p keystore.Period, order string) (*LostKey, error) {
	ends, err := r.openingsAt(p, order)
	if err != nil {
		return nil, err
	}
	var x *LostKey
	for _, leaf := range ends {
		_, err := r.Opening(leaf)
		switch {
		case errors.Is(err, ErrKeyMissing):
			return &LostKey{Period: p, Leaf: leaf, Why: err}, nil
		case err == nil, errors.Is(err, ErrErased):
			return x, nil
		case !errors.Is(err, keystore.ErrDamaged) && !errors.Is(err, ErrNotFound): // of the database: it says nothing of keys
			return nil, err
		case x != nil:
			x.Alone = false
			return x, nil
		}
		x = &LostKey{Period: p, Leaf: leaf, Alone: true, Why: err}
	}
	return x, nil
}

// openingsAt gives the two leaves with openings at one end of a class and year.
func (r Reader) openingsAt(p keystore.Period, order string) (out []int64, err error) {
	rows, err := r.query(`SELECT idx FROM opening WHERE fiscal_year = ? AND class = ? ORDER BY idx `+order+` LIMIT 2`, p.FiscalYear, string(p.Class))
	if err != nil {
		return nil, fmt.Errorf("read openings: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var leaf int64
		if err := rows.Scan(&leaf); err != nil {
			return nil, fmt.Errorf("read openings: %w", err)
		}
		out = append(out, leaf)
	}
	return out, rows.Err()
}
