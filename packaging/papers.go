package main

import (
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"time"
)

// papers writes what goes with the packages in a bundle: manual, licences, and the list of what each program is made of.
func papers(args []string, out io.Writer) error {
	fs := flag.NewFlagSet("papers", flag.ContinueOnError)
	version := fs.String("version", "", "version of the packages")
	epoch := fs.Int64("epoch", 0, "seconds since 1970 in the lists")
	root := fs.String("root", "..", "the repository")
	cache := fs.String("modcache", "", "Go's module cache (go env GOMODCACHE), where the licences are")
	goroot := fs.String("goroot", "", "Go's own folder (go env GOROOT), with the licence of its library")
	dir := fs.String("out", "", "folder of the bundle")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if *version == "" || *epoch <= 0 || *dir == "" || *cache == "" || *goroot == "" || fs.NArg() == 0 {
		return fmt.Errorf("usage: packaging papers --version V --epoch SECONDS --modcache DIR --goroot DIR --out DIR PROGRAM…")
	}
	for _, binary := range fs.Args() {
		b, err := contents(binary, *version, time.Unix(*epoch, 0).UTC())
		if err != nil {
			return err
		}
		name := filepath.Base(binary)
		err = put(filepath.Join(*dir, "sbom", "README"), []byte("What each program is made of, as CycloneDX 1.5: read from the programs themselves, as `go version -m` does.\n"))
		if err == nil {
			err = create(filepath.Join(*dir, "sbom", name+".cdx.json"), b.write)
		}
		if err == nil {
			err = licences(b, *cache, *goroot, filepath.Join(*dir, "licences"))
		}
		if err != nil {
			return err
		}
	}
	if err := manual(*root, filepath.Join(*dir, "manual")); err != nil {
		return err
	}
	_, err := fmt.Fprintln(out, filepath.Join(*dir, "manual"))
	return err
}
