// Package broken plants known faults in the product, one at a time, and demands that a test fails.
// A suite that cannot find a planted fault proves nothing (ADR 0022). It holds only tests.
package broken

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

const root = ".."

// testTime bounds one run of go test, compiling included.
const testTime = 4 * time.Minute

type fault struct {
	name, file, breaks, pkg, run string
	source, old, now             string
}

func load(t *testing.T) []fault {
	t.Helper()
	paths, err := filepath.Glob("faults/*.txt")
	if err != nil || len(paths) < 25 {
		t.Fatalf("faults/: %d planted faults, want at least 25: %v", len(paths), err)
	}
	form := regexp.MustCompile(`(?s)^file (\S+)\nbreaks ([^\n]+)\ntest \./(\S+) (\S+)\n--- old\n(.+)\n--- new\n(.*)\n$`)
	var all []fault
	for _, p := range paths {
		text, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		m := form.FindStringSubmatch(string(text))
		if m == nil {
			t.Fatalf("%s: not of the form file, breaks, test, old, new: see CONTRIBUTING.md", p)
		}
		source, err := os.ReadFile(filepath.Join(root, m[1]))
		if err != nil {
			t.Fatalf("%s: %v", p, err)
		}
		if n := strings.Count(string(source), m[5]); n != 1 {
			t.Errorf("%s: its old text occurs %d times in %s, want once: bring the fault up to date", p, n, m[1])
		}
		name := strings.TrimSuffix(filepath.Base(p), ".txt")
		all = append(all, fault{name, m[1], m[2], m[3], m[4], string(source), m[5], m[6]})
	}
	return all
}

// TestFaultsAreCurrent: no planted fault rots: its text is there once, and every alternative of its
// pattern names a test.
func TestFaultsAreCurrent(t *testing.T) {
	decl := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	for _, f := range load(t) {
		files, _ := filepath.Glob(filepath.Join(root, f.pkg, "*_test.go"))
		var names []string
		for _, p := range files {
			text, err := os.ReadFile(p)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range decl.FindAllStringSubmatch(string(text), -1) {
				names = append(names, m[1])
			}
		}
		for alt := range strings.SplitSeq(f.run, "|") {
			name, _, _ := strings.Cut(alt, "/") // of a subtest the test
			re, err := regexp.Compile(name)
			if err != nil {
				t.Fatalf("%s: %v", f.name, err)
			}
			found := false
			for _, n := range names {
				found = found || re.MatchString(n)
			}
			if !found {
				t.Errorf("%s: no test of %s matches %q", f.name, f.pkg, alt)
			}
		}
	}
}

// dropNewExamples gives the function that removes what rapid has saved since: an example that fails
// under a planted fault is no regression of the product.
func dropNewExamples(t *testing.T, pkg string) func() {
	pattern := filepath.Join(root, pkg, "testdata", "rapid", "*", "*.fail")
	before, _ := filepath.Glob(pattern)
	return func() {
		after, _ := filepath.Glob(pattern)
		for _, p := range after {
			if !slices.Contains(before, p) {
				if err := os.Remove(p); err != nil {
					t.Error(err)
				}
			}
		}
	}
}

// build makes the test program of a package of the product as it is: it is linked once for all faults of the package.
func build(t *testing.T, pkg, to string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "test", "-c", "-vet=off", "-ldflags=-w", "-o", to, "./"+pkg)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", pkg, err, out)
	}
}

// onProduct runs the tests of a fault on the product as it is; it returns whether they passed, and what was printed.
func onProduct(t *testing.T, f fault, program string) (bool, string) {
	t.Helper()
	return tests(t, f, filepath.Join(root, f.pkg), program, "-test.v", "-test.short", "-test.run", f.run)
}

// onFault runs them on the product with another file in the place of one.
func onFault(t *testing.T, f fault, overlay string) (bool, string) {
	t.Helper()
	return tests(t, f, root, "go", "test", "-v", "-vet=off", "-ldflags=-w", "-short", "-count=1", "-run", f.run, "-overlay", overlay, "./"+f.pkg)
}

func tests(t *testing.T, f fault, dir, program string, args ...string) (bool, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testTime)
	defer cancel()
	defer dropNewExamples(t, f.pkg)()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	// A file that is not synced, or whose folder is not, survives most cuts. Policy cache and site keys get one cut in ten,
	// and about one in thirty of those tells.
	cuts := "MONBAN_CUTS=200"
	if strings.HasSuffix(f.run, "/keys") || strings.HasSuffix(f.run, "/policycache") {
		cuts = "MONBAN_CUTS=1500"
	}
	cmd.Env = append(os.Environ(), cuts)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if ctx.Err() != nil || err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s: the tests did not end by themselves: %v\n%s", f.name, err, out)
	}
	return err == nil, string(out)
}

// leastFaults is how many a run has to plant (ADR 0022, D33).
const leastFaults = 35

// share is all of them, or of n parts the one with number i, from 0 on: "i/n". Neighbours in the order of names go to different parts, so that each has some of
// every package that has as many.
func share(all []fault, part string) (out []fault, err error) {
	i, n := 0, 1
	if part != "all" {
		if k, err := fmt.Sscanf(part, "%d/%d", &i, &n); k != 2 || err != nil || n < 1 || i < 0 || i >= n {
			return nil, fmt.Errorf("MONBAN_BROKEN is %q, want all, or the part i of n as i/n with 0 ≤ i < n", part)
		}
	}
	for k, f := range all {
		if k%n == i {
			out = append(out, f)
		}
	}
	if len(out) < leastFaults {
		return nil, fmt.Errorf("MONBAN_BROKEN is %q: %d faults, at least %d are planted in a run", part, len(out), leastFaults)
	}
	return out, nil
}

// ADR 0090: each fault is in one part, and nothing that is no part takes the place of all.
func TestShare(t *testing.T) {
	all := load(t)
	seen := map[string]int{}
	for i := range 4 {
		part, err := share(all, fmt.Sprintf("%d/4", i))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range part {
			seen[f.name]++
		}
	}
	for _, f := range all {
		if seen[f.name] != 1 {
			t.Errorf("%s is in %d parts of four", f.name, seen[f.name])
		}
	}
	if whole, err := share(all, "all"); err != nil || len(whole) != len(all) {
		t.Errorf("%d of %d, %v", len(whole), len(all), err)
	}
	for _, bad := range []string{"", "1", "4/4", "-1/4", "1/0", "0/9", "x/3", "/"} {
		if part, err := share(all, bad); err == nil {
			t.Errorf("%q: %d faults", bad, len(part))
		}
	}
}

// TestBrokenBuilds (make broken): the tests pass on the product and fail on each broken build. A build
// that does not compile has shown nothing and counts as a failure.
func TestBrokenBuilds(t *testing.T) {
	part := os.Getenv("MONBAN_BROKEN")
	if part == "" {
		t.Skip("run make broken")
	}
	all, err := share(load(t), part)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(os.Stderr, "%d faults (%s)\n", len(all), part)
	// Packages go side by side, the faults of one package after each other: what rapid saves of one must not fail another.
	byPackage := map[string][]fault{}
	for _, f := range all {
		byPackage[f.pkg] = append(byPackage[f.pkg], f)
	}
	for pkg, faults := range byPackage {
		t.Run(pkg, func(t *testing.T) {
			t.Parallel()
			program := filepath.Join(t.TempDir(), "product.test")
			build(t, pkg, program)
			plantAll(t, program, faults)
		})
	}
}

// plantAll plants the faults of one package, one after the other; program runs its tests on the product as it is.
func plantAll(t *testing.T, program string, faults []fault) {
	failing := regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)
	sound := map[string]bool{}
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			if key := f.pkg + " " + f.run; !sound[key] {
				ok, out := onProduct(t, f, program)
				if !ok || strings.Contains(out, "no tests to run") {
					t.Fatalf("the tests do not pass on the product itself:\n%s", out)
				}
				if strings.Contains(out, "NOT TESTED") { // power cuts need root and loop devices
					fmt.Fprintf(os.Stderr, "NOT TESTED: %s: %s\n", f.name, key)
					t.Skip("what its tests need is not possible here")
				}
				sound[key] = true
			}
			dir := t.TempDir()
			changed, overlay := filepath.Join(dir, "changed.go"), filepath.Join(dir, "overlay.json")
			abs, err := filepath.Abs(filepath.Join(root, f.file))
			if err != nil {
				t.Fatal(err)
			}
			list, err := json.Marshal(map[string]map[string]string{"Replace": {abs: changed}})
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(os.WriteFile(changed, []byte(strings.Replace(f.source, f.old, f.now, 1)), 0o600),
				os.WriteFile(overlay, list, 0o600)); err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			ok, out := onFault(t, f, overlay)
			if ok {
				t.Fatalf("%s is broken in %s and %s passes: write the test that catches it", f.breaks, f.file, f.run)
			}
			by := failing.FindStringSubmatch(out)
			if by == nil && !strings.Contains(out, "panic: ") {
				t.Fatalf("no test failed, yet go test did (does it compile?):\n%s", out)
			}
			name := "a panic"
			if by != nil {
				name = by[1]
			}
			t.Logf("%-30s %-6s %-50s %5.1f s", f.name, f.breaks, f.pkg+" "+name, time.Since(start).Seconds())
		})
	}
}
