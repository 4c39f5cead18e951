package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// built makes packages of a stand-in for both programs.
func built(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	const self = "/bin/ls"
	if err := run([]string{"--version", "0~20261126.abc", "--epoch", "1795000000", "--out", dir, "server:amd64:" + self, "gateway:armhf:" + self}, io.Discard); err != nil {
		t.Fatal(err)
	}
	return dir
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// Whoever builds the packages from the same commit gets the same bytes, whenever and wherever.
func TestTwiceTheSame(t *testing.T) {
	one, two := built(t), built(t)
	names, err := filepath.Glob(one + "/*")
	if err != nil || len(names) != 4 {
		t.Fatalf("%v, %v", names, err)
	}
	for _, n := range names {
		if !bytes.Equal(read(t, n), read(t, filepath.Join(two, filepath.Base(n)))) {
			t.Errorf("%s differs when built again", filepath.Base(n))
		}
	}
}

// dpkg reads the package, every file belongs to root, nothing is anybody's to write, and the configuration is an example only.
func TestDebAsDpkgReadsIt(t *testing.T) {
	dir := built(t)
	deb := filepath.Join(dir, "monban-server_0~20261126.abc_amd64.deb")
	list, err := exec.Command("dpkg-deb", "-c", deb).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, list)
	}
	for line := range strings.Lines(string(list)) {
		f := strings.Fields(line)
		if f[1] != "root/root" || f[0][8] == 'w' || f[0][5] == 'w' {
			t.Errorf("owner or mode: %s", line)
		}
		if strings.HasPrefix(f[5], "./etc") || strings.HasPrefix(f[5], "./var") {
			t.Errorf("the package brings data or configuration: %s", line)
		}
	}
	for _, want := range []string{"./usr/bin/monban-server\n", "./usr/lib/systemd/system/monban-signer.service\n", "./usr/share/doc/monban-server/server.toml.example\n"} {
		if !strings.Contains(string(list), want) {
			t.Errorf("no %s in\n%s", want, list)
		}
	}
	info, err := exec.Command("dpkg-deb", "-f", deb).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, info)
	}
	for _, want := range []string{"Package: monban-server\n", "Version: 0~20261126.abc\n", "Architecture: amd64\n", "Recommends: weasyprint"} {
		if !strings.Contains(string(info), want) {
			t.Errorf("no %q in\n%s", want, info)
		}
	}
	into := t.TempDir()
	if out, err := exec.Command("dpkg-deb", "-R", deb, into).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, s := range []string{"postinst", "prerm", "postrm"} {
		if !bytes.Equal(read(t, filepath.Join(into, "DEBIAN", s)), read(t, "files/server."+s)) {
			t.Errorf("%s is not the one of the repository", s)
		}
	}
}

// The tar holds the same files as the .deb, and says what it needs.
func TestTar(t *testing.T) {
	z, err := gzip.NewReader(bytes.NewReader(read(t, filepath.Join(built(t), "monban-gateway_0~20261126.abc_armhf.tar.gz"))))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(io.LimitReader(r, 8192))
		if err != nil {
			t.Fatal(err)
		}
		found[h.Name] = string(text)
	}
	top := "monban-gateway-0~20261126.abc"
	if !strings.Contains(found[top+"/README"], "glibc") && !strings.Contains(found[top+"/README"], "no C library") {
		t.Errorf("README: %s", found[top+"/README"])
	}
	for _, f := range []string{"/usr/bin/monban-gateway", "/usr/lib/systemd/system/monban-gateway.service", "/usr/lib/udev/rules.d/60-monban-gateway.rules", "/usr/share/doc/monban-gateway/copyright"} {
		if found[top+f] == "" {
			t.Errorf("no %s", f)
		}
	}
}

// The oldest C library is read from the program and compared as numbers.
func TestOldestLibrary(t *testing.T) {
	if newer("2.4", "2.34") || !newer("2.34", "2.4") || !newer("2.2.5", "2.2") || newer("2.34", "2.34") {
		t.Error("versions are compared wrongly")
	}
	got, err := glibc("/bin/ls")
	if err != nil || !strings.HasPrefix(got, "2.") {
		t.Errorf("/bin/ls: %q, %v", got, err)
	}
}

func TestRefuses(t *testing.T) {
	for _, args := range [][]string{{}, {"--version", "1", "--epoch", "1", "--out", t.TempDir(), "server"}, {"--version", "1", "--epoch", "1", "--out", t.TempDir(), "server:armhf:/bin/ls"}} {
		if run(args, io.Discard) == nil {
			t.Errorf("%v was taken", args)
		}
	}
}
