package downlink

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	mrand "math/rand/v2"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"monban/firmware/wire"
)

const (
	// keepAlive finds a half-open link in about 7 s; the gateways' leases ended long before.
	keepAlive = 5 * time.Second
	// writeTimeout: paho's default of none lets one half-open link block the publisher for ever.
	writeTimeout = 3 * time.Second
	// connectTimeout bounds TCP, TLS and CONNECT together.
	connectTimeout = 5 * time.Second
	// backoffFirst and backoffMost bound the wait before a reconnect; it is drawn evenly from zero
	// up (full jitter), so that many clients of one broker do not return together.
	backoffFirst = 100 * time.Millisecond
	backoffMost  = 5 * time.Second
	// disconnectQuiesceMS lets paho write what it has before it closes.
	disconnectQuiesceMS = 50
)

// transport is the MQTT client: it connects, subscribes, and connects again. It knows topics only
// as text and messages only as bytes.
type transport struct {
	transportConfig
	kinds []string // kinds from gateways that it subscribes

	client    atomic.Pointer[mqtt.Client] // nil while there is no connection
	connects  atomic.Uint64
	published atomic.Uint64
	failed    atomic.Uint64 // publishes that did not go out
}

// transportConfig is what both connections share.
type transportConfig struct {
	broker string // tls://host:port
	name   string // certificate's common name, the beginning of the client id
	site   string
	tls    *tls.Config
	log    *slog.Logger
	// arrived is called for each message, one at a time and in order; it must not block.
	arrived func(topic string, payload []byte, retained bool)
}

// set copies what two connections share; a transport holds atomics and is not copied itself.
func (t *transport) set(base transportConfig, kinds []string) {
	t.transportConfig = base
	t.kinds = kinds
}

// checkBroker refuses what paho would connect to without TLS.
func checkBroker(broker string) error {
	u, err := url.Parse(broker)
	if err != nil || u.Scheme != "tls" && u.Scheme != "ssl" || u.Host == "" {
		return fmt.Errorf("broker %q is not tls://host:port", broker)
	}
	return nil
}

// run keeps the connection until ctx ends.
func (t *transport) run(ctx context.Context) {
	wait := backoffFirst
	for ctx.Err() == nil {
		began := time.Now()
		err := t.session(ctx)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > backoffMost {
			wait = backoffFirst // it had worked
		}
		pause := time.Duration(mrand.Int64N(int64(wait)))
		t.log.LogAttrs(ctx, slog.LevelWarn, "broker connection ended", slog.Any("error", err), slog.Duration("retry_in", pause))
		wait = min(2*wait, backoffMost)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// session is one connection: it returns when the connection is lost or ctx ended.
func (t *transport) session(ctx context.Context) error {
	lost := make(chan error, 1)
	client, err := t.connect(ctx, lost)
	if err != nil {
		return err
	}
	defer client.Disconnect(disconnectQuiesceMS)
	if err := t.subscribe(ctx, client); err != nil {
		return err
	}
	t.client.Store(&client)
	defer t.client.Store(nil)
	t.connects.Add(1)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case err := <-lost:
		return err
	}
}

func (t *transport) connect(ctx context.Context, lost chan<- error) (mqtt.Client, error) {
	// 64 random bits, new per connection: nobody can evict us by guessing our client id, nor can
	// our own half-open predecessor.
	var id [8]byte
	if _, err := rand.Read(id[:]); err != nil {
		return nil, fmt.Errorf("connect to broker: %w", err)
	}
	o := mqtt.NewClientOptions().
		AddBroker(t.broker).
		SetClientID(t.name + "-" + hex.EncodeToString(id[:])).
		SetTLSConfig(t.tls.Clone()).
		SetProtocolVersion(4).
		SetCleanSession(true).
		SetKeepAlive(keepAlive).
		SetPingTimeout(keepAlive / 2).
		SetWriteTimeout(writeTimeout).
		SetConnectTimeout(connectTimeout).
		SetAutoReconnect(false).
		SetConnectRetry(false).
		SetResumeSubs(false).
		// In order, because the handler only files the message and returns at once. Without order
		// paho starts a goroutine per message, and Go runs the youngest first: two batches that
		// arrive together would regularly change places, and the pump would repeat both.
		SetOrderMatters(true).
		SetDefaultPublishHandler(func(_ mqtt.Client, m mqtt.Message) { t.arrived(m.Topic(), m.Payload(), m.Retained()) }).
		SetConnectionLostHandler(func(_ mqtt.Client, err error) {
			select {
			case lost <- err:
			default:
			}
		})
	client := mqtt.NewClient(o)
	if err := wait(ctx, client.Connect(), connectTimeout); err != nil {
		client.Disconnect(0)
		return nil, fmt.Errorf("connect to broker: %w", err)
	}
	return client, nil
}

// subscribe takes this connection's kinds, of every gateway of the site. The broker refuses
// wider patterns.
func (t *transport) subscribe(ctx context.Context, client mqtt.Client) error {
	filters := make(map[string]byte)
	for _, kind := range t.kinds {
		filters["monban/1/"+t.site+"/+/up/"+kind] = 0
	}
	token := client.SubscribeMultiple(filters, nil)
	if err := wait(ctx, token, connectTimeout); err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	if st, ok := token.(*mqtt.SubscribeToken); ok {
		for filter, code := range st.Result() {
			if code > 2 {
				return fmt.Errorf("subscribe %s: refused by the broker", filter)
			}
		}
	}
	return nil
}

// publish hands one message to the client and does not wait for the network. A message that does
// not go out is repeated by the protocol, not here.
func (t *transport) publish(topic string, payload []byte) {
	client := t.client.Load()
	if client == nil || topic == "" || len(payload) > wire.MaxMessage {
		t.failed.Add(1)
		return
	}
	token := (*client).Publish(topic, 0, false, payload)
	select {
	case <-token.Done():
		if token.Error() != nil {
			t.failed.Add(1)
			return
		}
	default: // under way
	}
	t.published.Add(1)
}

// wait is the one place that waits for a paho token.
func wait(ctx context.Context, token mqtt.Token, limit time.Duration) error {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-token.Done():
		return token.Error()
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return errors.New("no answer in time")
	}
}

// connected reports whether messages can go out now.
func (t *transport) connected() bool { return t.client.Load() != nil }

// rejections counts dropped messages by kind and reason; far off the fast path.
type rejections struct {
	mu sync.Mutex
	by map[Rejection]uint64
}

func (r *rejections) add(kind, why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.by == nil {
		r.by = make(map[Rejection]uint64)
	}
	r.by[Rejection{kind, why}]++
}

func (r *rejections) snapshot() map[Rejection]uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make(map[Rejection]uint64, len(r.by))
	for k, n := range r.by {
		out[k] = n
	}
	return out
}
