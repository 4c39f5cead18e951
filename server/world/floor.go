package world

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// roundTrip is floor (a): one 256-byte message over loopback TCP and back.
type roundTrip struct {
	conn net.Conn
	done chan struct{}
	buf  [256]byte
}

func newRoundTrip(ctx context.Context) (*roundTrip, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the TCP floor: %w", err)
	}
	r := &roundTrip{done: make(chan struct{})}
	go func() { // owned by this roundTrip, ends when its connection is closed
		defer close(r.done)
		defer l.Close()
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		var b [256]byte
		for {
			if _, err := io.ReadFull(c, b[:]); err != nil {
				return
			}
			if _, err := c.Write(b[:]); err != nil {
				return
			}
		}
	}()
	if r.conn, err = (&net.Dialer{}).DialContext(ctx, "tcp", l.Addr().String()); err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("dial for the TCP floor: %w", err)
	}
	return r, nil
}

// once measures one round trip.
func (r *roundTrip) once() (time.Duration, error) {
	start := time.Now()
	if _, err := r.conn.Write(r.buf[:]); err != nil {
		return 0, fmt.Errorf("TCP floor: %w", err)
	}
	if _, err := io.ReadFull(r.conn, r.buf[:]); err != nil {
		return 0, fmt.Errorf("TCP floor: %w", err)
	}
	return time.Since(start), nil
}

func (r *roundTrip) Close() error {
	err := r.conn.Close()
	<-r.done
	return err
}

// dataSync is floor (b): overwrite 4 KiB and fdatasync, on the disk that holds the database.
type dataSync struct {
	f   *os.File
	buf [4096]byte
}

func newDataSync(dir string) (*dataSync, error) {
	f, err := os.CreateTemp(dir, "fdatasync-*")
	if err != nil {
		return nil, fmt.Errorf("file for the fdatasync floor: %w", err)
	}
	d := &dataSync{f: f}
	if _, err := f.Write(make([]byte, 1<<20)); err != nil {
		return nil, fmt.Errorf("file for the fdatasync floor: %w", err)
	}
	if err := f.Sync(); err != nil {
		return nil, fmt.Errorf("file for the fdatasync floor: %w", err)
	}
	return d, nil
}

// once measures one overwrite with fdatasync.
func (d *dataSync) once() (time.Duration, error) {
	d.buf[0]++
	start := time.Now()
	if _, err := d.f.WriteAt(d.buf[:], 0); err != nil {
		return 0, fmt.Errorf("fdatasync floor: %w", err)
	}
	if err := unix.Fdatasync(int(d.f.Fd())); err != nil {
		return 0, fmt.Errorf("fdatasync floor: %w", err)
	}
	return time.Since(start), nil
}

func (d *dataSync) Close() error {
	name := d.f.Name()
	err := d.f.Close()
	if rm := os.Remove(name); err == nil {
		err = rm
	}
	return err
}

// probe times a fixed amount of hashing: when it varies, the machine was noisy.
func probe() time.Duration {
	var b [4096]byte
	start := time.Now()
	for range 256 {
		sum := sha256.Sum256(b[:])
		copy(b[:], sum[:])
	}
	return time.Since(start)
}
