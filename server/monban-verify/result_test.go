package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// RR-5: an auditor on Windows drops a file on the program: the page lies beside it afterwards, whatever came of the check, and the exit
// codes are those of everywhere. Nothing is written elsewhere, nor when there are options.
func TestResultBesideTheFile(t *testing.T) {
	ownCache(t)
	m := made(t, 60, 20)
	dir := t.TempDir()
	key := write(t, filepath.Join(dir, "log.vkey"), m.vkey)
	good := write(t, filepath.Join(dir, "書き出し.monban"), m.out.String())
	bad := write(t, filepath.Join(dir, "bad.monban"), strings.Replace(m.out.String(), `"test","schema":"32"`, `"test","schema":"33"`, 1))
	for _, c := range []struct {
		name, goos string
		args       []string
		code       int
		file, want string // "" = none
	}{
		{"nothing found", "windows", []string{good}, 0, good, "異常は見つかりませんでした"},
		{"a bad record", "windows", []string{bad}, 1, bad, "最初の異常: log_leaf 32"},
		{"no bundle", "windows", []string{key}, 2, key, "monban-verify: "},
		{"with options", "windows", []string{"--key", key, good}, 0, "", ""},
		{"an option alone", "windows", []string{"--version"}, 0, "", ""},
		{"elsewhere", "linux", []string{good}, 0, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out, errs bytes.Buffer
			code := withResult(c.goos, c.args, &out, &errs, func(out, errs io.Writer) int { return run(t.Context(), c.args, "", out, errs) })
			if code != c.code {
				t.Errorf("exit %d, want %d\n%s%s", code, c.code, out.String(), errs.String())
			}
			left, err := filepath.Glob(filepath.Join(dir, "*"+resultTail))
			if err != nil {
				t.Fatal(err)
			}
			if c.file == "" {
				if len(left) != 0 {
					t.Errorf("wrote %v", left)
				}
				return
			}
			data, err := os.ReadFile(c.file + resultTail)
			if err != nil {
				t.Fatal(err)
			}
			if text := string(data); len(left) != 1 || !strings.Contains(text, c.want) || !strings.HasPrefix(text, "\ufeff") || strings.Count(text, "\n") != strings.Count(text, "\r\n") {
				t.Errorf("%v\n%s", left, text)
			}
			if !strings.Contains(errs.String(), c.file+resultTail) {
				t.Errorf("does not say where the result is: %s", errs.String())
			}
			if err := os.Remove(c.file + resultTail); err != nil {
				t.Fatal(err)
			}
		})
	}
	var out, errs bytes.Buffer
	missing := filepath.Join(dir, "none", "x.monban")
	if code := withResult("windows", []string{missing}, &out, &errs, func(out, errs io.Writer) int { return run(t.Context(), []string{missing}, "", out, errs) }); code != 2 || !strings.Contains(errs.String(), "could not be written beside") {
		t.Errorf("exit %d\n%s", code, errs.String())
	}
}

// The program for Windows builds, without cgo.
func TestBuildsForWindows(t *testing.T) {
	if os.Getenv("MONBAN_CROSS") == "" {
		t.Skip("a build for another system: make test-arm")
	}
	name := filepath.Join(t.TempDir(), "monban-verify.exe")
	cmd := exec.Command("go", "build", "-trimpath", "-o", name, ".")
	cmd.Env = append(os.Environ(), "GOOS=windows", "GOARCH=amd64", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	data, err := os.ReadFile(name)
	if err != nil || !bytes.HasPrefix(data, []byte("MZ")) {
		t.Errorf("no program of Windows: %v", err)
	}
}
