package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"golang.org/x/sys/unix"

	"monban/server/app"
	"monban/server/config"
	"monban/server/store"
	"monban/server/web"
)

// RA-2 (ADR 0102): who is named with --by either proves to be it, or the help says that it is a note.
func TestByIsProvedOrANote(t *testing.T) {
	var c commands
	parser, err := kong.New(&c)
	if err != nil {
		t.Fatal(err)
	}
	proved := 0
	leaves(parser.Model.Node, "", func(name string, n *kong.Node) {
		file := false
		help := ""
		for _, f := range n.Flags {
			file = file || f.Name == "password-file"
			if f.Name == "by" {
				help = f.Help
			}
		}
		switch {
		case file:
			if proved++; !strings.Contains(help, "account") {
				t.Errorf("%s: --by is %q", name, help)
			}
		case help != "" && !strings.Contains(help, "A note, not proof."):
			t.Errorf("%s: --by is %q and does not say that it proves nothing", name, help)
		}
	})
	if proved != 5 {
		t.Errorf("%d commands want an account, want 5", proved)
	}
}

// Secrets' files: whoever else could read it, it is no file, or it is empty, is refused.
func TestPasswordFile(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.WriteFile(path, []byte(text), 0o600), os.Chmod(path, mode)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		file("a", "門番 password\r\nsecond line\n", 0o600): "門番 password", file("b", "x y ", 0o400): "x y ",
		file("c", "secret one", 0o640): "", file("d", "secret one", 0o604): "", file("e", "\nsecret one", 0o600): "", file("f", "", 0o600): "", fifo: "", dir: "",
	} {
		got, err := passwordFile(path)
		if got != want || (err == nil) != (want != "") || err != nil && strings.Contains(err.Error(), "secret one") {
			t.Errorf("%s: %q, %v, want %q", path, got, err, want)
		}
	}
}

// terminal is a pseudo-terminal: what a person sees and types at, and what the program has.
func terminal(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = person.Close() })
	if err := unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = program.Close() })
	return person, program
}

func echoes(t *testing.T, tty *os.File) bool {
	t.Helper()
	s, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return s.Lflag&unix.ECHO != 0
}

// D28: what is typed at a terminal is not shown, and the terminal shows what is typed again afterwards, also when the command is broken off.
func TestTerminalDoesNotShow(t *testing.T) {
	person, program := terminal(t)
	seen := make(chan string, 1)
	go func() {
		buf, got := make([]byte, 256), ""
		for !strings.Contains(got, "Password: ") {
			n, err := person.Read(buf)
			if err != nil {
				break
			}
			got += string(buf[:n])
		}
		_, _ = person.WriteString("秘密 secret-word\n")
		for !strings.Contains(got, "\n") {
			n, err := person.Read(buf)
			if err != nil {
				break
			}
			got += string(buf[:n])
		}
		seen <- got
	}()
	got, err := askQuietly(t.Context(), program, "Password: ")
	if err != nil || got != "秘密 secret-word" {
		t.Errorf("typed %q, %v", got, err)
	}
	if shown := <-seen; strings.Contains(shown, "secret-word") {
		t.Errorf("the terminal showed %q", shown)
	}
	if !echoes(t, program) {
		t.Error("the terminal shows nothing any more")
	}

	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { _, err := askQuietly(ctx, program, "Password: "); ended <- err }()
	for deadline := time.Now().Add(10 * time.Second); echoes(t, program); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the terminal goes on showing what is typed")
		}
	}
	cancel()
	if err := <-ended; err == nil || errors.Is(err, context.Canceled) || !echoes(t, program) { // Canceled would be exit 0
		t.Errorf("broken off: %v", err)
	}
}

// D28, D2: a question that nobody answers ends, since the site is open meanwhile and no server starts; the terminal shows what is typed again.
func TestTerminalWaitsNotForEver(t *testing.T) {
	_, program := terminal(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	_, err := askWithin(ctx, program, "Password: ", 20*time.Millisecond)
	if !errors.Is(err, errNoAnswer) || ctx.Err() != nil || !echoes(t, program) {
		t.Errorf("nobody answered: %v", err)
	}
}

// RA-2, D28 (ADR 0102): each command that makes one of two persons has the account prove itself before it does anything; the right two work; the password is in no
// output and no file of the site.
func TestCommandsOfTwoPersons(t *testing.T) {
	const password, guess = "correct horse staple 41", "another horse staple 42"
	dir := t.TempDir()
	conf, data := filepath.Join(dir, "server.toml"), filepath.Join(dir, "data")
	text := "time_zone = \"Asia/Tokyo\"\nsite = \"hall\"\ndata_dir = \"" + data + "\"\n[http]\nlisten = \"127.0.0.1:0\"\n[mqtt]\nlisten = \"127.0.0.1:0\"\n[login]\nsecond_factor_roles = []\npassword_step_up = true\ntries = 20\n"
	right, wrong, open := filepath.Join(dir, "right"), filepath.Join(dir, "wrong"), filepath.Join(dir, "open")
	err := errors.Join(os.WriteFile(conf, []byte(text), 0o600), os.WriteFile(right, []byte(password+"\n"), 0o600), os.WriteFile(wrong, []byte(guess+"\n"), 0o600), os.WriteFile(open, []byte(password), 0o600),
		os.Chmod(open, 0o644)) //nolint:gosec // on purpose
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(conf)
	if err != nil {
		t.Fatal(err)
	}
	quiet := slog.New(slog.DiscardHandler)
	if err := app.CreateSite(cfg, time.Now(), quiet); err != nil {
		t.Fatal(err)
	}
	var leaves int64
	site := func(f func(s *app.Site) error) {
		t.Helper()
		s, err := app.OpenSite(cfg, time.Now(), quiet)
		if err == nil {
			err = errors.Join(f(s), s.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	size := func() int64 {
		site(func(s *app.Site) error { leaves = s.Store.Size(); return nil })
		return leaves
	}
	phc, err := web.HashPassword(password, web.Cost{Time: 1, Memory: 64, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	site(func(s *app.Site) error {
		return s.Store.Write(t.Context(), func(tx *store.Tx) error {
			var errs []error
			for login, role := range map[string]string{"hayashi": "ciso", "mori": "ciso", "ueda": "auditor"} {
				a := store.Account{ID: "A-" + login, Login: login, FullName: login, Language: "ja", PasswordHash: phc}
				errs = append(errs, tx.InsertAccount(a), tx.SetRoles(a.ID, []store.RoleAssignment{{Role: role}}))
			}
			return errors.Join(errs...)
		})
	})
	var said bytes.Buffer
	do := func(args ...string) (int, string) {
		t.Helper()
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		was := os.Stdout
		os.Stdout = w
		var stderr bytes.Buffer
		code := run(append(args, "--config", conf, "--reason", "test"), &stderr)
		os.Stdout = was
		_ = w.Close()
		out, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		said.Write(out)
		said.Write(stderr.Bytes())
		return code, string(out) + stderr.String()
	}
	if code, out := do("hold", "place", "--from", "2026", "--to", "2026", "--until", "2031-03-31"); code != 0 {
		t.Fatal(out)
	}
	for _, c := range [][]string{
		{"dispose", "ask", "register", "2021"}, {"dispose", "approve", "disposal-2030-00001"}, {"hold", "release", "hold-00001"}, {"dispose", "restrict", strings.Repeat("0", 32)},
		{"dispose", "erase", "request-00001", "--decision", "R13-1"}, {"dispose", "erase", "request-00001", "--decision", "R13-1", "--refuse"},
	} {
		for _, x := range []struct {
			by, file, want string
			leaves         int64
		}{
			{"", right, "--by ACCOUNT is missing", 0},
			{"加藤", right, web.ErrTerminalWrong.Error(), 1},
			{"ueda", right, web.ErrTerminalRole.Error(), 0},
			{"mori", open, "others could read", 0},
		} {
			before := size()
			code, out := do(append(c, "--by="+x.by, "--password-file", x.file)...)
			if after := size(); code == 0 || !strings.Contains(out, x.want) || after-before != x.leaves {
				t.Errorf("%v by %q: exit %d, %d leaves, %s, want %s", c, x.by, code, after-before, out, x.want)
			}
		}
	}
	// Last of the refusals: each guess is counted.
	if code, out := do("hold", "release", "hold-00001", "--by", "mori", "--password-file", wrong); code == 0 || !strings.Contains(out, web.ErrTerminalWrong.Error()) {
		t.Errorf("a wrong password: exit %d, %s", code, out)
	}
	for _, x := range []struct {
		by, want string
		code     int
	}{{"hayashi", "until another person", 0}, {"hayashi", web.ErrSamePerson.Error(), 1}, {"mori", "is released", 0}} {
		if code, out := do("hold", "release", "hold-00001", "--by", x.by, "--password-file", right); code != x.code || !strings.Contains(out, x.want) {
			t.Errorf("released by %s: exit %d, %s, want %s", x.by, code, out, x.want)
		}
	}
	for _, secret := range []string{password, guess} {
		if strings.Contains(said.String(), secret) {
			t.Error("a password was printed")
		}
		err := filepath.WalkDir(data, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			b, err := os.ReadFile(path)
			if bytes.Contains(b, []byte(secret)) {
				t.Errorf("a password is in %s", path)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}
