package main

import (
	"archive/tar"
	"compress/gzip"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/goreleaser/nfpm/v2"
	"github.com/goreleaser/nfpm/v2/deb"
	"github.com/goreleaser/nfpm/v2/files"
)

// writeDeb writes p as a Debian package.
func writeDeb(w io.Writer, p Package) error {
	info := &nfpm.Info{
		Name: p.Name, Arch: p.Arch, Platform: "linux", Version: p.Version, VersionSchema: "none", Section: "admin", Priority: "optional",
		// No address: whoever hands the package on is asked first.
		Maintainer:  "monban <root@localhost>",
		Description: p.Summary + "\n" + p.Text, License: "Apache-2.0", MTime: p.Time, DisableGlobbing: true,
	}
	info.Depends, info.Recommends = p.Depends, p.Recommends
	info.Scripts = nfpm.Scripts{PostInstall: p.Scripts["postinst"], PreRemove: p.Scripts["prerm"], PostRemove: p.Scripts["postrm"]}
	info.Deb.Compression = "xz"
	for _, f := range p.Files {
		info.Contents = append(info.Contents, &files.Content{Source: f.Source, Destination: f.Path,
			FileInfo: &files.ContentFileInfo{Owner: "root", Group: "root", Mode: fs.FileMode(f.Mode), MTime: p.Time}})
	}
	info = nfpm.WithDefaults(info)
	if err := nfpm.PrepareForPackager(info, "deb"); err != nil {
		return err
	}
	return deb.Default.Package(info, w)
}

// writeTar writes p for a system without dpkg: the same files, with the scripts as text to follow.
func writeTar(w io.Writer, p Package) error {
	z, err := gzip.NewWriterLevel(w, gzip.BestCompression)
	if err != nil {
		return err
	}
	t := tar.NewWriter(z)
	top := p.Name + "-" + p.Version
	put := func(name string, mode uint32, data []byte) error {
		if err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: int64(mode), Size: int64(len(data)),
			ModTime: p.Time, Uname: "root", Gname: "root", Format: tar.FormatPAX}); err != nil {
			return err
		}
		_, err := t.Write(data)
		return err
	}
	if err := put(top+"/README", 0o644, []byte(readme(p))); err != nil {
		return err
	}
	for _, f := range p.Files {
		data, err := os.ReadFile(f.Source)
		if err != nil {
			return err
		}
		if err := put(top+f.Path, f.Mode, data); err != nil {
			return err
		}
	}
	if err := t.Close(); err != nil {
		return err
	}
	return z.Close()
}

// readme says how the tar is installed.
func readme(p Package) string {
	program := strings.TrimPrefix(p.Name, "monban-")
	needs := "It needs no C library: any Linux with this machine's processor."
	if p.GLIBC != "" {
		needs = "It needs glibc " + p.GLIBC + " or newer (ldd --version says which)."
	}
	return fmt.Sprintf(`%s %s for %s, for systems with systemd and without dpkg.

%s

As root, in this folder:

  cp -a --no-preserve=ownership usr /
  systemd-sysusers /usr/lib/sysusers.d/%[1]s.conf
  systemd-tmpfiles --create /usr/lib/tmpfiles.d/%[1]s.conf
  systemctl daemon-reload

Nothing runs yet. Begin with /usr/share/doc/%[1]s/%[5]s.toml.example, see operations.md beside it.
To remove it: systemctl disable --now the units, and delete the files that are listed here. Data stay in /var/lib.
`, p.Name, p.Version, p.Arch, needs, program)
}
