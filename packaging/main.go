// Command packaging makes monban's packages from built programs: .deb files for server and gateway, and tar files for other Linux systems.
// Built twice from the same commit they are the same bytes. It is a module of its own, so that neither program's list of modules grows.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "packaging:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	if len(args) > 0 && args[0] == "papers" {
		return papers(args[1:], out)
	}
	fs := flag.NewFlagSet("packaging", flag.ContinueOnError)
	version := fs.String("version", "", "version of the packages, as Debian orders them")
	epoch := fs.Int64("epoch", 0, "seconds since 1970 that all times in the packages have: SOURCE_DATE_EPOCH, of the commit")
	root := fs.String("root", "..", "the repository")
	dir := fs.String("out", "", "folder of the packages")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if *version == "" || *epoch <= 0 || *dir == "" || fs.NArg() == 0 {
		return fmt.Errorf("usage: packaging --version V --epoch SECONDS --out DIR PROGRAM:ARCH:FILE…, where PROGRAM is server or gateway and ARCH one of Debian's")
	}
	if err := os.MkdirAll(*dir, 0o755); err != nil {
		return err
	}
	for _, arg := range fs.Args() {
		part := strings.SplitN(arg, ":", 3)
		if len(part) != 3 {
			return fmt.Errorf("%q is not PROGRAM:ARCH:FILE", arg)
		}
		p, err := describe(part[0], part[1], part[2], *root)
		if err != nil {
			return err
		}
		p.Version, p.Time = *version, time.Unix(*epoch, 0).UTC()
		for _, w := range []struct {
			name  string
			write func(io.Writer, Package) error
		}{{p.Deb(), writeDeb}, {p.Tar(), writeTar}} {
			if err := create(filepath.Join(*dir, w.name), func(f io.Writer) error { return w.write(f, p) }); err != nil {
				return err
			}
			fmt.Fprintln(out, filepath.Join(*dir, w.name))
		}
	}
	return nil
}

// create writes a file whole or not at all.
func create(path string, write func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // gone when all went well
	err = write(f)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err2 := f.Close(); err == nil {
		err = err2
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
