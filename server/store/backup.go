package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/mattn/go-sqlite3"
)

// Backup copies the database at path into the new file out while a server may be writing to it: one
// read transaction, so the copy is the database as it was committed at one moment, and it is on the disk
// when Backup returns. Nothing of the original is changed. After an error no file is left.
func Backup(ctx context.Context, path, out string) error {
	if err := backup(ctx, path, out); err != nil {
		return fmt.Errorf("backup of %s: %w", path, oneLine(err))
	}
	return nil
}

func backup(ctx context.Context, path, out string) (err error) {
	if _, err := os.Stat(path); err != nil { // opening would make one
		return err
	}
	f, err := os.OpenFile(out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(out))
		}
	}()
	db := openPool(path, true, 1)
	defer db.Close() // read-only
	c, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.Raw(func(from any) error { return copyPages(ctx, from.(*sqlite3.SQLiteConn), out) }); err != nil {
		return err
	}
	if f, err = os.OpenFile(out, os.O_RDWR, 0o600); err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(out))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// copyPages copies all pages in one step: with more steps every commit in between would begin it anew.
func copyPages(ctx context.Context, from *sqlite3.SQLiteConn, out string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	opened, err := (&sqlite3.SQLiteDriver{}).Open(out)
	if err != nil {
		return err
	}
	to := opened.(*sqlite3.SQLiteConn)
	b, err := to.Backup("main", from, "main")
	if err != nil {
		return errors.Join(err, to.Close())
	}
	done, err := b.Step(-1)
	if err == nil && !done {
		err = errors.New("the copy is not complete")
	}
	return errors.Join(err, b.Finish(), to.Close())
}
