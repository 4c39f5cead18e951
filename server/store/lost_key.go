package store

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"monban/server/keystore"
)

// LostKey is a class and year that has openings and not the key they were encrypted with, though nothing says that it was destroyed.
type LostKey struct {
	keystore.Period
	First int64 // leaf of its first opening
	Why   error
}

// LostKeys tries the first opening of each class and year. So it finds a key that was taken out of the key store's file, also after another one of that class and
// year was made, and a whole file of before; a MAC in the file would say nothing of that one. What a leaf or the key store's list says was destroyed is none.
func (r Reader) LostKeys() (out []LostKey, err error) {
	list := r.keys.Disposals()
	for p := (keystore.Period{}); ; {
		var first int64
		err := r.row(`SELECT fiscal_year, class, idx FROM opening WHERE (fiscal_year, class) > (?, ?) ORDER BY fiscal_year, class, idx LIMIT 1`,
			p.FiscalYear, string(p.Class)).Scan(&p.FiscalYear, &p.Class, &first)
		if errors.Is(err, sql.ErrNoRows) {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read openings: %w", err)
		}
		if slices.ContainsFunc(list, func(d keystore.Disposal) bool { return d.Period() == p }) {
			continue
		}
		_, err = r.Opening(first)
		if err != nil && (errors.Is(err, ErrKeyMissing) || !errors.Is(err, ErrErased)) {
			out = append(out, LostKey{Period: p, First: first, Why: err})
		}
	}
}

// FindingTold reports whether there is a finding of the server of this kind and detail, closed or not.
func (r Reader) FindingTold(kind, detail string) (told bool, err error) {
	err = r.row(`SELECT EXISTS (SELECT 1 FROM finding WHERE kind = ? AND gateway = '' AND door = '' AND detail = ?)`, kind, detail).Scan(&told)
	if err != nil {
		err = fmt.Errorf("look for finding %s: %w", kind, err)
	}
	return told, err
}
