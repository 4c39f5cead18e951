package keystore

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"monban/server/entrylog"
)

var update = flag.Bool("update", false, "write the vector if it does not exist yet; an existing one is never changed")

// counted gives the same bytes in every run.
type counted struct{ n byte }

func (c *counted) Read(p []byte) (int, error) {
	for i := range p {
		c.n++
		p[i] = c.n
	}
	return len(p), nil
}

// sealedVector is one opening with everything that its encryption is made of, in hex but for texts.
type sealedVector struct {
	Master      string `json:"master"`
	FiscalYear  int    `json:"fiscal_year"`
	Class       string `json:"class"`
	Wrapped     string `json:"wrapped_period_key"`
	Opening     string `json:"opening"`
	Salt        string `json:"salt"`
	Commit      string `json:"commit"`
	PersonRef   string `json:"person_ref"`
	RowKey      string `json:"row_key"`
	Ciphertext  string `json:"ciphertext"`
	PeriodKey   string `json:"period_key"`
	PeriodAAD   string `json:"aad_of_period_key"`
	OpeningAAD  string `json:"aad_of_row_key_and_ciphertext"`
	ZeroNonceOf string `json:"nonce_of_ciphertext"`
}

// D17: the encryption of openings is a published form. It is made here by the product and taken apart by nothing of it, as docs/log-format.md says.
// Vectors are added, never changed.
func TestSealedVector(t *testing.T) {
	dir := t.TempDir()
	path, master := filepath.Join(dir, "keys.json"), filepath.Join(dir, "master.key")
	rand := &counted{}
	if err := Create(path, master, rand); err != nil {
		t.Fatal(err)
	}
	ks, err := Open(path, master, rand)
	if err != nil {
		t.Fatal(err)
	}
	commit, s, err := ks.Seal(register, &entrylog.Opening{Person: "s0001", Name: "髙橋 𠮷田", Purpose: "保守"})
	if err != nil {
		t.Fatal(err)
	}
	_, raw, salt, err := ks.Open(commit, s)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(master)
	if err != nil {
		t.Fatal(err)
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	got := sealedVector{Master: hex.EncodeToString(key), FiscalYear: 2026, Class: "register", Wrapped: hex.EncodeToString(ks.keys[register].wrapped), Opening: string(raw), Salt: hex.EncodeToString(salt[:]),
		Commit: hex.EncodeToString(commit[:]), PersonRef: hex.EncodeToString(s.PersonRef), RowKey: hex.EncodeToString(s.RowKey), Ciphertext: hex.EncodeToString(s.Ciphertext)}
	got.PeriodAAD = "monban/1 period 2026 register"
	got.ZeroNonceOf = strings.Repeat("00", 12)

	// From here on as somebody who has the document and the columns of the row.
	gcm := func(key []byte) cipher.AEAD {
		b, err := aes.NewCipher(key)
		if err != nil {
			t.Fatal(err)
		}
		a, err := cipher.NewGCM(b)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	wrapped := ks.keys[register].wrapped
	period, err := gcm(key).Open(nil, wrapped[:12], wrapped[12:], []byte(got.PeriodAAD))
	if err != nil || len(wrapped) != 60 {
		t.Fatalf("wrapped period key of %d bytes: %v", len(wrapped), err)
	}
	aad := append([]byte("monban/1 opening "), commit[:]...)
	aad = append(aad, 0, 0, 0x07, 0xEA, 8) // 2026 in four bytes, the longest first; 8 letters of the class
	aad = append(aad, "register"...)
	aad = append(append(aad, 16), s.PersonRef...)
	got.PeriodKey, got.OpeningAAD = hex.EncodeToString(period), hex.EncodeToString(aad)
	row, err := gcm(period).Open(nil, s.RowKey[:12], s.RowKey[12:], aad)
	if err != nil || len(s.RowKey) != 60 {
		t.Fatalf("row key of %d bytes: %v", len(s.RowKey), err)
	}
	plain, err := gcm(row).Open(nil, make([]byte, 12), s.Ciphertext, aad)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(append([]byte("monban/1"), plain...))
	index := hmac.New(sha256.New, period)
	index.Write([]byte("monban/1 person index"))
	ref := hmac.New(sha256.New, index.Sum(nil))
	ref.Write([]byte("s0001"))
	if !bytes.Equal(plain[:32], salt[:]) || string(plain[32:]) != string(raw) || sum != commit || !bytes.Equal(ref.Sum(nil)[:16], s.PersonRef) {
		t.Error("the document's way gives something else")
	}

	file := filepath.Join("testdata", "v1", "sealed.json")
	now, err := json.MarshalIndent(got, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	was, err := os.ReadFile(file)
	if os.IsNotExist(err) && *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, append(now, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if string(was) != string(now)+"\n" {
		t.Errorf("the vector is\n%s\nand not\n%s", was, now)
	}
}
