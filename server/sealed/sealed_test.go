package sealed

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
)

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// sealedFolder is a folder of two files, sealed; with the private key's file.
func sealedFolder(t *testing.T) (file, key string) {
	t.Helper()
	dir := t.TempDir()
	private, public, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	key = filepath.Join(dir, "key")
	for path, text := range map[string]string{"in/monban.db": strings.Repeat("髙橋 健一 ", 30_000), "in/keys/log.vkey": "public", "key": private + "\n", "to": public + "\n"} {
		p := filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	to := must(Recipients(filepath.Join(dir, "to")))(t)
	file = filepath.Join(dir, "monban.age")
	if sum := must(Seal(filepath.Join(dir, "in"), file, to))(t); len(sum) != 64 {
		t.Errorf("sum %q", sum)
	}
	return file, key
}

func TestSealAndOpen(t *testing.T) {
	file, key := sealedFolder(t)
	out := filepath.Join(t.TempDir(), "out")
	if err := Open(file, key, out); err != nil {
		t.Fatal(err)
	}
	text := must(os.ReadFile(filepath.Join(out, "monban.db")))(t)
	if !strings.HasPrefix(string(text), "髙橋") || len(text) < 300_000 {
		t.Error("the database came back otherwise")
	}
	if bytes.Contains(must(os.ReadFile(file))(t), []byte("髙橋")) {
		t.Error("a name in clear")
	}
	if st := must(os.Stat(file))(t); st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", st.Mode())
	}
}

// A changed, shortened or foreign file never opens as a whole backup.
func TestDamage(t *testing.T) {
	file, key := sealedFolder(t)
	good := must(os.ReadFile(file))(t)
	other := filepath.Join(t.TempDir(), "other")
	private, _, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(other, []byte(private), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Open(file, other, filepath.Join(t.TempDir(), "out")); err == nil {
		t.Error("opened with another key")
	}
	for _, data := range [][]byte{good[:len(good)/2], good[:len(good)-1], append(bytes.Clone(good), 'x'), flip(good, len(good)-20), flip(good, 10), {}} {
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := Open(file, key, filepath.Join(t.TempDir(), "out")); err == nil {
			t.Errorf("%d of %d bytes opened", len(data), len(good))
		}
	}
}

func flip(data []byte, at int) []byte {
	out := bytes.Clone(data)
	out[at] ^= 1
	return out
}

func TestNotOverwritten(t *testing.T) {
	file, _ := sealedFolder(t)
	id := must(age.GenerateX25519Identity())(t)
	if _, err := Seal(filepath.Dir(file), file, []age.Recipient{id.Recipient()}); err == nil {
		t.Error("a backup was overwritten")
	}
	if _, err := Recipients(file); err == nil {
		t.Error("a file that is no list of keys was taken")
	}
	none := filepath.Join(t.TempDir(), "b.age")
	if _, err := Seal(filepath.Join(t.TempDir(), "none"), none, []age.Recipient{id.Recipient()}); err == nil {
		t.Error("a folder that is not there was sealed")
	}
	if left := must(filepath.Glob(none + "*"))(t); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
