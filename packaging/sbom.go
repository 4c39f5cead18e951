package main

import (
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"golang.org/x/mod/module"
)

// component is one piece of a program, as CycloneDX 1.5 has it.
type component struct {
	Type    string `json:"type"`
	Name    string `json:"name"`
	Version string `json:"version"`
	PURL    string `json:"purl,omitempty"`
}

// bom is the list of what a program is made of.
type bom struct {
	Format   string `json:"bomFormat"`
	Spec     string `json:"specVersion"`
	Version  int    `json:"version"`
	Metadata struct {
		Timestamp string    `json:"timestamp"`
		Component component `json:"component"`
	} `json:"metadata"`
	Components []component `json:"components"`
}

// contents reads from a built program which modules are linked into it, as `go version -m` does.
func contents(binary, version string, at time.Time) (bom, error) {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return bom{}, fmt.Errorf("%s: %w", binary, err)
	}
	b := bom{Format: "CycloneDX", Spec: "1.5", Version: 1}
	b.Metadata.Timestamp = at.Format(time.RFC3339)
	b.Metadata.Component = component{Type: "application", Name: filepath.Base(info.Path), Version: version}
	goVersion := strings.TrimPrefix(strings.Fields(info.GoVersion)[0], "go")
	b.Components = append(b.Components, component{"library", "std", goVersion, "pkg:golang/std@" + goVersion})
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		b.Components = append(b.Components, component{"library", m.Path, m.Version, "pkg:golang/" + m.Path + "@" + strings.ReplaceAll(m.Version, "+", "%2B")})
	}
	return b, nil
}

func (b bom) write(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(b)
}

var licenceName = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|patents|copyright)([._-].*)?$`)

// licences copies the licence of every component into dir, one folder each. A component without one is an error: it may not be passed on.
func licences(b bom, cache, goroot, dir string) error {
	for _, c := range b.Components {
		from := goroot
		if c.Name != "std" {
			path, err := module.EscapePath(c.Name)
			if err != nil {
				return err
			}
			version, err := module.EscapeVersion(c.Version)
			if err != nil {
				return err
			}
			from = filepath.Join(cache, filepath.FromSlash(path)+"@"+version)
		}
		entries, err := os.ReadDir(from)
		if err != nil {
			return fmt.Errorf("licence of %s %s: %w", c.Name, c.Version, err)
		}
		found := false
		for _, e := range entries {
			if e.IsDir() || !licenceName.MatchString(e.Name()) || e.Type()&fs.ModeSymlink != 0 {
				continue
			}
			data, err := os.ReadFile(filepath.Join(from, e.Name()))
			if err == nil {
				err = put(filepath.Join(dir, filepath.FromSlash(c.Name)+"@"+c.Version, e.Name()), data)
			}
			if err != nil {
				return err
			}
			found = true
		}
		if !found {
			return fmt.Errorf("%s %s has no licence file", c.Name, c.Version)
		}
	}
	return nil
}

// put writes a file and the folders above it.
func put(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o644)
}
