package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"monban/firmware/nfc"
)

// AD-4: keys of cards come from a file that only its owner may read; what is not right is refused in one line that quotes
// no key.
func TestCardKeys(t *testing.T) {
	const key, other = "00112233445566778899aabbccddeeff", "ffeeddccbbaa99887766554433221100"
	const good = `{"lite_s": {"system": "town", "masters": ["` + key + `"]}, "desfire": {"aid": "3042F5", "key": 1, "file": 2, "masters": ["` + other + `", "` + key + `"]}}`
	dir := t.TempDir()
	write := func(text string, mode os.FileMode) {
		t.Helper()
		path := filepath.Join(dir, cardKeysFile)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := loadCardKeys(dir); err == nil {
		t.Error("a missing file is no error")
	}
	write(good, 0o600)
	k, err := loadCardKeys(dir)
	if err != nil {
		t.Fatal(err)
	}
	if k.LiteS == nil || string(k.LiteS.System) != "town" || k.DESFire == nil || k.DESFire.AID != [3]byte{0x30, 0x42, 0xF5} || len(k.DESFire.Masters) != 2 ||
		k.DESFire.Masters[1] != (nfc.Key{0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xAA, 0xBB, 0xCC, 0xDD, 0xEE, 0xFF}) {
		t.Error("other keys came back")
	}
	write(good, 0o640)
	if _, err := loadCardKeys(dir); err == nil {
		t.Error("others can read the file, and it is taken")
	}
	for name, text := range map[string]string{
		"no JSON":     good[1:],
		"unknown key": strings.Replace(good, "lite_s", "lite", 1),
		"short key":   strings.Replace(good, key, key[2:], 1),
		"zero key":    strings.Replace(good, key, strings.Repeat("0", 32), 1),
		"no key":      strings.Replace(good, `"`+key+`"`, "", 1),
		"three keys":  strings.Replace(good, `["`+other, `["`+other+`", "`+other, 1),
		"aid":         strings.Replace(good, "3042F5", "3042", 1),
		"key number":  strings.Replace(good, `"key": 1`, `"key": 14`, 1),
		"file number": strings.Replace(good, `"file": 2`, `"file": 32`, 1),
		"system":      strings.Replace(good, "town", strings.Repeat("x", 19), 1),
	} {
		write(text, 0o600)
		if _, err := loadCardKeys(dir); err == nil || strings.Contains(err.Error(), key[4:12]) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
