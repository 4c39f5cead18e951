package wire

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/note"

	"monban/firmware/access"
)

// MaxMessage is the longest note in bytes. The embedded broker closes a connection at 64 KiB.
const MaxMessage = 48 << 10

// MaxChunk is the longest policy chunk in bytes.
const MaxChunk = 32 << 10

// Role is who may sign. Each kind of message accepts exactly one.
type Role uint8

// The roles; the zero role signs nothing.
const (
	RoleNone    Role = iota
	RoleGateway      // a gateway's own note key
	RoleLink         // server: welcome, lease, answer, ack
	RolePolicy       // server: manifest
	RoleCommand      // server: commands
	RoleLog          // server: checkpoints of the entry log
	RoleRoot         // offline: the keys note
	roleCount
)

var roleNames = [roleCount]string{"none", "gw", "link", "policy", "command", "log", "root"}

// String gives the name that stands in key names and in the keys note.
func (r Role) String() string {
	if r < roleCount {
		return roleNames[r]
	}
	return roleNames[RoleNone]
}

// Verifiers holds at most one verifier per role. The zero value verifies nothing.
type Verifiers struct {
	by [roleCount]note.Verifier
}

// With returns a copy in which v verifies role. RoleNone cannot be given a verifier.
func (v Verifiers) With(role Role, verifier note.Verifier) Verifiers {
	if role > RoleNone && role < roleCount {
		v.by[role] = verifier
	}
	return v
}

// For gives the verifier of a role; nil when there is none.
func (v Verifiers) For(role Role) note.Verifier {
	if role < roleCount {
		return v.by[role]
	}
	return nil
}

// only is a note.Verifiers that knows one key.
type only struct{ v note.Verifier }

func (o only) Verifier(name string, hash uint32) (note.Verifier, error) {
	if o.v.Name() == name && o.v.KeyHash() == hash {
		return o.v, nil
	}
	return nil, &note.UnknownVerifierError{Name: name, KeyHash: hash}
}

// Seal signs body as a message of the given kind, bound to its topic. The result is a note whose
// text is one JSON line. It refuses what Open would refuse: reserved and unsigned kinds, bodies
// with control characters or invalid UTF-8, notes longer than MaxMessage.
func Seal(signer note.Signer, site string, gw access.GatewayID, kind string, body []byte) ([]byte, error) {
	info, err := checkKind(kind)
	if err != nil {
		return nil, err
	}
	if !ValidID(site) || !ValidID(string(gw)) {
		return nil, &Error{Fault: FaultTopic, Kind: kind, Detail: "invalid site or gateway"}
	}
	if !bodyForm(body) {
		return nil, &Error{Fault: FaultBody, Kind: kind, Detail: "not one line of JSON object"}
	}
	var text strings.Builder
	text.Grow(len(body) + 160)
	writePrefix(&text, site, gw, kind, info)
	text.Write(body)
	text.WriteString("}\n")
	msg, err := note.Sign(&note.Note{Text: text.String()}, signer)
	if err != nil {
		return nil, fmt.Errorf("seal %s: %w", kind, err)
	}
	if len(msg) > MaxMessage {
		return nil, &Error{Fault: FaultTooLarge, Kind: kind}
	}
	return msg, nil
}

// Open checks a message and gives its body, which still has to be parsed. It checks size, the
// signature by the one role of the kind, version, kind and topic, in this order, before anybody
// sees the body. The body is a part of msg: it lives and changes with it.
func Open(v Verifiers, site string, gw access.GatewayID, kind string, msg []byte) (body []byte, err error) {
	info, err := checkKind(kind)
	if err != nil {
		return nil, err
	}
	if len(msg) > MaxMessage {
		return nil, &Error{Fault: FaultTooLarge, Kind: kind}
	}
	n, err := openNote(v.For(info.role), msg)
	if err != nil {
		return nil, &Error{Fault: FaultSignature, Kind: kind, Detail: err.Error()}
	}
	return openText(msg[:len(n.Text)], site, gw, kind, info)
}

// openNote wants exactly one signature, by v. More lines would let a stranger change a message's
// bytes without changing what it says.
func openNote(v note.Verifier, msg []byte) (*note.Note, error) {
	if v == nil { // a role without a key verifies nothing
		return nil, fmt.Errorf("no key is held for the role")
	}
	n, err := note.Open(msg, only{v})
	if err != nil {
		return nil, err
	}
	if len(n.Sigs) != 1 || len(n.UnverifiedSigs) != 0 {
		return nil, fmt.Errorf("%d signatures, want one", len(n.Sigs)+len(n.UnverifiedSigs))
	}
	return n, nil
}

func checkKind(kind string) (kindInfo, error) {
	info, ok := infoOf(kind)
	switch {
	case !ok:
		return info, &Error{Fault: FaultKind, Kind: "message", Detail: "no such kind"}
	case info.reserved:
		return info, &Error{Fault: FaultReserved, Kind: kind}
	case info.role == RoleNone:
		return info, &Error{Fault: FaultKind, Kind: kind, Detail: "travels without an envelope"}
	}
	return info, nil
}

const (
	envVersion = `{"monban":1,"kind":"`
	envTopic   = `","topic":"`
	envBody    = `","body":`
)

func writePrefix(w *strings.Builder, site string, gw access.GatewayID, kind string, info kindInfo) {
	w.WriteString(envVersion)
	w.WriteString(kind)
	w.WriteString(envTopic)
	w.WriteString(topicPrefix)
	w.WriteString(site)
	w.WriteByte('/')
	w.WriteString(string(gw))
	if info.up {
		w.WriteString("/up/")
	} else {
		w.WriteString("/down/")
	}
	w.WriteString(kind)
	w.WriteString(envBody)
}

// openText takes the envelope off a verified text. Everything before the body is a constant for
// given site, gateway and kind, so it is compared, not parsed.
func openText(text []byte, site string, gw access.GatewayID, kind string, info kindInfo) ([]byte, error) {
	rest, ok := bytes.CutPrefix(text, []byte(envVersion))
	if !ok {
		return nil, &Error{Fault: FaultVersion, Kind: kind}
	}
	if rest, ok = cutString(rest, kind); !ok {
		return nil, &Error{Fault: FaultKind, Kind: kind, Detail: "sealed as another kind"}
	}
	if rest, ok = cutString(rest, envTopic); !ok {
		return nil, &Error{Fault: FaultKind, Kind: kind, Detail: "sealed as another kind"}
	}
	var want strings.Builder
	writePrefix(&want, site, gw, kind, info)
	tail := want.String()[len(envVersion)+len(kind)+len(envTopic):]
	body, ok := cutString(rest, tail)
	if !ok {
		return nil, &Error{Fault: FaultTopic, Kind: kind, Detail: "sealed for another topic"}
	}
	body, ok = bytes.CutSuffix(body, []byte("}\n"))
	if !ok || !bodyForm(body) {
		return nil, &Error{Fault: FaultBody, Kind: kind, Detail: "not one line of JSON object"}
	}
	return body, nil
}

func cutString(b []byte, prefix string) ([]byte, bool) {
	if len(b) < len(prefix) || string(b[:len(prefix)]) != prefix {
		return nil, false
	}
	return b[len(prefix):], true
}

// bodyForm reports whether body looks like one JSON object on one line. note.Sign would sign
// control characters that note.Open refuses.
func bodyForm(body []byte) bool {
	if len(body) < 2 || body[0] != '{' || body[len(body)-1] != '}' {
		return false
	}
	ascii := true
	for _, c := range body {
		if c < 0x20 {
			return false
		}
		ascii = ascii && c < utf8.RuneSelf
	}
	return ascii || utf8.Valid(body)
}
