package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	gateway "monban/gateway/config"
	server "monban/server/config"
)

// The files that the packages install; the packages themselves are tested in their own module, `make packages`.
const packaged = "../packaging/files"

var exposure = regexp.MustCompile(`Overall exposure level for (\S+): ([0-9.]+)`)

// Each unit may do little: systemd's own judgement is at most 2.5 of 10.
func TestUnitsAreHardened(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed (package systemd)")
	}
	units, err := filepath.Glob(packaged + "/*.service")
	if err != nil || len(units) != 4 {
		t.Fatalf("units: %v, %v", units, err)
	}
	for _, u := range units {
		if filepath.Base(u) == "monban-update.service" {
			continue // root for some seconds, and only after a power cut during an update: it runs dpkg (ADR 0075)
		}
		out, err := exec.Command(analyze, "security", "--offline=true", "--no-pager", "--threshold=25", u).CombinedOutput()
		m := exposure.FindSubmatch(out)
		if m == nil {
			t.Errorf("%s: %v: %s", u, err, out)
			continue
		}
		if level, _ := strconv.ParseFloat(string(m[2]), 64); err != nil || level > 2.5 {
			t.Errorf("%s: exposure %s is over 2.5 (%v)", u, m[2], err)
		}
		text, err := os.ReadFile(u)
		if err != nil {
			t.Fatal(err)
		}
		program := strings.TrimSuffix(filepath.Base(u), ".service")
		config, user := "/etc/monban/server.toml", program
		switch program {
		case "monban-server":
			user = "monban"
		case "monban-gateway":
			config = "/etc/monban/gateway.toml"
		}
		// A package that was just installed starts nothing, and each program has a user of its own (D18).
		for _, line := range []string{"ConditionPathExists=" + config, "User=" + user} {
			if !strings.Contains(string(text), line+"\n") {
				t.Errorf("%s: has no line %s", u, line)
			}
		}
	}
}

// The example configurations are read as strictly as a real one, and name the folders that the units let their users write.
func TestExampleConfigurations(t *testing.T) {
	if _, err := server.Load(packaged + "/server.toml"); err != nil {
		t.Fatal(err)
	}
	// And with the lines that wait for `signer split`.
	text, err := os.ReadFile(packaged + "/server.toml")
	if err != nil {
		t.Fatal(err)
	}
	s, err := server.Parse("server.toml", regexp.MustCompile(`(?m)^#([a-z\[])`).ReplaceAll(text, []byte("$1")))
	if err != nil {
		t.Fatal(err)
	}
	g, err := gateway.Load(packaged + "/gateway.toml")
	if err != nil {
		t.Fatal(err)
	}
	for dir, unit := range map[string]string{s.DataDir: "monban-server", s.Signer.KeysDir: "monban-signer", g.DataDir: "monban-gateway", g.IdentityDir: "monban-gateway"} {
		text, err := os.ReadFile(filepath.Join(packaged, unit+".service"))
		if err != nil {
			t.Fatal(err)
		}
		_, state, _ := strings.Cut(string(text), "\nStateDirectory=")
		state, _, _ = strings.Cut(state, "\n")
		if dir != "/var/lib/"+state && !strings.HasPrefix(dir, "/var/lib/"+state+"/") {
			t.Errorf("%s.service may write /var/lib/%s, and the example uses %s", unit, state, dir)
		}
	}
	if g.Site != s.Site {
		t.Errorf("the examples are of two sites: %q, %q", s.Site, g.Site)
	}
}

// What maintainer scripts must never do: start or enable anything, or delete data.
func TestMaintainerScripts(t *testing.T) {
	var scripts []string
	for _, kind := range []string{"postinst", "prerm", "postrm"} {
		s, err := filepath.Glob(packaged + "/*." + kind)
		if err != nil {
			t.Fatal(err)
		}
		scripts = append(scripts, s...)
	}
	if len(scripts) != 6 {
		t.Fatalf("scripts: %v", scripts)
	}
	never := regexp.MustCompile(`systemctl (start|enable|restart|reload-or)|\brm\b|userdel|deluser|rmdir|unlink`)
	for _, s := range scripts {
		data, err := os.ReadFile(s)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			if !strings.HasPrefix(line, "#") && never.MatchString(line) {
				t.Errorf("%s: %s", s, strings.TrimSpace(line))
			}
		}
		if out, err := exec.Command("sh", "-n", s).CombinedOutput(); err != nil {
			t.Errorf("%s: %s", s, out)
		}
	}
}

// I1, OP-4: a newer package never restarts a gateway that runs, which may be in the middle of somebody's passage: it says how. Nor does it when the
// gateway does not run, or at the first time.
func TestPackageKeepsTheGatewayRunning(t *testing.T) {
	text, err := os.ReadFile(packaged + "/gateway.postinst")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	script := strings.ReplaceAll(string(text), "[ -d /run/systemd/system ]", "[ -d "+dir+" ]")
	for _, tool := range []string{"systemctl", "systemd-sysusers", "systemd-tmpfiles"} {
		if err := os.WriteFile(filepath.Join(dir, tool), []byte("#!/bin/sh\necho \"$*\" >>"+dir+"/asked\nexit ${RUNS:-0}\n"), 0o755); err != nil { //nolint:gosec // a program
			t.Fatal(err)
		}
	}
	for _, x := range []struct {
		args, runs string
		said       bool
	}{{"configure 1.0", "0", true}, {"configure", "0", false}} {
		if err := os.RemoveAll(filepath.Join(dir, "asked")); err != nil {
			t.Fatal(err)
		}
		c := exec.Command("/bin/sh", append([]string{"-c", script, "postinst"}, strings.Fields(x.args)...)...)
		c.Env = []string{"PATH=" + dir + ":/usr/bin:/bin", "RUNS=" + x.runs}
		out, err := c.CombinedOutput()
		asked, readErr := os.ReadFile(filepath.Join(dir, "asked"))
		if err != nil || readErr != nil || !strings.Contains(string(asked), "daemon-reload") {
			t.Fatalf("%s: %v, %v: %s", x.args, err, readErr, out)
		}
		if strings.Contains(string(asked), "start") || strings.Contains(string(asked), "kill") {
			t.Errorf("%s: asked the service manager: %s", x.args, asked)
		}
		if strings.Contains(string(out), "systemctl try-restart monban-gateway") != x.said {
			t.Errorf("%s: said %s", x.args, out)
		}
	}
}

// OP-2: whoever works at the wires as the gateway's user has the groups that its unit has.
func TestGatewayUserHasTheUnitsGroups(t *testing.T) {
	unit, err := os.ReadFile(packaged + "/monban-gateway.service")
	if err != nil {
		t.Fatal(err)
	}
	users, err := os.ReadFile(packaged + "/gateway.sysusers")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^SupplementaryGroups=(.+)$`).FindSubmatch(unit)
	if m == nil {
		t.Fatal("the unit has no groups")
	}
	for g := range strings.FieldsSeq(string(m[1])) {
		for _, line := range []string{"g " + g + " ", "m monban-gateway " + g + "\n"} {
			if !strings.Contains(string(users), "\n"+line) {
				t.Errorf("gateway.sysusers has no line %q", line)
			}
		}
	}
}

// OP-4, I4: after a power cut in the middle of an update the program of before puts it right, not the new one, which may be the broken one. Where nothing
// was kept the installed program does it, and it is the unit's condition that keeps it from running each time.
func TestUpdateUnitRunsTheProgramOfBefore(t *testing.T) {
	text, err := os.ReadFile(packaged + "/monban-update.service")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^ExecStart=/bin/sh -c '([^'%\\]*)'$`).FindSubmatch(text)
	if m == nil || !strings.Contains(string(text), "\nConditionPathExists=/var/lib/monban-update/state\n") {
		t.Fatalf("the unit: %s", text)
	}
	if strings.Contains(strings.ReplaceAll(string(m[1]), "$$", ""), "$") {
		t.Errorf("systemd would put a variable of its own in %s", m[1])
	}
	dir := t.TempDir()
	script := strings.ReplaceAll(string(m[1]), "$$", "$")
	for _, path := range []string{"/var/lib/monban-update/before", "/usr/bin"} {
		if !strings.Contains(script, path+"/monban-server") {
			t.Fatalf("%s does not run one of %s", script, path)
		}
		script = strings.ReplaceAll(script, path+"/", dir+path+"/")
		if err := os.MkdirAll(dir+path, 0o755); err != nil {
			t.Fatal(err)
		}
		program := "#!/bin/sh\necho \"" + filepath.Base(path) + " $*\"\n"
		if err := os.WriteFile(dir+path+"/monban-server", []byte(program), 0o755); err != nil { //nolint:gosec // a program
			t.Fatal(err)
		}
	}
	for _, want := range []string{"before", "bin"} {
		out, err := exec.Command("/bin/sh", "-c", script).CombinedOutput()
		if err != nil || string(out) != want+" update resume --boot --config /etc/monban/server.toml\n" {
			t.Errorf("ran %q, %v; want the one in %s", out, err, want)
		}
		if err := os.RemoveAll(dir + "/var/lib/monban-update/before"); err != nil {
			t.Fatal(err)
		}
	}
}
