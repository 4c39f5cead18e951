package app

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"monban/firmware/update"
	"monban/server/bundle"
)

// releaser makes releases; one key has every role.
type releaser struct {
	t      *testing.T
	signer note.Signer
	first  []byte
	root   string // file of the root
}

const oneDay = 24 * 60 * 60

// untilDay is the beginning of a day so many days from now.
func untilDay(days int64) int64 { return (time.Now().Unix()/oneDay + days) * oneDay }

func newReleaser(t *testing.T) *releaser {
	t.Helper()
	private, public, err := note.GenerateKey(nil, "release")
	if err != nil {
		t.Fatal(err)
	}
	h := &releaser{t: t, root: filepath.Join(t.TempDir(), "release.root")}
	if h.signer, err = note.NewSigner(private); err != nil {
		t.Fatal(err)
	}
	one := update.Holders{Threshold: 1, Keys: []string{public}}
	h.first, err = bundle.MakeRoot(&update.Root{Number: 1, Expires: untilDay(3650),
		Holders: map[update.Role]update.Holders{update.RoleRoot: one, update.RoleRelease: one, update.RoleStamp: one}}, h.signer)
	if err == nil {
		err = os.WriteFile(h.root, h.first, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// makes is a release's folder with a program for gateways, or without one when program is empty.
func (h *releaser) makes(number int64, version, program string) string {
	h.t.Helper()
	dir := h.t.TempDir()
	files := map[string]string{"packages/other.deb": "not for gateways", "programs/other": "nor this"}
	if program != "" {
		files["programs/monban-gateway-amd64"], files["programs/monban-gateway-arm64"] = program, program+" arm64"
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			h.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			h.t.Fatal(err)
		}
	}
	_, err := bundle.Make(dir, bundle.Plan{Version: version, Number: number, Expires: untilDay(1000), Stamped: time.Now().Unix(), StampExpires: untilDay(300),
		Roots: [][]byte{h.first}, Release: []note.Signer{h.signer}, Stamp: h.signer})
	if err != nil {
		h.t.Fatal(err)
	}
	return dir
}
