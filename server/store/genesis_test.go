package store

import (
	"context"
	"os"
	"testing"
)

// EV-1, I8: the first leaf, on which the rest is read, is no blind spot: whatever is done to it is a
// finding that names it, not a check that could not be carried out.
func TestChangedGenesisIsNamed(t *testing.T) {
	s, data := template(t)
	for name, change := range map[string]string{
		"deleted": `PRAGMA foreign_keys = off; DELETE FROM log_leaf WHERE idx = 0`,
		"moved":   `PRAGMA foreign_keys = off; UPDATE log_leaf SET idx = 1000000 WHERE idx = 0`,
		"origin":  `UPDATE log_leaf SET body = CAST(replace(CAST(body AS TEXT), '"zone"', '"zonf"') AS BLOB) WHERE idx = 0`,
		"garbage": `UPDATE log_leaf SET body = x'7b7d' WHERE idx = 0`,
		"hash":    `UPDATE log_leaf SET hashes = zeroblob(32) WHERE idx = 0`,
	} {
		t.Run(name, func(t *testing.T) {
			must(t, os.WriteFile(s.path, data, 0o600))
			db := rawDB(t, s.path)
			_, err := db.Exec(change)
			must(t, err)
			must(t, db.Close())
			res, err := VerifyFile(context.Background(), s.path, s.verifyOptions(false))
			if err != nil || !namesRow(res, "log_leaf", "0", "0") {
				t.Errorf("err %v, findings %v", err, firstOf(res))
			}
		})
	}
}
