package wire

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"monban/firmware/card"
)

var update = flag.Bool("update", false, "write vectors that do not exist yet; existing ones are never changed")

// vectorList is the SHA-256 over all names and hashes of the vectors in testdata/v1. It changes only
// when a vector is added: what was published is never edited, for others have built on it.
const vectorList = "8c0ed29e4992645ebf8081960a51cfedc525449695653945517b38a6c1db2812"

// vector describes one published message.
type vector struct {
	Kind  string `json:"kind"`
	Topic string `json:"topic,omitempty"`
	Seed  string `json:"seed,omitempty"` // the Ed25519 seed is SHA-256 of this text
	Key   string `json:"key,omitempty"`  // the verifier key of that seed
	Body  string `json:"body"`           // canonical bytes
	About string `json:"about"`
}

// TestVectors seals every sample again with the fixed keys and compares the bytes with what was
// published: testdata/v1/<kind>/<name>.json describes, <name>.note is the message.
func TestVectors(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, s := range samples(t) {
		v := vector{Kind: s.kind, Body: string(s.body), About: s.name}
		sealed := s.body
		if s.kind != "record" {
			role := RoleOf(s.kind)
			signer, verifier, vkey := roleKey(t, role)
			v.Topic, v.Seed, v.Key = Topic(testSite, testGW, s.kind), "monban test vector key "+verifier.Name(), vkey
			var err error
			if sealed, err = Seal(signer, testSite, testGW, s.kind, s.body); err != nil {
				t.Fatal(err)
			}
		}
		description, err := json.MarshalIndent(v, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		base := filepath.Join("testdata", "v1", s.kind, s.name)
		known[base+".json"], known[base+".note"] = true, true
		compareVector(t, base+".json", append(description, '\n'))
		compareVector(t, base+".note", sealed)
	}
	root, _, _ := roleKey(t, RoleRoot)
	for name, k := range map[string]Keys{"ordinary": testKeys(t), "change-of-the-root": changingKeys(t)} {
		keys := filepath.Join("testdata", "v1", "keys", name+".note")
		text, err := SealKeys(root, k)
		if err != nil {
			t.Fatal(err)
		}
		known[keys] = true
		compareVector(t, keys, []byte(text))
	}

	values := filepath.Join("testdata", "v1", "values", "values.txt")
	known[values] = true
	compareVector(t, values, vectorValues())
	keyed := filepath.Join("testdata", "v1", "values", "private-with-purpose.txt")
	known[keyed] = true
	compareVector(t, keyed, keyedValues())

	var list []string
	err := filepath.WalkDir(filepath.Join("testdata", "v1"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if !known[path] {
			t.Errorf("%s is no vector of this test", path)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		list = append(list, fmt.Sprintf("%x  %s\n", sha256.Sum256(b), filepath.ToSlash(path)))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(list)
	sum := sha256.Sum256([]byte(strings.Join(list, "")))
	if got := hex.EncodeToString(sum[:]); got != vectorList {
		t.Errorf("the vectors are %s, want %s: vectors are added, never edited", got, vectorList)
	}
}

// vectorValues are the hashes and sealed texts that stand inside messages.
func vectorValues() []byte {
	var b bytes.Buffer
	record := testRecord(812)
	body := AppendRecord(nil, &record)
	first := ChainHash(Hash{}, body)
	sealed, salt := testPrivate()
	proof := PINProof(testAskKey, card.PINToken(seeded("pin token")), AskID(id16("ask")))
	manifest := testManifest()
	mh := ManifestHash(&manifest)
	for _, v := range []struct {
		name  string
		value []byte
	}{
		{"record", body}, {"chain after 1", first[:]}, {"ask key", testAskKey[:]}, {"private sealed", sealed}, {"salt", salt[:]},
		{"pin proof", proof[:]}, {"manifest hash", mh[:]},
	} {
		fmt.Fprintf(&b, "%s: %x\n", v.name, v.value)
	}
	second := ChainHash(first, body)
	commit := Commit(salt, sealed)
	fmt.Fprintf(&b, "chain after 2 (the same body twice): %x\ncommitment: %x\n", second[:], commit[:])
	return b.Bytes()
}

// keyedValues is version 2 of a private part, which holds what was keyed in at the reader (RR-7), in clear and sealed with the ask key of
// values.txt. Its clear text is as long as version 1's.
func keyedValues() []byte {
	p := Private{Card: SealCard(testAskKey, Nonce{1}, card.Ref(seeded("ref"))), Purpose: 7}
	return fmt.Appendf(nil, "clear: %x\nprivate sealed: %x\n", appendPrivate(nil, &p), SealPrivate(testAskKey, Nonce{3}, p))
}

func compareVector(t *testing.T, path string, want []byte) {
	t.Helper()
	got, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: the code now gives\n%s\npublished is\n%s", path, want, got)
	}
}
