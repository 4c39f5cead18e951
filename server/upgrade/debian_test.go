package upgrade

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// inside says that this process runs in a copy of the system that ends with it.
const inside = "MONBAN_DPKG_INSIDE"

// OP-4: with dpkg itself: the installed package is packed again from its files, a newer one goes in, and the one before comes back as dpkg's
// own, with its scripts and units. It runs on a copy of this system in namespaces of its own (root; MONBAN_DPKG=1, `make update-dpkg`).
func TestDebian(t *testing.T) {
	if os.Getenv(inside) != "" {
		debianInside(t)
		return
	}
	if os.Getenv("MONBAN_DPKG") == "" {
		t.Skip("MONBAN_DPKG is not set (make update-dpkg)")
	}
	script := `set -e
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
mount -t proc proc "$1/root/proc"
mount --bind /dev "$1/root/dev"
exec chroot "$1/root" "$2" -test.run '^TestDebian$' -test.v`
	c := exec.CommandContext(t.Context(), "unshare", "--mount", "--pid", "--net", "--fork", "--kill-child", "sh", "-c", script, "sh", t.TempDir(), os.Args[0])
	c.Env = append(os.Environ(), inside+"=1", "TMPDIR=/tmp")
	out, err := c.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestDebian") {
		t.Fatalf("%v: %s", err, out)
	}
}

func debianInside(t *testing.T) {
	log := "/var/tmp/monban-systemctl"
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.WriteFile("/usr/local/bin/systemctl", []byte("#!/bin/sh\necho \"$*\" >>"+log+"\n"), 0o755)) //nolint:gosec // a program
	make1 := func(version string) string {
		dir := t.TempDir()
		for name, text := range map[string]string{
			"DEBIAN/control":     "Package: monban-server\nVersion: " + version + "\nArchitecture: all\nMaintainer: nobody <root@localhost>\nDescription: for a test\n of updates\n",
			"DEBIAN/postinst":    "#!/bin/sh\necho configured " + version + " >>/var/tmp/monban-postinst\n",
			"usr/bin/" + program: "#!/bin/sh\necho " + version + "\n",
			"usr/lib/systemd/system/monban-server.service": "[Unit]\nDescription=" + version + "\n",
		} {
			must(os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755))
			must(os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755)) //nolint:gosec // scripts
		}
		pkg := filepath.Join(t.TempDir(), "p.deb")
		_, err := command(t.Context(), "dpkg-deb", "--root-owner-group", "-b", dir, pkg)
		must(err)
		return pkg
	}
	has := func(version string) {
		t.Helper()
		out, err := AsOwner{"/"}.Run(t.Context(), Debian{}.Program())
		must(err)
		said, err := command(t.Context(), "dpkg-query", "-W", "-f=${Version} ${db:Status-Abbrev}", program)
		must(err)
		data, err := os.ReadFile("/usr/lib/systemd/system/monban-server.service")
		must(err)
		if string(out) != version+"\n" || strings.TrimSpace(string(said)) != version+" ii" || !strings.Contains(string(data), "="+version+"\n") {
			t.Fatalf("runs %q, dpkg says %q, unit %q; want %s", out, said, data, version)
		}
	}
	ctx := context.WithoutCancel(t.Context())
	if HasPackage(ctx) {
		t.Fatal("a package is there already")
	}
	must(Debian{}.Install(ctx, make1("0~1.a")))
	if !HasPackage(ctx) {
		t.Fatal("dpkg does not know the package")
	}
	has("0~1.a")
	// On hold, as somebody does who wants no surprises from apt: it is a whole package all the same.
	hold := func(word string) {
		t.Helper()
		_, err := command(ctx, "sh", "-c", "echo '"+program+" "+word+"' | dpkg --set-selections")
		must(err)
	}
	before := t.TempDir()
	hold("hold")
	must(Debian{}.Keep(ctx, before))
	must(copyProgram(Debian{}.Program(), filepath.Join(before, program)))
	if same, err := (Debian{}).Kept(ctx, before); err != nil || !same || !HasPackage(ctx) {
		t.Errorf("a package on hold: kept %t, %v", same, err)
	}
	must(Debian{}.Install(ctx, make1("0~1.b")))
	must(Debian{}.PutBack(ctx, before))
	hold("install")
	has("0~1.a")
	must(Debian{}.Stop(ctx))
	must(Debian{}.Install(ctx, make1("0~2.b")))
	has("0~2.b")
	for range 2 { // a second time as after a power cut
		must(Debian{}.PutBack(ctx, before))
		has("0~1.a")
	}
	// The machine goes down while dpkg unpacks: the package is half installed then, and dpkg alone can put it right (found by scripts/update-drill).
	broken := make1("0~3.c")
	tree := filepath.Join(t.TempDir(), "tree")
	_, err := command(ctx, "dpkg-deb", "-R", broken, tree)
	must(err)
	must(os.WriteFile(filepath.Join(tree, "DEBIAN", "preinst"), []byte("#!/bin/sh\nkill -9 $PPID\n"), 0o755)) //nolint:gosec // a program
	_, err = command(ctx, "dpkg-deb", "--root-owner-group", "-b", tree, broken)
	must(err)
	dir := t.TempDir()
	must(os.Rename(before, filepath.Join(dir, beforeDir)))
	must(os.WriteFile(filepath.Join(dir, stateFile), nil, 0o600))
	if err := (Debian{}).Install(ctx, broken); err == nil {
		t.Fatal("dpkg was not killed")
	}
	if said, err := command(ctx, "dpkg-query", "-W", "-f=${db:Status-Abbrev}", program); err != nil || strings.TrimSpace(string(said)) == "ii" {
		t.Fatalf("dpkg says %q (%v) of a package that it was killed over", said, err)
	}
	if !HasPackage(ctx) {
		t.Error("a half installed package is none")
	}
	if err := (Debian{}).Keep(ctx, t.TempDir()); err == nil || !strings.Contains(err.Error(), "not whole") {
		t.Errorf("a half installed package is kept: %v", err)
	}
	m := MachineHere(ctx, dir)
	if m.Kind() != "deb" {
		t.Fatalf("a machine of kind %s", m.Kind())
	}
	if same, err := m.Kept(ctx, filepath.Join(dir, beforeDir)); err != nil || same {
		t.Errorf("a half installed package counts as kept: %t, %v", same, err)
	}
	must(m.PutBack(ctx, filepath.Join(dir, beforeDir)))
	has("0~1.a")
	must(Debian{}.Start(ctx))
	scripts, err := os.ReadFile("/var/tmp/monban-postinst")
	must(err)
	if got := strings.Fields(string(scripts)); len(got) < 10 || got[len(got)-1] != "0~1.a" {
		t.Errorf("scripts: %q", scripts)
	}
	calls, err := os.ReadFile(log)
	must(err)
	for _, want := range []string{"stop monban-server.service", "daemon-reload", "try-restart --no-block monban-signer.service", "start --no-block monban-server.service"} {
		if !strings.Contains(string(calls), want+"\n") {
			t.Errorf("systemd was not told to %s: %s", want, calls)
		}
	}
}
