package store

import (
	"crypto/sha256"
	"database/sql"
	"fmt"
	"time"

	"monban/server/entrylog"
)

// cosigned is what a leaf says of the row of a cosignature.
type cosigned struct {
	witness, day, origin string
	size                 int64
	sum                  string // hex
}

func cosignedSum(vkey, note string) string {
	sum := sha256.Sum256([]byte(vkey + "\n" + note))
	return entrylog.HexText(sum[:])
}

func (x cosigned) key() string { return x.witness + "/" + x.day + "/" + x.origin }

// CommitCosignatures writes a leaf for each cosignature of a day before now's (UTC) that has none yet, and says how many. Rows are
// kept as they are from then on: one that comes later for that day is dropped.
func (tx *Tx) CommitCosignatures(now time.Time) (n int, err error) {
	rows, err := tx.query(`SELECT witness, day, origin, size, vkey, note FROM cosignature WHERE idx < 0 AND day < ? ORDER BY day, witness, origin`, now.UTC().Format(time.DateOnly))
	if err != nil {
		return 0, fmt.Errorf("commit cosignatures: %w", err)
	}
	defer rows.Close()
	var list []cosigned
	for rows.Next() {
		var x cosigned
		var vkey, note string
		if err := rows.Scan(&x.witness, &x.day, &x.origin, &x.size, &vkey, &note); err != nil {
			return 0, fmt.Errorf("commit cosignatures: %w", err)
		}
		x.sum = cosignedSum(vkey, note)
		list = append(list, x)
	}
	if err := rows.Err(); err != nil {
		return 0, fmt.Errorf("commit cosignatures: %w", err)
	}
	for _, x := range list {
		idx, err := tx.AppendSystem(entrylog.System{Name: entrylog.SystemCosigned, AtMS: now.UnixMilli(), Values: []string{x.witness, x.day, x.origin, fmt.Sprint(x.size), x.sum}}, nil)
		if err != nil {
			return 0, fmt.Errorf("commit cosignatures: %w", err)
		}
		if _, err := tx.exec(`UPDATE cosignature SET idx = ? WHERE witness = ? AND day = ? AND origin = ?`, idx, x.witness, x.day, x.origin); err != nil {
			return 0, fmt.Errorf("commit cosignatures: %w", err)
		}
	}
	return len(list), nil
}

// openCosigned opens the cursor over the rows to which leaves commit.
func (c *check) openCosigned() (err error) {
	c.cosigned, err = openCursor(c, `SELECT idx, witness, day, origin, size, vkey, note FROM (SELECT * FROM cosignature WHERE idx >= 0)`, `idx`,
		func(r *sql.Rows) (idx int64, x cosigned, err error) {
			var vkey, note string
			err = r.Scan(&idx, &x.witness, &x.day, &x.origin, &x.size, &vkey, &note)
			x.sum = cosignedSum(vkey, note)
			return
		}, c.at.Cosigned)
	return err
}

// cosignedRow compares the row with its leaf. The row's own signatures were looked at before (cosignedHeld).
func (c *check) cosignedRow(idx int64, y *entrylog.System) error {
	size, _ := y.Int("size")
	want := cosigned{y.Value("witness"), y.Value("day"), y.Value("origin"), size, y.Value("sum")}
	row, found, err := c.cosigned.take(idx, c.strayCosigned)
	switch {
	case err != nil:
		return err
	case !found:
		c.res.Add("cosignature", want.key(), "is missing: leaf %d says that this witness had cosigned %d leaves. Ask the witness for what it holds", idx, want.size)
	case row != want:
		c.res.Add("cosignature", want.key(), "is not what leaf %d says", idx)
	}
	return nil
}

func (c *check) strayCosigned(idx int64, x cosigned) {
	if !c.log.Gone(idx) {
		c.res.Add("cosignature", x.key(), "idx is %d, where no leaf commits to it", idx)
	}
}
