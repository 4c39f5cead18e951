package wire

import (
	"strings"

	"monban/firmware/access"
)

// Kinds of message; the last element of a topic.
const (
	KindHello     = "hello"
	KindHeartbeat = "heartbeat"
	KindAsk       = "ask"
	KindEvents    = "events"
	KindWant      = "want"
	KindWitness   = "witness"

	KindWelcome = "welcome"
	KindLease   = "lease"
	KindAnswer  = "answer"
	KindAck     = "ack"
	KindPolicy  = "policy" // a Manifest
	KindChunk   = "chunk"  // raw bytes, no envelope: their hash stands in a manifest
	KindCommand = "command"
)

// kindInfo is what the protocol fixes for a kind.
type kindInfo struct {
	up       bool // from the gateway to the server
	role     Role // the one role that signs it; RoleNone = unsigned
	reserved bool
}

func infoOf(kind string) (kindInfo, bool) {
	switch kind {
	case KindHello, KindHeartbeat, KindAsk, KindEvents, KindWant, KindWitness:
		return kindInfo{up: true, role: RoleGateway}, true
	case KindWelcome, KindLease, KindAnswer, KindAck:
		return kindInfo{role: RoleLink}, true
	case KindPolicy:
		return kindInfo{role: RolePolicy}, true
	case KindChunk:
		return kindInfo{role: RoleNone}, true
	case KindCommand:
		return kindInfo{role: RoleCommand}, true
	}
	return kindInfo{}, false
}

// UpKinds lists the kinds a gateway publishes, the reserved ones included: its publish allow-list.
func UpKinds() []string {
	return []string{KindHello, KindHeartbeat, KindAsk, KindEvents, KindWant, KindWitness}
}

// DownKinds lists the kinds a gateway subscribes, the reserved ones included.
func DownKinds() []string {
	return []string{KindWelcome, KindLease, KindAnswer, KindAck, KindPolicy, KindChunk, KindCommand}
}

// RoleOf gives the role that signs a kind; RoleNone for chunk and for kinds that do not exist.
func RoleOf(kind string) Role {
	info, _ := infoOf(kind)
	return info.role
}

const topicPrefix = "monban/1/"

// Topic names where a kind travels: monban/1/<site>/<gateway>/up|down/<kind>. It is "" for a kind
// that does not exist.
func Topic(site string, gw access.GatewayID, kind string) string {
	info, ok := infoOf(kind)
	if !ok {
		return ""
	}
	way := "/down/"
	if info.up {
		way = "/up/"
	}
	return topicPrefix + site + "/" + string(gw) + way + kind
}

// ParseTopic is the inverse of Topic. Anything else, a kind on the wrong way included, is an error
// with FaultTopic.
func ParseTopic(topic string) (site string, gw access.GatewayID, kind string, err error) {
	bad := func(detail string) (string, access.GatewayID, string, error) {
		return "", "", "", &Error{Fault: FaultTopic, Kind: "topic", Detail: detail}
	}
	rest, ok := strings.CutPrefix(topic, topicPrefix)
	if !ok {
		return bad("does not begin with " + topicPrefix)
	}
	site, rest, _ = strings.Cut(rest, "/")
	gateway, rest, _ := strings.Cut(rest, "/")
	way, kind, _ := strings.Cut(rest, "/")
	if !ValidID(site) || !ValidID(gateway) {
		return bad("site and gateway are 1 to 32 characters of [a-z0-9-]")
	}
	info, ok := infoOf(kind)
	if !ok || info.up != (way == "up") || !info.up && way != "down" {
		return bad("no such kind on this way")
	}
	return site, access.GatewayID(gateway), kind, nil
}

// ValidID reports whether s may name a site, gateway or door: 1–32 characters of [a-z0-9-].
func ValidID(s string) bool {
	if len(s) == 0 || len(s) > maxID {
		return false
	}
	for i := range len(s) {
		if !idByte(s[i]) {
			return false
		}
	}
	return true
}
