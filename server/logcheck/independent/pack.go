package independent

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// CheckPack checks a pack of one key: each file against MANIFEST, MANIFEST against the leaf that holds its hash, that leaf's proof, and every
// proof of a record in it. A bundle in it is a part of a log: of those files the hash alone is looked at. It gives how many proofs hold.
func CheckPack(r io.ReaderAt, size int64, vkey string) (proofs int, err error) {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return 0, err
	}
	files := map[string][]byte{}
	for _, f := range z.File {
		in, err := f.Open()
		if err != nil {
			return 0, err
		}
		data, err := io.ReadAll(in)
		if err := errors.Join(err, in.Close()); err != nil {
			return 0, err
		}
		if _, twice := files[f.Name]; twice {
			return 0, fmt.Errorf("%s stands there twice", f.Name)
		}
		files[f.Name] = data
	}
	list := files["MANIFEST"]
	lines := bytes.Split(list, []byte("\n"))
	if len(lines) < 5 || string(lines[0]) != "monban-pack 1" || len(lines[len(lines)-1]) != 0 {
		return 0, errors.New("no MANIFEST of a pack")
	}
	for _, line := range lines[4 : len(lines)-1] {
		part := strings.SplitN(string(line), " ", 3)
		if len(part) != 3 {
			return 0, errors.New("a line of MANIFEST that names no file")
		}
		data, ok := files[part[2]]
		if !ok || fmt.Sprintf("%x %d", sha256.Sum256(data), len(data)) != part[0]+" "+part[1] {
			return 0, fmt.Errorf("%s is missing or changed", part[2])
		}
		if strings.HasSuffix(part[2], ".tlog-proof") {
			if _, err := CheckProof(string(data), vkey); err != nil {
				return 0, fmt.Errorf("%s: %w", part[2], err)
			}
			proofs++
		}
		delete(files, part[2])
	}
	leaf, err := CheckProof(string(files["MANIFEST.tlog-proof"]), vkey)
	if err != nil {
		return 0, fmt.Errorf("the leaf of MANIFEST: %w", err)
	}
	var says struct{ Verb, Target, ID string }
	if err := json.Unmarshal(leaf, &says); err != nil || says.Verb != "pack_exported" || says.Target != "pack" || says.ID != fmt.Sprintf("%x", sha256.Sum256(list)) {
		return 0, fmt.Errorf("the leaf is not one of this MANIFEST: %s", leaf)
	}
	if delete(files, "MANIFEST"); len(files) != 1 {
		return 0, errors.New("a file that MANIFEST does not name")
	}
	return proofs, nil
}
