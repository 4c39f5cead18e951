// Package keystore holds the keys under which personal data in the entry log is encrypted, in a file
// outside the database and outside its backups (D17). Destroying K(fiscal year, class) here makes
// every opening of that year and class unreadable while the log still verifies.
//
// It must never write a key into the database, never log one, and never hand one out: callers seal
// and open through it.
package keystore

import (
	"bytes"
	"cmp"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"monban/server/ca"
	"monban/server/entrylog"
)

// Period names one key: a fiscal year and a record class.
type Period struct {
	FiscalYear int
	Class      entrylog.Class
}

// Sealed is an encrypted opening as the database keeps it.
type Sealed struct {
	Period     Period
	RowKey     []byte // the row's own key, wrapped under K(period): nonce 12 ‖ ciphertext 32 ‖ tag 16
	Ciphertext []byte // salt 32 ‖ opening under the row key, then tag 16
	PersonRef  []byte // 16 bytes; nil when the opening names no person
}

// ErrNoKey says that K of a period is not in the key store: never created, or destroyed.
var ErrNoKey = errors.New("no key for this fiscal year and class")

// ErrDamaged says that an opening does not decrypt under its key.
var ErrDamaged = errors.New("opening does not decrypt")

// KeyStore is the open key store. Its methods may be called from several goroutines.
type KeyStore struct {
	path   string
	rand   io.Reader
	master cipher.AEAD
	list   []byte // HMAC key of the lists, from the master key

	mu        sync.Mutex
	keys      map[Period]*periodKey // mu
	copies    []*copyFile           // mu
	mac       bool                  // mu; the file has a MAC of its lists, or gets one with the next save
	disposals []Disposal            // mu; in the order in which they were carried out
	erased    []Erasure             // mu; in the order in which they were decided
}

type periodKey struct {
	wrapped []byte      // as in the file
	aead    cipher.AEAD // under K
	index   []byte      // HMAC key of person references
}

type fileForm struct {
	Version   int        `json:"monban_keystore"`
	Keys      []keyForm  `json:"keys"`
	Disposals []Disposal `json:"disposals,omitempty"`
	Erased    []Erasure  `json:"erased,omitempty"`
	MAC       string     `json:"mac,omitempty"` // of the two lists, hex; see listMAC
}

type keyForm struct {
	FiscalYear int    `json:"fiscal_year"`
	Class      string `json:"class"`
	Key        string `json:"key"` // base64: nonce 12 ‖ K 32 ‖ tag 16 under the master key
}

// Create makes a master key file and an empty key store file, both mode 0600. It refuses to
// overwrite either: an overwritten key store would destroy every opening.
func Create(path, masterPath string, rand io.Reader) error {
	var master [32]byte
	if _, err := io.ReadFull(rand, master[:]); err != nil {
		return fmt.Errorf("make master key: %w", err)
	}
	for _, f := range []struct {
		path string
		data []byte
	}{
		{masterPath, []byte(base64.StdEncoding.EncodeToString(master[:]) + "\n")},
		{path, []byte("{\"monban_keystore\":1,\"keys\":[]}\n")},
	} {
		if err := createFile(f.path, f.data); err != nil {
			return err
		}
	}
	return nil
}

func createFile(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("create key file: %w", err)
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close(), syncDir(filepath.Dir(path)))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}

// Open reads the key store. It refuses files that anybody but the owner can read. copies name further files that hold the same,
// each best on another medium: what one of them has and the key store lacks is taken from it, but for what was destroyed; then all
// are written alike. A copy that is not there is made; one that cannot be used is told by Copies and no error here: doors
// must not stand still for it.
func Open(path, masterPath string, rand io.Reader, copies ...string) (*KeyStore, error) {
	text, err := readPrivate(masterPath)
	if err != nil {
		return nil, err
	}
	master, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(master) != 32 {
		return nil, fmt.Errorf("master key %s: want 32 bytes of base64", masterPath)
	}
	ks := &KeyStore{path: path, rand: rand, keys: map[Period]*periodKey{}}
	if ks.master, err = newAEAD(master); err != nil {
		return nil, err
	}
	ks.list = listKey(master)
	form, err := readForm(path)
	if err != nil {
		return nil, err
	}
	if ks.keys, err = ks.read(path, form); err != nil {
		return nil, err
	}
	if form.MAC == "" { // a file of before the MAC: what it calls destroyed has to be possible at least
		if err := plausible(path, form.Disposals); err != nil {
			return nil, err
		}
	}
	ks.mac = form.MAC != ""
	ks.disposals, ks.erased = form.Disposals, form.Erased
	for _, d := range ks.disposals {
		delete(ks.keys, d.Period())
	}
	return ks, ks.joinCopies(copies)
}

func readForm(path string) (form fileForm, err error) {
	data, err := readPrivate(path)
	if err != nil {
		return form, err
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&form); err != nil {
		return form, fmt.Errorf("key store %s: %w", path, err)
	}
	if form.Version != 1 {
		return form, fmt.Errorf("key store %s: version %d, this program knows 1", path, form.Version)
	}
	return form, nil
}

// read unwraps the keys of a file, and checks its lists' MAC if it has one.
func (ks *KeyStore) read(path string, form fileForm) (map[Period]*periodKey, error) {
	if form.MAC != "" {
		mac, err := ks.listMAC(form)
		if err != nil {
			return nil, err
		}
		if !hmac.Equal([]byte(mac), []byte(form.MAC)) {
			return nil, fmt.Errorf("key store %s: %w: somebody who does not have the master key changed it", path, errList)
		}
	}
	keys := map[Period]*periodKey{}
	for _, k := range form.Keys {
		p := Period{FiscalYear: k.FiscalYear, Class: entrylog.Class(k.Class)}
		wrapped, err := base64.StdEncoding.DecodeString(k.Key)
		if err != nil {
			return nil, fmt.Errorf("key store %s: key of %d %s: %w", path, p.FiscalYear, p.Class, err)
		}
		pk, err := ks.unwrap(p, wrapped)
		if err != nil {
			return nil, fmt.Errorf("key store %s: %w", path, err)
		}
		if keys[p] != nil {
			return nil, fmt.Errorf("key store %s: two keys for %d %s", path, p.FiscalYear, p.Class)
		}
		keys[p] = pk
	}
	return keys, nil
}

func readPrivate(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	if err := ca.OwnersAlone(path, info.Mode()); err != nil {
		return nil, fmt.Errorf("key file %w", err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	return data, nil
}

func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("cipher: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("cipher: %w", err)
	}
	return aead, nil
}

func (p Period) aad() []byte {
	return fmt.Appendf(nil, "monban/1 period %d %s", p.FiscalYear, p.Class)
}

func (ks *KeyStore) unwrap(p Period, wrapped []byte) (*periodKey, error) {
	if len(wrapped) < 12 {
		return nil, fmt.Errorf("key of %d %s is too short", p.FiscalYear, p.Class)
	}
	k, err := ks.master.Open(nil, wrapped[:12], wrapped[12:], p.aad())
	if err != nil || len(k) != 32 {
		return nil, fmt.Errorf("key of %d %s does not open under this master key", p.FiscalYear, p.Class)
	}
	aead, err := newAEAD(k)
	if err != nil {
		return nil, err
	}
	// The index key is derived, so it dies with K.
	m := hmac.New(sha256.New, k)
	m.Write([]byte("monban/1 person index"))
	return &periodKey{wrapped: wrapped, aead: aead, index: m.Sum(nil)}, nil
}

// key gives K(p). With create, a missing one is made and is durable in the file before it is used:
// an opening whose key was lost in a crash could never be read again.
func (ks *KeyStore) key(p Period, create bool) (*periodKey, error) {
	ks.mu.Lock()
	defer ks.mu.Unlock()
	if pk := ks.keys[p]; pk != nil {
		return pk, nil
	}
	if !create {
		return nil, fmt.Errorf("%d %s: %w", p.FiscalYear, p.Class, ErrNoKey)
	}
	if ks.destroyed(p) {
		return nil, fmt.Errorf("%d %s: %w: is the clock right?", p.FiscalYear, p.Class, ErrDestroyed)
	}
	var fresh [12 + 32]byte
	if _, err := io.ReadFull(ks.rand, fresh[:]); err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}
	wrapped := ks.master.Seal(fresh[:12:12], fresh[:12], fresh[12:], p.aad())
	pk, err := ks.unwrap(p, wrapped)
	if err != nil {
		return nil, err
	}
	ks.keys[p] = pk
	if err := ks.save(); err != nil {
		delete(ks.keys, p)
		return nil, err
	}
	return pk, nil
}

// rowAAD binds an opening to its leaf and to every clear column of its row, so that none of them
// can be changed or swapped with another row's.
func rowAAD(dst []byte, commit entrylog.Hash, p Period, personRef []byte) []byte {
	dst = append(dst, "monban/1 opening "...)
	dst = append(dst, commit[:]...)
	dst = binary.BigEndian.AppendUint32(dst, uint32(p.FiscalYear))
	dst = append(dst, byte(len(p.Class)))
	dst = append(dst, p.Class...)
	dst = append(dst, byte(len(personRef)))
	return append(dst, personRef...)
}

// Seal makes an opening's commitment with a fresh salt and encrypts salt and opening under a fresh
// row key.
func (ks *KeyStore) Seal(p Period, o *entrylog.Opening) (entrylog.Hash, Sealed, error) {
	pk, err := ks.key(p, true)
	if err != nil {
		return entrylog.Hash{}, Sealed{}, fmt.Errorf("seal opening: %w", err)
	}
	var r [32 + 12 + 32]byte // salt, nonce of the wrapping, row key
	if _, err := io.ReadFull(ks.rand, r[:]); err != nil {
		return entrylog.Hash{}, Sealed{}, fmt.Errorf("seal opening: %w", err)
	}
	plain := make([]byte, 32, 1024)
	copy(plain, r[:32])
	if plain, err = o.Append(plain); err != nil {
		return entrylog.Hash{}, Sealed{}, fmt.Errorf("seal opening: %w", err)
	}
	commit := entrylog.Commit([32]byte(plain[:32]), plain[32:])
	s := Sealed{Period: p}
	if o.Person != "" {
		s.PersonRef = pk.ref(o.Person)
	}
	var buf [160]byte
	aad := rowAAD(buf[:0], commit, p, s.PersonRef)
	row, err := newAEAD(r[44:])
	if err != nil {
		return entrylog.Hash{}, Sealed{}, fmt.Errorf("seal opening: %w", err)
	}
	s.RowKey = pk.aead.Seal(append(make([]byte, 0, 60), r[32:44]...), r[32:44], r[44:], aad)
	var zero [12]byte // a row key encrypts exactly once, so its nonce may be constant
	s.Ciphertext = row.Seal(plain[:0], zero[:], plain, aad)
	return commit, s, nil
}

// Open decrypts an opening and checks it against the leaf's commitment. The raw canonical bytes and
// the salt come with it, for proofs.
func (ks *KeyStore) Open(commit entrylog.Hash, s Sealed) (o entrylog.Opening, raw []byte, salt [32]byte, err error) {
	pk, err := ks.key(s.Period, false)
	if err != nil {
		return o, nil, salt, fmt.Errorf("open opening: %w", err)
	}
	if len(s.RowKey) != 60 {
		return o, nil, salt, fmt.Errorf("open opening: wrapped row key of %d bytes: %w", len(s.RowKey), ErrDamaged)
	}
	var buf [160]byte
	aad := rowAAD(buf[:0], commit, s.Period, s.PersonRef)
	var key [32]byte
	k, err := pk.aead.Open(key[:0], s.RowKey[:12], s.RowKey[12:], aad)
	if err != nil {
		return o, nil, salt, fmt.Errorf("open opening: row key: %w", ErrDamaged)
	}
	row, err := newAEAD(k)
	if err != nil {
		return o, nil, salt, fmt.Errorf("open opening: %w", err)
	}
	var zero [12]byte
	plain, err := row.Open(nil, zero[:], s.Ciphertext, aad)
	if err != nil || len(plain) < 32 {
		return o, nil, salt, fmt.Errorf("open opening: %w", ErrDamaged)
	}
	copy(salt[:], plain)
	raw = plain[32:]
	if entrylog.Commit(salt, raw) != commit {
		return o, nil, salt, fmt.Errorf("open opening: it is not what the leaf commits to: %w", ErrDamaged)
	}
	if o, err = entrylog.ParseOpening(raw); err != nil {
		return o, nil, salt, fmt.Errorf("open opening: %w: %w", ErrDamaged, err)
	}
	var want []byte
	if o.Person != "" {
		want = pk.ref(o.Person)
	}
	if !bytes.Equal(want, s.PersonRef) {
		return o, nil, salt, fmt.Errorf("open opening: the person reference is another's: %w", ErrDamaged)
	}
	return o, raw, salt, nil
}

func (pk *periodKey) ref(person string) []byte {
	m := hmac.New(sha256.New, pk.index)
	m.Write([]byte(person))
	return m.Sum(nil)[:16]
}

// PersonRef is the reference under which rows of this period know a person. ErrNoKey when the
// period has no key, which means that no row of it can be found.
func (ks *KeyStore) PersonRef(p Period, person string) ([]byte, error) {
	pk, err := ks.key(p, false)
	if err != nil {
		return nil, fmt.Errorf("person reference: %w", err)
	}
	return pk.ref(person), nil
}

// PersonRefs gives a person's references in every period of these classes that still has a key:
// what to search for to find the person's whole history.
func (ks *KeyStore) PersonRefs(person string, classes ...entrylog.Class) [][]byte {
	ks.mu.Lock()
	defer ks.mu.Unlock()
	var refs [][]byte
	for _, p := range ks.sorted() {
		for _, c := range classes {
			if p.Class == c {
				refs = append(refs, ks.keys[p].ref(person))
			}
		}
	}
	return refs
}

// Has reports whether the period has a key.
func (ks *KeyStore) Has(p Period) bool {
	ks.mu.Lock()
	defer ks.mu.Unlock()
	return ks.keys[p] != nil
}

// sorted lists the periods in order of year and class. Call with mu held.
func (ks *KeyStore) sorted() []Period {
	var all []Period
	for p := range ks.keys {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b Period) int {
		return cmp.Or(cmp.Compare(a.FiscalYear, b.FiscalYear), cmp.Compare(a.Class, b.Class))
	})
	return all
}
