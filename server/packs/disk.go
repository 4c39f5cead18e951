package packs

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// freeBytes is what is free for the server on the disk of dir.
func freeBytes(dir string) (uint64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, fmt.Errorf("packs: free room of %s: %w", dir, err)
	}
	return st.Bavail * uint64(st.Bsize), nil
}

// room is ErrNoRoom when less than Reserve is free.
func (s *Spool) room() error {
	free, err := s.free(s.dir)
	if err == nil && free < Reserve {
		err = fmt.Errorf("%w: %d MiB are free where %s lies, %d MiB stay free for the log: make room", ErrNoRoom, free>>20, s.dir, Reserve>>20)
	}
	return err
}

// lookEach is after how many bytes a pack that grows looks whether there is room.
const lookEach = 16 << 20

// roomy is the file of a pack that ends with an error before it takes the log's room.
type roomy struct {
	s     *Spool
	f     *os.File
	until int // bytes to the next look
}

func (w *roomy) Write(p []byte) (int, error) {
	if w.until -= len(p); w.until < 0 {
		w.until = lookEach
		if err := w.s.room(); err != nil {
			return 0, err
		}
	}
	return w.f.Write(p)
}

// writeSynced writes a file and waits for the disk.
func writeSynced(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
