package policypub

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/firmware/wiegand"
	"monban/firmware/wire"
)

// Keys are the site's symmetric keys (D9, D10): they turn cards and PINs into references, and
// references into what one gateway holds. They live in a file of mode 0600 outside the database;
// whoever has both can try all card numbers. A Keys value is not changed once it is in use: With
// makes a new one.
type Keys struct {
	CardKey     [32]byte // site card key: card → card_ref
	CardVersion uint32   // ≥ 1
	PINKey      [32]byte // site PIN key: card_ref and digits → pin_ref
	Gateways    map[access.GatewayID]GatewayKeys
}

// GatewayKeys are the keys the server shares with one gateway.
type GatewayKeys struct {
	Token [32]byte    // gateway key: references → this gateway's tokens
	Ask   wire.AskKey // seals card references and private parts, binds PIN proofs
}

// NewKeys makes a site's keys, without gateways.
func NewKeys(rand io.Reader) (Keys, error) {
	k := Keys{CardVersion: 1, Gateways: map[access.GatewayID]GatewayKeys{}}
	for _, key := range [...][]byte{k.CardKey[:], k.PINKey[:]} {
		if _, err := io.ReadFull(rand, key); err != nil {
			return Keys{}, fmt.Errorf("make site keys: %w", err)
		}
	}
	return k, nil
}

// With gives the same keys and fresh ones for one more gateway. A gateway that has keys keeps them, so
// that a spare takes its place without enrolling a card again (OP-9).
func (k Keys) With(gw access.GatewayID, rand io.Reader) (Keys, error) {
	out := k
	out.Gateways = make(map[access.GatewayID]GatewayKeys, len(k.Gateways)+1)
	for id, g := range k.Gateways {
		out.Gateways[id] = g
	}
	if _, has := out.Gateways[gw]; has {
		return out, nil
	}
	var g GatewayKeys
	for _, key := range [...][]byte{g.Token[:], g.Ask[:]} {
		if _, err := io.ReadFull(rand, key); err != nil {
			return Keys{}, fmt.Errorf("make keys of gateway %s: %w", gw, err)
		}
	}
	out.Gateways[gw] = g
	return out, nil
}

// Without gives the same keys but those of one gateway.
func (k Keys) Without(gw access.GatewayID) Keys {
	out := k
	out.Gateways = make(map[access.GatewayID]GatewayKeys, len(k.Gateways))
	for id, g := range k.Gateways {
		if id != gw {
			out.Gateways[id] = g
		}
	}
	return out
}

// Version is the version of the site card key.
func (k Keys) Version() uint32 { return k.CardVersion }

// errNumber says nothing of the number itself.
var errNumber = errors.New("the numbers do not fit the card format")

// Card gives the reference and the masked form of a card by its printed numbers.
func (k Keys) Card(format string, facility, number uint64) (card.Ref, string, error) {
	layout, ok := wiegand.Lookup(card.Format(format))
	if !ok {
		return card.Ref{}, "", errors.New("the card format is not known")
	}
	frame, err := wiegand.Encode(layout, wiegand.Fields{FC: facility, CN: number})
	if err != nil {
		return card.Ref{}, "", errNumber // err would say which field, no more
	}
	c, err := wiegand.Decode(layout, frame)
	if err != nil {
		return card.Ref{}, "", errNumber
	}
	return c.Ref(k.CardKey[:]), c.Masked(), nil
}

// PIN gives the reference of a PIN of 4–8 digits used with a card (D10).
func (k Keys) PIN(ref card.Ref, digits string) (card.PINRef, error) {
	if len(digits) < 4 || len(digits) > 8 {
		return card.PINRef{}, errors.New("a PIN has 4–8 digits")
	}
	for _, c := range []byte(digits) {
		if c < '0' || c > '9' {
			return card.PINRef{}, errors.New("a PIN has digits only")
		}
	}
	return card.PINRefOf(k.PINKey[:], ref, digits), nil
}

// Derive makes a key for another secret of the site's, so that there is no further key file to keep. label has 1–31
// bytes: shorter than a card reference, so that it is never the input of a PIN's.
func (k Keys) Derive(label string) [32]byte {
	if label == "" || len(label) > 31 {
		panic("BUG: label of a derived key has 1–31 bytes")
	}
	m := hmac.New(sha256.New, k.PINKey[:])
	m.Write([]byte(label))
	return [32]byte(m.Sum(nil))
}

type versionedKey struct {
	Version uint32 `json:"version"`
	Key     []byte `json:"key"`
}

type keysFile struct {
	Format   int                                     `json:"monban_site_keys"`
	Card     versionedKey                            `json:"card_key"`
	PIN      versionedKey                            `json:"pin_key"`
	Gateways map[access.GatewayID]gatewayKeysInAFile `json:"gateways"`
	Sum      []byte                                  `json:"sha256,omitempty"` // of the file without this line; from format 2 on
}

// sum is the checksum of all but itself: a flipped bit in a key would make every card unknown, in silence.
func (f keysFile) sum() ([]byte, error) {
	f.Sum = nil
	b, err := json.Marshal(f)
	h := sha256.Sum256(b)
	return h[:], err
}

type gatewayKeysInAFile struct {
	Token versionedKey `json:"gateway_key"`
	Ask   versionedKey `json:"ask_key"`
}

type symmetricFile struct {
	Card  versionedKey `json:"card_key"`
	PIN   versionedKey `json:"pin_key"`
	Token versionedKey `json:"gateway_key"`
	Ask   versionedKey `json:"ask_key"`
}

// Symmetric is the file symmetric.json of a gateway's provisioning bundle; secret.
func (k Keys) Symmetric(gw access.GatewayID) ([]byte, error) {
	g, ok := k.Gateways[gw]
	if !ok {
		return nil, fmt.Errorf("gateway %s has no keys; add it first", gw)
	}
	return marshal(symmetricFile{
		Card: versionedKey{k.CardVersion, k.CardKey[:]}, PIN: versionedKey{1, k.PINKey[:]},
		Token: versionedKey{1, g.Token[:]}, Ask: versionedKey{1, g.Ask[:]},
	})
}

func marshal(v any) ([]byte, error) {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode keys: %w", err)
	}
	return append(b, '\n'), nil
}

// Save writes the keys' file, mode 0600, in one step: the old file stays whole until the new one is
// on the disk.
func (k Keys) Save(path string) error {
	f := keysFile{
		Format: 2, Card: versionedKey{k.CardVersion, k.CardKey[:]}, PIN: versionedKey{1, k.PINKey[:]},
		Gateways: map[access.GatewayID]gatewayKeysInAFile{},
	}
	for id, g := range k.Gateways {
		f.Gateways[id] = gatewayKeysInAFile{versionedKey{1, g.Token[:]}, versionedKey{1, g.Ask[:]}}
	}
	var err error
	if f.Sum, err = f.sum(); err != nil {
		return fmt.Errorf("write site keys: %w", err)
	}
	b, err := marshal(f)
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".site-keys-*") // made 0600
	if err != nil {
		return fmt.Errorf("write site keys: %w", err)
	}
	defer os.Remove(tmp.Name()) // gone after the rename; else nothing of it may stay
	_, err = tmp.Write(b)
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(path)) // else a power cut could bring the file of before back, without the new gateway
	}
	if err != nil {
		return fmt.Errorf("write site keys: %w", err)
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// LoadKeys reads what Save wrote. A file that others can read is refused.
func LoadKeys(path string) (Keys, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Keys{}, fmt.Errorf("%s: does not exist; run setup first: %w", path, fs.ErrNotExist)
	}
	if err != nil {
		return Keys{}, fmt.Errorf("%s: %w", path, err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return Keys{}, fmt.Errorf("%s: can be read by others; run chmod 600 on it", path)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return Keys{}, fmt.Errorf("%s: %w", path, err)
	}
	var f keysFile
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil || f.Format != 1 && f.Format != 2 {
		return Keys{}, fmt.Errorf("%s: is damaged or of another version: put it back from the copy of the keys", path) // err may quote a key
	}
	if sum, err := f.sum(); err != nil || f.Format == 2 && !bytes.Equal(sum, f.Sum) || f.Format == 1 && f.Sum != nil {
		return Keys{}, fmt.Errorf("%s: is damaged (its checksum does not fit): put it back from the copy of the keys", path)
	}
	k := Keys{CardVersion: f.Card.Version, Gateways: make(map[access.GatewayID]GatewayKeys, len(f.Gateways))}
	bad := !fill(k.CardKey[:], f.Card) || !fill(k.PINKey[:], f.PIN)
	for id, g := range f.Gateways {
		var keys GatewayKeys
		bad = !fill(keys.Token[:], g.Token) || !fill(keys.Ask[:], g.Ask) || bad
		k.Gateways[id] = keys
	}
	if bad {
		return Keys{}, fmt.Errorf("%s: holds a key that is not 32 bytes of version 1 or later", path)
	}
	return k, nil
}

func fill(dst []byte, k versionedKey) bool {
	return k.Version >= 1 && len(k.Key) == len(dst) && copy(dst, k.Key) == len(dst)
}
