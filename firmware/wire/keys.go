package wire

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"monban/firmware/access"
)

// Keys names the server's role keys of a site. The offline root signs it (D18); it travels in every
// welcome, so that a role key can change without a visit to the gateways.
type Keys struct {
	Site    string
	Version uint64 // never falls; from 1
	Link    string // verifier keys as package note writes them
	Policy  string
	Command string
	Log     string
}

const keysHead = "monban keys 1\n"

// KeyName is the name of a role's note key at a site: monban/<site>/<role>. Gateways: GatewayKeyName;
// the log key is named after its hash instead, see LogKeyName.
func KeyName(site string, role Role) string { return "monban/" + site + "/" + role.String() }

// GatewayKeyName is the name of a gateway's note key: monban/<site>/gw/<id>.
func GatewayKeyName(site string, gw access.GatewayID) string {
	return KeyName(site, RoleGateway) + "/" + string(gw)
}

// ValidLogKeyName reports whether name is a log's name: monban/ and 8 lower-case hex digits. It is
// the origin of the log's checkpoints and tells nothing about the site.
func ValidLogKeyName(name string) bool {
	digits, ok := strings.CutPrefix(name, "monban/")
	if !ok || len(digits) != 8 {
		return false
	}
	for i := range len(digits) {
		if nibble(digits[i]) > 15 {
			return false
		}
	}
	return true
}

// SealKeys writes and signs the keys note.
func SealKeys(root note.Signer, k Keys) (string, error) {
	text := keysText(&k)
	if _, err := parseKeysText(text); err != nil {
		return "", err
	}
	msg, err := note.Sign(&note.Note{Text: text}, root)
	if err != nil {
		return "", fmt.Errorf("seal keys: %w", err)
	}
	if len(msg) > maxNote {
		return "", &Error{Fault: FaultTooLarge, Kind: "keys"}
	}
	return string(msg), nil
}

// OpenKeys verifies a keys note with the root's key and checks that it is this site's.
func OpenKeys(root note.Verifier, site, msg string) (Keys, error) {
	if len(msg) > maxNote {
		return Keys{}, &Error{Fault: FaultTooLarge, Kind: "keys"}
	}
	n, err := openNote(root, []byte(msg))
	if err != nil {
		return Keys{}, &Error{Fault: FaultSignature, Kind: "keys", Detail: err.Error()}
	}
	k, err := parseKeysText(n.Text)
	if err != nil {
		return Keys{}, err
	}
	if k.Site != site {
		return Keys{}, &Error{Fault: FaultTopic, Kind: "keys", Detail: "for another site"}
	}
	return k, nil
}

// Verifiers gives the verifiers that a gateway of this site uses for what the server sends.
func (k Keys) Verifiers() (Verifiers, error) {
	var v Verifiers
	for _, line := range k.lines() {
		verifier, err := note.NewVerifier(line.vkey)
		if err != nil {
			return Verifiers{}, fmt.Errorf("keys note: role %s: %w", line.role, err)
		}
		v = v.With(line.role, verifier)
	}
	return v, nil
}

type keyLine struct {
	role Role
	vkey string
}

func (k *Keys) lines() [4]keyLine {
	return [4]keyLine{{RoleLink, k.Link}, {RolePolicy, k.Policy}, {RoleCommand, k.Command}, {RoleLog, k.Log}}
}

func keysText(k *Keys) string {
	var b strings.Builder
	b.WriteString(keysHead)
	b.WriteString("site " + k.Site + "\nversion " + strconv.FormatUint(k.Version, 10) + "\n")
	for _, line := range k.lines() {
		b.WriteString(line.role.String() + " " + line.vkey + "\n")
	}
	return b.String()
}

func parseKeysText(text string) (k Keys, err error) {
	bad := func(field, detail string) (Keys, error) {
		return Keys{}, &Error{Fault: FaultBody, Kind: "keys", Field: field, Detail: detail}
	}
	rest, ok := strings.CutPrefix(text, keysHead)
	if !ok {
		return Keys{}, &Error{Fault: FaultVersion, Kind: "keys"}
	}
	if k.Site, rest = keysValue(rest, "site"); !ValidID(k.Site) {
		return bad("site", "not 1 to 32 characters of [a-z0-9-]")
	}
	version, rest := keysValue(rest, "version")
	if k.Version, err = strconv.ParseUint(version, 10, 64); err != nil || k.Version == 0 {
		return bad("version", "not a number from 1")
	}
	for _, line := range []struct {
		role Role
		into *string
	}{{RoleLink, &k.Link}, {RolePolicy, &k.Policy}, {RoleCommand, &k.Command}, {RoleLog, &k.Log}} {
		*line.into, rest = keysValue(rest, line.role.String())
		if err := checkKey(k.Site, line.role, *line.into); err != nil {
			return bad(line.role.String(), err.Error())
		}
	}
	if keysText(&k) != text {
		return bad("", "not canonical")
	}
	return k, nil
}

// keysValue takes the line "name value" off text.
func keysValue(text, name string) (value, rest string) {
	line, rest, _ := strings.Cut(text, "\n")
	value, ok := strings.CutPrefix(line, name+" ")
	if !ok {
		return "", rest
	}
	return value, rest
}

func checkKey(site string, role Role, vkey string) error {
	v, err := note.NewVerifier(vkey)
	if err != nil {
		return errors.New("no verifier key")
	}
	if role == RoleLog && ValidLogKeyName(v.Name()) || role != RoleLog && v.Name() == KeyName(site, role) {
		return nil
	}
	return errors.New("named for another role or site")
}

// KeysInWelcome takes the keys note out of a welcome WITHOUT verifying the welcome's signature. Its
// only use is OpenKeys, which verifies the root's: so a gateway can follow a change of the link key,
// which the welcome itself is signed with.
func KeysInWelcome(site string, gw access.GatewayID, msg []byte) (string, error) {
	if len(msg) > MaxMessage {
		return "", &Error{Fault: FaultTooLarge, Kind: KindWelcome}
	}
	end := strings.Index(string(msg), "\n\n")
	if end < 0 {
		return "", &Error{Fault: FaultSignature, Kind: KindWelcome, Detail: "malformed note"}
	}
	body, err := openText(msg[:end+1], site, gw, KindWelcome, kindInfo{role: RoleLink})
	if err != nil {
		return "", err
	}
	m, err := ParseWelcome(body)
	return m.Keys, err
}
