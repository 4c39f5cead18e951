// Package broker runs the embedded MQTT broker: nats-server inside this process with an MQTT
// listener and nothing else. It is the only importer of nats-server.
//
// The broker is never trusted: every message is a signed note, so a fault here can delay or lose
// messages but forges none, and the doors decide alone when it is gone (I6). What it must never do
// is let a gateway use another gateway's topics, or parse a byte from somebody without a
// certificate of this site: nats-server has no recover on its connection goroutines, so a parser
// panic would end the server process.
package broker

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// Limits (measured and argued for QoS 0 with notes of at most 48 KiB).
const (
	// maxPayload closes a connection that sends more; a note is at most 48 KiB.
	maxPayload = 64 << 10
	// What may wait for one reader before it is cut off. nats-server has one limit for all, and the
	// reader that counts is the server's own client: when every gateway comes back at once, each
	// sends its window of records (≤ 48 KiB, and perhaps once more) faster than one client reads.
	// With 1 MiB, 20 gateways together cut the server off (tried). A stuck gateway cannot make that
	// much wait: the server sends it only what it asked for, and writeDeadline ends it after 3 s.
	pendingPerGateway = 96 << 10
	pendingLeast      = 4 << 20
	pendingMost       = 64 << 20
	// writeDeadline is how long one write to a stuck reader may take.
	writeDeadline = 3 * time.Second
	// authTimeout ends a connection that has not finished TLS, and then CONNECT, by then.
	authTimeout = 3 * time.Second
	// handshakes are places beside those of gateways, for connections that have not shown a
	// certificate yet: without them, whoever can reach the port could keep every gateway out with as
	// many silent connections as there are places (tried). authTimeout ends each.
	handshakes = 2048
	// maxStore holds MQTT sessions and retained messages, none of which is of value here.
	maxStore = 16 << 20
	// maxPerName is how many connections one certificate may have: its newest, and the half-open
	// ones it left behind on a bad network until keep-alive ends them.
	maxPerName = 16
	// maxSubs per connection; a gateway has seven topics and the server six patterns.
	maxSubs = 64
	// sweepEvery is how often living connections are held against the deny list and their client
	// ids against their certificates. A denied gateway is cut off within this and ca's look at the list.
	sweepEvery = 250 * time.Millisecond
	// startTimeout is generous: a start takes about 30 ms.
	startTimeout = 10 * time.Second
)

// Config of a Broker. Every field but MaxGateways, Denied and Finding is required.
type Config struct {
	// Listen is host:port; port 0 takes a free one (tests).
	Listen string
	// Site is the site in the topics.
	Site string
	// Server is the common name of the server's own client.
	Server string
	// TLS requires and verifies client certificates and is TLS 1.3 or later.
	TLS *tls.Config
	// RuntimeDir gets a fresh directory for each start; it is removed at the end.
	RuntimeDir string
	// MaxGateways sizes the connection limit; 0 means 400.
	MaxGateways int
	// AlertReaders are common names that may read the topic of alerts and do nothing else.
	AlertReaders []string
	// Denied reports whether a certificate's serial (lower-case hex) is refused; nil refuses none.
	Denied func(serial string) bool
	// Finding is told of what a security officer should see; nil tells nobody. It must not block.
	Finding func(kind Finding, name string)
	Log     *slog.Logger
}

// Finding is the kind of a thing that an honest gateway never does.
type Finding string

// The findings.
const (
	FindingDenied      Finding = "certificate_denied"   // a certificate on the deny list came
	FindingClientID    Finding = "client_id_foreign"    // the MQTT client id is not CN-16 hex digits
	FindingConnections Finding = "too_many_connections" // more connections than one gateway can need
	FindingName        Finding = "certificate_name"     // a common name that is no gateway id
)

// Broker is a running broker.
type Broker struct {
	cfg  Config
	log  *natsLog
	opts *server.Options
	dir  string // this start's own directory

	mu    sync.Mutex
	srv   *server.Server
	conns map[uint64]*conn
	done  bool
}

// conn is one authenticated connection.
type conn struct {
	name    string
	serial  string
	since   time.Time
	checked bool // the client id was looked at
}

// New starts the broker; it serves when New returns. An address in use is an error that names it.
// Whoever gets a Broker calls Run or Close.
func New(cfg Config) (*Broker, error) {
	if err := check(&cfg); err != nil {
		return nil, fmt.Errorf("start broker: %w", err)
	}
	host, port, err := splitListen(cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("start broker: %w", err)
	}
	dir, err := freshDir(cfg.RuntimeDir)
	if err != nil {
		return nil, fmt.Errorf("start broker: make runtime directory: %w", err)
	}
	b := &Broker{cfg: cfg, dir: dir, conns: make(map[uint64]*conn), log: newNatsLog(cfg.Log)}
	b.opts = b.options(host, port)
	srv, err := server.NewServer(b.opts)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start broker: %w", err), os.RemoveAll(dir))
	}
	b.srv = srv
	srv.SetLoggerV2(b.log, false, false, false)
	srv.Start()
	if err := b.started(srv); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

func check(cfg *Config) error {
	switch {
	case cfg.Site == "" || cfg.Server == "" || cfg.RuntimeDir == "" || cfg.Log == nil:
		return errors.New("BUG: site, server name, runtime directory and log are required")
	case cfg.TLS == nil || cfg.TLS.ClientAuth != tls.RequireAndVerifyClientCert || cfg.TLS.MinVersion < tls.VersionTLS13:
		return errors.New("BUG: TLS 1.3 with required and verified client certificates is not a choice")
	}
	if cfg.MaxGateways == 0 {
		cfg.MaxGateways = 400
	}
	return nil
}

// options is every setting in one place. What is not here is nats-server's default.
func (b *Broker) options(host string, port int) *server.Options {
	return &server.Options{
		ServerName: "monban",
		// No NATS clients, cluster, leaf nodes, WebSocket or monitor port: advisories of nats-server
		// were mostly in those, before authentication.
		DontListen:                 true,
		NoSigs:                     true, // signals belong to our process
		CustomClientAuthentication: b,
		MaxPayload:                 maxPayload,
		MaxConn:                    2*b.cfg.MaxGateways + maxPerName + handshakes,
		MaxSubs:                    maxSubs,
		MaxPending:                 min(max(int64(b.cfg.MaxGateways)*pendingPerGateway, pendingLeast), pendingMost),
		WriteDeadline:              writeDeadline,
		AuthTimeout:                authTimeout.Seconds(),
		MaxClosedClients:           100, // the default keeps 10,000 for a monitor port we do not have
		JetStream:                  true,
		StoreDir:                   b.dir,
		JetStreamMaxStore:          maxStore,
		JetStreamMaxMemory:         maxStore,
		DisableJetStreamBanner:     true,
		MQTT: server.MQTTOpts{
			Host: host, Port: port,
			TLSConfig:   b.cfg.TLS.Clone(),
			TLSTimeout:  authTimeout.Seconds(),
			AuthTimeout: authTimeout.Seconds(),
		},
	}
}

// started turns what nats-server only logs into an error.
func (b *Broker) started(srv *server.Server) error {
	if msg := b.log.takeFatal(); msg != "" {
		if strings.Contains(msg, "address already in use") {
			return fmt.Errorf("start broker: address %s is in use by another program", b.cfg.Listen)
		}
		return fmt.Errorf("start broker on %s: %s", b.cfg.Listen, msg)
	}
	if !srv.ReadyForConnections(startTimeout) {
		return fmt.Errorf("start broker on %s: not ready after %v", b.cfg.Listen, startTimeout)
	}
	return nil
}

// Addr is the address the MQTT listener has, with the port taken when Listen said 0.
func (b *Broker) Addr() string {
	return net.JoinHostPort(b.opts.MQTT.Host, strconv.Itoa(b.opts.MQTT.Port))
}

// Run serves until ctx ends, sweeping connections, and returns when all of it has stopped: nil
// after ctx ended, or the broker's own fatal error. Gateways then reconnect or decide alone.
func (b *Broker) Run(ctx context.Context) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return b.Close()
		case now := <-tick.C:
			b.sweep(now)
		case <-b.log.fatalled:
			return errors.Join(fmt.Errorf("broker: %s", b.log.takeFatal()), b.Close())
		}
	}
}

// Close stops the broker and removes its directory. It may be called more than once.
func (b *Broker) Close() error {
	b.mu.Lock()
	if b.done {
		b.mu.Unlock()
		return nil
	}
	b.done = true
	b.mu.Unlock()
	b.srv.Shutdown()
	b.srv.WaitForShutdown()
	if err := os.RemoveAll(b.dir); err != nil {
		return fmt.Errorf("stop broker: %w", err)
	}
	return nil
}

// Kick ends every connection of the gateway and returns how many there were. It may come back at
// once; to keep it out, deny its certificate first.
func (b *Broker) Kick(gateway string) int {
	n := 0
	for _, id := range b.cids(func(c *conn) bool { return c.name == gateway }) {
		if b.srv.DisconnectClientByID(id) == nil {
			n++
		}
	}
	return n
}

// Connections counts the living connections of each name.
func (b *Broker) Connections() map[string]int {
	out := make(map[string]int)
	b.prune()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.conns {
		out[c.name]++
	}
	return out
}

// sweep ends connections whose certificate was denied meanwhile or whose client id is not their
// own. nats-server shows the client id to nobody at authentication, hence a timer.
func (b *Broker) sweep(now time.Time) {
	b.prune()
	if b.cfg.Denied != nil {
		var denied []string
		for _, id := range b.cids(func(c *conn) bool { return b.cfg.Denied(c.serial) }) {
			denied = append(denied, b.nameOf(id))
			_ = b.srv.DisconnectClientByID(id) // gone already is as good
		}
		for _, name := range denied {
			b.finding(FindingDenied, name)
		}
	}
	for _, id := range b.cids(func(c *conn) bool { return !c.checked && now.Sub(c.since) > 0 }) {
		z, err := b.srv.Connz(&server.ConnzOptions{CID: id, Username: true, Limit: 1})
		if err != nil || len(z.Conns) != 1 || z.Conns[0].MQTTClient == "" {
			continue // gone, or CONNECT is not worked off yet
		}
		name := b.nameOf(id)
		if name != "" && !ownClientID(name, z.Conns[0].MQTTClient) {
			_ = b.srv.DisconnectClientByID(id) // gone already is as good
			b.finding(FindingClientID, name)
			continue
		}
		b.mu.Lock()
		if c := b.conns[id]; c != nil {
			c.checked = true
		}
		b.mu.Unlock()
	}
}

// prune forgets connections that nats-server no longer has.
func (b *Broker) prune() {
	for _, id := range b.cids(func(*conn) bool { return true }) {
		if b.srv.GetClient(id) == nil {
			b.mu.Lock()
			delete(b.conns, id)
			b.mu.Unlock()
		}
	}
}

func (b *Broker) cids(match func(*conn) bool) []uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []uint64
	for id, c := range b.conns {
		if match(c) {
			out = append(out, id)
		}
	}
	return out
}

func (b *Broker) nameOf(id uint64) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c := b.conns[id]; c != nil {
		return c.name
	}
	return ""
}

func (b *Broker) finding(kind Finding, name string) {
	b.cfg.Log.Warn("broker finding", slog.String("kind", string(kind)), slog.String("name", name))
	if b.cfg.Finding != nil {
		b.cfg.Finding(kind, name)
	}
}

func splitListen(listen string) (string, int, error) {
	host, portText, err := net.SplitHostPort(listen)
	if err != nil {
		return "", 0, fmt.Errorf("listen address %q is not host:port", listen)
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil || host == "" {
		return "", 0, fmt.Errorf("listen address %q is not host:port", listen)
	}
	if port == 0 {
		return host, -1, nil // nats-server's word for "any free port"
	}
	return host, int(port), nil
}

// freshDir makes a new directory for this start and removes those of processes that died: one of
// forty damaged stores refused clients in a trial, and nothing in it is worth that.
func freshDir(base string) (string, error) {
	if err := os.MkdirAll(base, 0o700); err != nil {
		return "", err
	}
	old, err := filepath.Glob(filepath.Join(base, "broker-*-*"))
	if err != nil {
		return "", err
	}
	for _, d := range old {
		pidText, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(d), "broker-"), "-")
		pid, err := strconv.Atoi(pidText)
		if err != nil || pid <= 0 || pid > math.MaxInt32 {
			continue
		}
		if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			if err := os.RemoveAll(d); err != nil {
				return "", err
			}
		}
	}
	return os.MkdirTemp(base, fmt.Sprintf("broker-%d-*", os.Getpid()))
}
