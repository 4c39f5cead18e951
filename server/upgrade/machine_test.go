package upgrade

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// OP-4: whatever dpkg says of a package that it did not finish, it stays dpkg's; and while an update is under way what it has kept says which
// kind of machine this is. dpkg itself is in TestDebian.
func TestMachineHere(t *testing.T) {
	bin := t.TempDir()
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	write := func(path, text string, mode os.FileMode) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	// dpkg-query answers with status, error flag and version, each where it is asked for.
	says := func(status, flag string) {
		write(filepath.Join(bin, "dpkg-query"), "#!/bin/sh\ncase $2 in *Eflag*) echo '"+status+" "+flag+" 1' ;; *) printf %s '"+status+"' ;; esac\n", 0o755)
	}
	for _, c := range []struct {
		status, flag, kept, kind string
		whole                    bool
	}{
		{"installed", "ok", "", "deb", true},
		{"installed", "reinstreq", "", "deb", false},
		{"half-installed", "reinstreq", "", "deb", false},
		{"unpacked", "ok", "", "deb", false},
		{"half-configured", "ok", "", "deb", false},
		{"triggers-pending", "ok", "", "deb", false},
		{"not-installed", "ok", "", "tar.gz", false},
		{"config-files", "ok", "", "tar.gz", false},
		{"", "", "", "tar.gz", false},
		{"half-installed", "reinstreq", program + ".deb", "deb", false},
		{"not-installed", "ok", program + ".deb", "deb", false},
		{"installed", "ok", keptTar, "tar.gz", true},
	} {
		says(c.status, c.flag)
		dir := t.TempDir()
		if c.kept != "" {
			write(filepath.Join(dir, beforeDir, c.kept), "", 0o600)
			if MachineHere(t.Context(), dir).Kind() != MachineHere(t.Context(), t.TempDir()).Kind() {
				t.Errorf("%+v: what an update has left that is over says the kind", c)
			}
			write(filepath.Join(dir, stateFile), "{}", 0o600)
		}
		if got := MachineHere(t.Context(), dir).Kind(); got != c.kind {
			t.Errorf("%+v: a machine of kind %s", c, got)
		}
		if is, err := installed(t.Context()); err != nil || is.whole != c.whole {
			t.Errorf("%+v: %+v, %v", c, is, err)
		}
		if err := (Debian{}).Keep(t.Context(), t.TempDir()); !c.whole && (err == nil || !strings.Contains(err.Error(), "not whole")) {
			t.Errorf("%+v: kept: %v", c, err)
		}
	}
	write(filepath.Join(bin, "dpkg-query"), "#!/bin/sh\nexit 1\n", 0o755) // it does not know the package
	if HasPackage(t.Context()) || MachineHere(t.Context(), t.TempDir()).Kind() != "tar.gz" {
		t.Error("a package that dpkg does not know")
	}
}
