package wire

import (
	"encoding/base64"
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
	// While the root is changed there are two (D18): NextRoot is the verifier key of the one that will sign the
	// next list, CA and NextCA are the TLS roots of now and then, DER in base64. A gateway trusts both. CA alone
	// says which TLS root is left; without it the one counts that came with the identity.
	CA       string
	NextRoot string // with NextCA, or neither
	NextCA   string
}

// maxCert bounds a TLS root, in base64 characters: one of P-256 has some 700.
const maxCert = 2048

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

type rootLine struct{ name, value string }

// roots are the lines of a change of the root; those without a value are not there.
func (k *Keys) roots() [3]rootLine {
	return [3]rootLine{{"ca", k.CA}, {"next-root", k.NextRoot}, {"next-ca", k.NextCA}}
}

func keysText(k *Keys) string {
	var b strings.Builder
	b.WriteString(keysHead)
	b.WriteString("site " + k.Site + "\nversion " + strconv.FormatUint(k.Version, 10) + "\n")
	for _, line := range k.lines() {
		b.WriteString(line.role.String() + " " + line.vkey + "\n")
	}
	for _, line := range k.roots() {
		if line.value != "" {
			b.WriteString(line.name + " " + line.value + "\n")
		}
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
	for _, line := range []struct {
		name string
		into *string
	}{{"ca", &k.CA}, {"next-root", &k.NextRoot}, {"next-ca", &k.NextCA}} {
		if !strings.HasPrefix(rest, line.name+" ") {
			continue
		}
		if *line.into, rest = keysValue(rest, line.name); *line.into == "" {
			return bad(line.name, "empty")
		}
	}
	if field, err := checkRoots(&k); err != nil {
		return bad(field, err.Error())
	}
	if keysText(&k) != text {
		return bad("", "not canonical")
	}
	return k, nil
}

// checkRoots checks the lines of a change of the root; what a certificate says is the shell's to read.
func checkRoots(k *Keys) (field string, err error) {
	if (k.NextRoot == "") != (k.NextCA == "") || k.NextCA != "" && k.CA == "" {
		return "next-root", errors.New("a change of the root names ca, next-root and next-ca")
	}
	if k.NextRoot != "" {
		if err := checkKey(k.Site, RoleRoot, k.NextRoot); err != nil {
			return "next-root", err
		}
	}
	for _, line := range []rootLine{{"ca", k.CA}, {"next-ca", k.NextCA}} {
		if _, err := base64.StdEncoding.Strict().DecodeString(line.value); err != nil || len(line.value) > maxCert || strings.ContainsAny(line.value, "\r\n") {
			return line.name, errors.New("not a certificate in base64")
		}
	}
	return "", nil
}

// Roots gives the TLS roots that a gateway trusts by this list, DER; none means those of its identity.
func (k Keys) Roots() [][]byte {
	var out [][]byte
	for _, text := range []string{k.CA, k.NextCA} {
		if der, err := base64.StdEncoding.DecodeString(text); err == nil && len(der) > 0 {
			out = append(out, der)
		}
	}
	return out
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
