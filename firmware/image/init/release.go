package main

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// mostCopied bounds what is copied into memory of a release that nobody has checked yet.
const mostCopied = 96 << 20

// copyRelease copies the signed texts and the gateways' programs of a release on the card into a folder that the gateway's user may read.
func copyRelease(dir string) (string, error) {
	const to = "/data/update"
	if err := os.RemoveAll(to); err != nil {
		return "", err
	}
	left := int64(mostCopied)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if rel != "." && rel != "root" && rel != "programs" {
				return filepath.SkipDir
			}
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		}
		if !d.Type().IsRegular() || rel != "MANIFEST" && rel != "STAMP" && !strings.HasPrefix(rel, "root/") && rel != "programs/monban-gateway-arm64" {
			return nil
		}
		in, err := os.Open(path)
		if err != nil {
			return err
		}
		out, err := os.OpenFile(filepath.Join(to, rel), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return errors.Join(err, in.Close())
		}
		n, err := io.Copy(out, io.LimitReader(in, left+1))
		if left -= n; left < 0 {
			err = errors.Join(err, errors.New("the release on the card is too large"))
		}
		return errors.Join(err, in.Close(), out.Close())
	})
	if err != nil {
		return "", errors.Join(err, os.RemoveAll(to))
	}
	return to, nil
}
