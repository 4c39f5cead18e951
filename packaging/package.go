package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// File is one file of a package, from where to where.
type File struct {
	Source string
	Path   string // in the system, absolute
	Mode   uint32
}

// Package is what goes into a .deb or a tar.
type Package struct {
	Name, Arch, Version string
	Time                time.Time // of every file
	Summary, Text       string
	Files               []File
	Depends, Recommends []string
	Scripts             map[string]string // postinst, prerm, postrm: files of the repository
	GLIBC               string            // oldest that the program runs on; empty when it needs none
}

// Deb is the file's name as Debian has it.
func (p *Package) Deb() string { return fmt.Sprintf("%s_%s_%s.deb", p.Name, p.Version, p.Arch) }

// Tar is the name of the tar for other systems.
func (p *Package) Tar() string { return fmt.Sprintf("%s_%s_%s.tar.gz", p.Name, p.Version, p.Arch) }

// arches are the machines of each program. armhf is built for ARMv6, which a Raspberry Pi 1 and Zero need.
var arches = map[string][]string{"server": {"amd64", "arm64"}, "gateway": {"amd64", "arm64", "armhf"}}

// describe lists what belongs to a program. binary is the built one; root the repository.
func describe(program, arch, binary, root string) (Package, error) {
	if !slices.Contains(arches[program], arch) {
		return Package{}, fmt.Errorf("no package of %q for %q", program, arch)
	}
	name := "monban-" + program
	p := Package{Name: name, Arch: arch, Scripts: map[string]string{}}
	own := filepath.Join(root, "packaging", "files")
	add := func(source, path string) { p.Files = append(p.Files, File{source, path, 0o644}) }
	doc := "/usr/share/doc/" + name + "/"
	p.Files = append(p.Files, File{binary, "/usr/bin/" + name, 0o755})
	add(filepath.Join(own, name+".service"), "/usr/lib/systemd/system/"+name+".service")
	add(filepath.Join(own, program+".sysusers"), "/usr/lib/sysusers.d/"+name+".conf")
	add(filepath.Join(own, program+".tmpfiles"), "/usr/lib/tmpfiles.d/"+name+".conf")
	add(filepath.Join(own, program+".toml"), doc+program+".toml.example")
	add(filepath.Join(root, "LICENSE"), doc+"copyright")
	for _, f := range []string{"operations.md", "operations.ja.md", "reference.md"} {
		add(filepath.Join(root, "docs", f), doc+f)
	}
	for _, s := range []string{"postinst", "prerm", "postrm"} {
		p.Scripts[s] = filepath.Join(own, program+"."+s)
	}
	p.Depends = []string{"systemd | systemd-standalone-sysusers", "systemd | systemd-standalone-tmpfiles"}
	switch program {
	case "server":
		add(filepath.Join(own, "monban-signer.service"), "/usr/lib/systemd/system/monban-signer.service")
		add(filepath.Join(own, "monban-update.service"), "/usr/lib/systemd/system/monban-update.service")
		p.Summary = "server of monban, access control and entry log for server rooms"
		p.Text = "Decides who may enter, keeps the entry log, serves the pages.\nInstalling it starts nothing: it begins with a configuration of yours."
		// Not needed: pages are printed from the browser. With these the server makes PDFs itself.
		p.Recommends = []string{"weasyprint", "fonts-morisawa-bizud-gothic", "fonts-noto-cjk", "fontconfig"}
	case "gateway":
		add(filepath.Join(own, "gateway.udev"), "/usr/lib/udev/rules.d/60-monban-gateway.rules")
		guide := "hardware/installation.md"
		add(filepath.Join(root, guide), doc+filepath.Base(guide))
		p.Summary = "gateway of monban, access control for server rooms"
		p.Text = "Reads cards, watches doors, drives locks, and keeps a record of it.\nInstalling it starts nothing: it begins with a configuration of yours."
	}
	var err error
	if p.GLIBC, err = glibc(binary); err != nil {
		return Package{}, err
	}
	if p.GLIBC != "" {
		p.Depends = append(p.Depends, "libc6 (>= "+p.GLIBC+")")
	}
	slices.SortFunc(p.Files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return p, nil
}
