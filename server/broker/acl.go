package broker

import (
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// upKinds and downKinds are the kinds of message (docs/protocol.md). A test holds them against
// firmware/wire.
func upKinds() []string {
	return []string{"hello", "heartbeat", "ask", "events", "want", "witness"}
}

func downKinds() []string {
	return []string{"welcome", "lease", "answer", "ack", "policy", "chunk", "command"}
}

// subject is the NATS form of monban/1/<site>/<gateway>/<dir>/<kind>. Sites and gateways hold no
// dot, star or bracket, so the mapping is one to one.
func subject(site, gateway, dir, kind string) string {
	return strings.Join([]string{"monban", "1", site, gateway, dir, kind}, ".")
}

// gatewayPermissions is an allow list of exact topics. There is no deny list: rules of denial had
// holes in past versions of nats-server, and what is not listed is refused anyway.
func gatewayPermissions(site, gateway string) *server.Permissions {
	p := &server.Permissions{Publish: &server.SubjectPermission{}, Subscribe: &server.SubjectPermission{}}
	for _, k := range upKinds() {
		p.Publish.Allow = append(p.Publish.Allow, subject(site, gateway, "up", k))
	}
	for _, k := range downKinds() {
		p.Subscribe.Allow = append(p.Subscribe.Allow, subject(site, gateway, "down", k))
	}
	return p
}

// serverPermissions: of every gateway, but only these kinds in these directions. The server cannot
// publish what a gateway would say.
func serverPermissions(site string) *server.Permissions {
	p := &server.Permissions{Publish: &server.SubjectPermission{}, Subscribe: &server.SubjectPermission{}}
	for _, k := range downKinds() {
		p.Publish.Allow = append(p.Publish.Allow, subject(site, "*", "down", k))
	}
	for _, k := range upKinds() {
		p.Subscribe.Allow = append(p.Subscribe.Allow, subject(site, "*", "up", k))
	}
	p.Publish.Allow = append(p.Publish.Allow, alertSubject(site))
	return p
}

// alertSubject is where the server tells of alerts: fewer levels than any topic of a gateway, so none can be mistaken for it.
func alertSubject(site string) string { return "monban.1." + site + ".alert" }

// readerPermissions: alerts are read, and nothing is said.
func readerPermissions(site string) *server.Permissions {
	return &server.Permissions{Publish: &server.SubjectPermission{Deny: []string{">"}}, Subscribe: &server.SubjectPermission{Allow: []string{alertSubject(site)}}}
}

// Check is nats-server's authentication hook: certificate → topics. Whatever it does not know is
// refused. User name and password of the CONNECT packet count for nothing.
func (b *Broker) Check(c server.ClientAuthentication) bool {
	state := c.GetTLSConnectionState()
	if c.Kind() != server.CLIENT || state == nil || len(state.VerifiedChains) == 0 || len(state.PeerCertificates) == 0 {
		return false
	}
	leaf := state.PeerCertificates[0]
	name, serial := leaf.Subject.CommonName, leaf.SerialNumber.Text(16)
	if b.cfg.Denied != nil && b.cfg.Denied(serial) {
		b.finding(FindingDenied, name)
		return false
	}
	var perms *server.Permissions
	switch {
	case name == b.cfg.Server:
		perms = serverPermissions(b.cfg.Site)
	case slices.Contains(b.cfg.AlertReaders, name): // before gateways: a reader is none, whatever its name
		perms = readerPermissions(b.cfg.Site)
	case validID(name):
		perms = gatewayPermissions(b.cfg.Site, name)
	default: // a name with a star or a dot in it would be a pattern
		b.finding(FindingName, name)
		return false
	}
	if !b.admit(c.GetID(), name, serial) {
		b.finding(FindingConnections, name)
		return false
	}
	// The connection ends with the certificate.
	c.RegisterUser(&server.User{Username: name, Permissions: perms, ConnectionDeadline: leaf.NotAfter})
	return true
}

// admit notes the connection unless its name has too many.
func (b *Broker) admit(id uint64, name, serial string) bool {
	if len(b.cids(func(c *conn) bool { return c.name == name })) >= maxPerName {
		b.prune()
		if len(b.cids(func(c *conn) bool { return c.name == name })) >= maxPerName {
			return false
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.conns[id] = &conn{name: name, serial: serial, since: time.Now()}
	return true
}

// ownClientID reports whether id is name, a hyphen and 16 hex digits. The random part keeps others,
// and a connection's own half-open predecessor, from evicting it.
func ownClientID(name, id string) bool {
	suffix, ok := strings.CutPrefix(id, name+"-")
	return ok && len(suffix) == 16 && strings.Trim(suffix, "0123456789abcdef") == ""
}

// validID is the form of a gateway id.
func validID(s string) bool {
	return len(s) >= 1 && len(s) <= 32 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}
