package directory

import (
	"embed"
	"fmt"
)

// The sample site is a small city hall: a server room with a PIN at its front door, a media store
// with two doors, ten people. The demo loads it and tests use it; its card numbers and PINs are
// public and must never be used at a real site.
//
//go:embed sample/*.csv
var sample embed.FS

// SampleFiles gives the sample site's files for Import; its dates are relative to the day of import,
// so ImportConfig.Relative must be set.
func SampleFiles() ([]File, error) {
	entries, err := sample.ReadDir("sample")
	if err != nil {
		return nil, fmt.Errorf("sample site: %w", err)
	}
	var files []File
	for _, e := range entries {
		data, err := sample.ReadFile("sample/" + e.Name())
		if err != nil {
			return nil, fmt.Errorf("sample site: %w", err)
		}
		kind, ok := KindOf(e.Name())
		if !ok {
			return nil, fmt.Errorf("sample site: BUG: %s is of no kind", e.Name())
		}
		files = append(files, File{Name: "sample/" + e.Name(), Kind: kind, Data: data})
	}
	return files, nil
}
