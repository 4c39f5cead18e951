package uplink

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"monban/firmware/link"
	"monban/firmware/wire"
)

const (
	keepAlive      = 5 * time.Second
	writeTimeout   = 3 * time.Second // 0, the library's default, would block for ever on a half-open link
	connectTimeout = 5 * time.Second
	backoffFirst   = 200 * time.Millisecond
	backoffMost    = 5 * time.Second
)

// session is the connection of the moment.
type session struct {
	mu     sync.Mutex
	client mqtt.Client
	ended  chan struct{} // closed when client's connection is gone
}

// publish sends once at QoS 0, not retained, and does not wait: the machine repeats what matters.
func (s *session) publish(topic string, payload []byte) {
	s.mu.Lock()
	c := s.client
	s.mu.Unlock()
	if c != nil && len(topic) < 1<<16 {
		c.Publish(topic, 0, false, payload)
	}
}

func (s *session) set(c mqtt.Client, ended chan struct{}) {
	s.mu.Lock()
	s.client, s.ended = c, ended
	s.mu.Unlock()
}

// drop ends the connection at once when cut is set.
func (s *session) drop(cut bool) {
	s.mu.Lock()
	c := s.client
	s.mu.Unlock()
	if cut && c != nil {
		c.Disconnect(0)
	}
}

// connectLoop keeps one connection, with full jitter between attempts, so that gateways that lost the
// server together do not come back together.
func (u *Uplink) connectLoop(ctx context.Context) {
	wait := backoffFirst
	for ctx.Err() == nil {
		u.mu.Lock()
		cut := u.cut
		u.mu.Unlock()
		if !cut {
			ended, err := u.connect(ctx)
			if err == nil {
				wait = backoffFirst
				u.until(ctx, ended)
				u.tell(ctx, link.Disconnected{})
				continue
			}
			u.cfg.Log.LogAttrs(ctx, slog.LevelInfo, "no connection to the server", slog.String("server", u.cfg.Server), slog.Any("err", err))
		}
		pause := time.NewTimer(jitter(wait))
		select {
		case <-ctx.Done():
		case <-pause.C:
		}
		pause.Stop()
		wait = min(2*wait, backoffMost)
	}
}

// jitter is a random part of wait, at least 10 ms. Without randomness it is the whole wait.
func jitter(wait time.Duration) time.Duration {
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		return wait
	}
	return 10*time.Millisecond + time.Duration(binary.BigEndian.Uint64(b[:])%uint64(wait))
}

// until waits for the end of the connection, or ends it with ctx.
func (u *Uplink) until(ctx context.Context, ended <-chan struct{}) {
	poll := time.NewTicker(200 * time.Millisecond)
	defer poll.Stop()
	for {
		select {
		case <-ended:
			u.session.set(nil, nil)
			return
		case <-ctx.Done():
			u.session.mu.Lock()
			c := u.session.client
			u.session.mu.Unlock()
			if c != nil {
				c.Disconnect(100) // what was published has a moment to leave
			}
			return
		case <-poll.C: // Disconnect by drop gives no callback
			u.session.mu.Lock()
			gone := u.session.client == nil || !u.session.client.IsConnectionOpen()
			u.session.mu.Unlock()
			if gone {
				u.session.set(nil, nil)
				return
			}
		}
	}
}

// connect makes one connection and subscribes this gateway's own down topics.
func (u *Uplink) connect(ctx context.Context) (<-chan struct{}, error) {
	var tail [8]byte
	if _, err := rand.Read(tail[:]); err != nil {
		return nil, fmt.Errorf("client id: %w", err)
	}
	conf := u.cfg.TLS
	if u.cfg.Roots != nil { // whom to believe may have changed since the last connection
		conf = conf.Clone()
		conf.RootCAs = u.cfg.Roots()
	}
	ended := make(chan struct{})
	var once sync.Once
	o := mqtt.NewClientOptions().
		AddBroker(u.cfg.Server).
		SetTLSConfig(conf).
		// New for each connection: nobody can evict us by using our id, not even our half-open predecessor.
		SetClientID(string(u.cfg.Gateway) + "-" + hex.EncodeToString(tail[:])).
		SetProtocolVersion(4).
		SetCleanSession(true).
		SetOrderMatters(false).
		SetKeepAlive(keepAlive).
		SetPingTimeout(keepAlive).
		SetWriteTimeout(writeTimeout).
		SetConnectTimeout(connectTimeout).
		SetAutoReconnect(false).
		SetConnectRetry(false).
		SetMaxReconnectInterval(backoffMost).
		SetConnectionLostHandler(func(mqtt.Client, error) { once.Do(func() { close(ended) }) })
	c := mqtt.NewClient(o)
	if err := wait(ctx, c.Connect()); err != nil {
		c.Disconnect(0) // an attempt that comes through later must not live on
		return nil, fmt.Errorf("connect: %w", err)
	}
	topics := map[string]byte{}
	for _, kind := range wire.DownKinds() {
		topics[wire.Topic(u.cfg.Site, u.cfg.Gateway, kind)] = 0
	}
	if err := wait(ctx, c.SubscribeMultiple(topics, u.arrived)); err != nil {
		c.Disconnect(0)
		return nil, fmt.Errorf("subscribe: %w", err)
	}
	u.session.set(c, ended)
	u.mu.Lock()
	cut := u.cut
	u.mu.Unlock()
	u.session.drop(cut) // the cable was pulled while we were connecting
	u.tell(ctx, link.Connected{})
	return ended, nil
}

// wait is only used on the connecting goroutine, never in a callback.
func wait(ctx context.Context, t mqtt.Token) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.Done():
		return t.Error()
	case <-time.After(connectTimeout):
		return fmt.Errorf("no answer within %s", connectTimeout)
	}
}

// arrived is the client's callback: it hands over the bytes and returns.
func (u *Uplink) arrived(_ mqtt.Client, m mqtt.Message) {
	kind := m.Topic()[strings.LastIndexByte(m.Topic(), '/')+1:]
	if m.Topic() != wire.Topic(u.cfg.Site, u.cfg.Gateway, kind) {
		return
	}
	u.post(link.Message{Kind: kind, Payload: m.Payload(), Retained: m.Retained()})
}
