package web

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"
)

// assetVersion is a hash of all static files: part of their addresses, so that a new release is
// seen at once and an old one may be cached for a year.
func assetVersion(fsys fs.FS) (string, error) {
	sum := sha256.New()
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		fmt.Fprintf(sum, "%s %d\n", name, len(b))
		sum.Write(b)
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("static files: %w", err)
	}
	return hex.EncodeToString(sum.Sum(nil)[:6]), nil
}

// staticTypes is the whole list of what is served, with types that do not depend on the machine.
var staticTypes = map[string]string{
	".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
}

func (h *Handler) getStatic(w http.ResponseWriter, rq *request) error {
	name := rq.PathValue("file")
	kind := staticTypes[path.Ext(name)]
	if kind == "" || !fs.ValidPath(name) {
		return ErrNotFound
	}
	b, err := fs.ReadFile(h.statics, name)
	if err != nil {
		return ErrNotFound
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "no-cache")
	if rq.URL.Query().Get("v") == h.assets {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	http.ServeContent(w, rq.Request, name, time.Time{}, strings.NewReader(string(b)))
	return nil
}
