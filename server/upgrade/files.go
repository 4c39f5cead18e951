package upgrade

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
)

// mostProgram bounds what is unpacked, bytes.
const mostProgram = 512 << 20

// eachFile reads a package's tar, which was signed. name is the path below the package's top folder, without a leading slash.
func eachFile(pkg string, f func(name string, h *tar.Header, r io.Reader) error) error {
	in, err := os.Open(pkg)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }() // only read
	z, err := gzip.NewReader(in)
	if err != nil {
		return fmt.Errorf("%s: %w", pkg, err)
	}
	t := tar.NewReader(io.LimitReader(z, 2*mostProgram))
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", pkg, err)
		}
		_, name, ok := strings.Cut(path.Clean(h.Name), "/")
		if h.Typeflag != tar.TypeReg || !ok || !filepathLocal(name) {
			if h.Typeflag == tar.TypeDir {
				continue
			}
			return fmt.Errorf("%s: %q is no file of a package", pkg, h.Name)
		}
		if err := f(name, h, t); err != nil {
			return err
		}
	}
}

func filepathLocal(name string) bool {
	return name != "" && name != "." && !strings.HasPrefix(name, "/") && name != ".." && !strings.HasPrefix(name, "../")
}

// takeProgram unpacks the program alone.
func takeProgram(pkg, to string) error {
	found := false
	err := eachFile(pkg, func(name string, h *tar.Header, r io.Reader) error {
		if name != "usr/bin/"+program {
			return nil
		}
		found = true
		return writeNew(to, r, 0o755)
	})
	if err == nil && !found {
		err = fmt.Errorf("%s: holds no %s", pkg, program)
	}
	return err
}

// writeNew writes a new file durably.
func writeNew(to string, r io.Reader, mode os.FileMode) error {
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	n, err := io.Copy(out, io.LimitReader(r, mostProgram+1))
	if err == nil && n > mostProgram {
		err = fmt.Errorf("%s: has more than %d bytes", to, mostProgram)
	}
	return errors.Join(err, out.Chmod(mode), out.Sync(), out.Close())
}

// copyProgram copies a program that runs.
func copyProgram(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	return errors.Join(writeNew(to, in, 0o755), in.Close())
}

func sameBytes(a, b string) (bool, error) {
	x, err := sum(a)
	if err != nil {
		return false, err
	}
	y, err := sum(b)
	return bytes.Equal(x, y), err
}

func sum(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	h := sha256.New()
	_, err = io.Copy(h, f)
	return h.Sum(nil), errors.Join(err, f.Close())
}
