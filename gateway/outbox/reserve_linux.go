package outbox

import (
	"errors"
	"os"
	"syscall"
)

// reserve takes n bytes of disk for the file without changing its length, so that appends go on
// when everything else has filled the disk.
func reserve(name string, n int64) error {
	const keepSize = 1 // FALLOC_FL_KEEP_SIZE
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(syscall.Fallocate(int(f.Fd()), keepSize, 0, n), f.Sync(), f.Close())
}
