package uplink

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// OP-3: each connection has a client id of its own that nobody can guess, so that no other gateway, and not the
// half-open connection of before, can end it by using the same. The broker here takes the id and hangs up.
func TestClientIDs(t *testing.T) {
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ids := make(chan string, 16)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if id, err := clientID(c); err == nil {
				select {
				case ids <- id:
				default:
				}
			}
			_ = c.Close() // the uplink tries again
		}
	}()
	u := newTest(t)
	u.cfg.Server = "tcp://" + l.Addr().String()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { u.Run(ctx); close(ended) }()
	seen := map[string]bool{}
	for limit := time.After(time.Minute); len(seen) < 3; {
		select {
		case id := <-ids:
			random, ok := strings.CutPrefix(id, "gw-1-")
			if !ok || len(random) < 16 || seen[id] {
				t.Fatalf("client id %q: want gw-1- and 64 new random bits; seen: %v", id, seen)
			}
			seen[id] = true
		case <-limit:
			t.Fatalf("%d connections within a minute", len(seen))
		}
	}
	cancel()
	<-ended
}

// clientID reads an MQTT 3.1.1 CONNECT and gives its client identifier.
func clientID(c net.Conn) (string, error) {
	r := bufio.NewReader(c)
	if _, err := r.ReadByte(); err != nil { // the type
		return "", err
	}
	if _, err := binary.ReadUvarint(r); err != nil { // the remaining length has the same form
		return "", err
	}
	head := make([]byte, 10) // protocol name, level, flags, keep alive
	if _, err := io.ReadFull(r, head); err != nil {
		return "", err
	}
	var n uint16
	if err := binary.Read(r, binary.BigEndian, &n); err != nil {
		return "", err
	}
	id := make([]byte, n)
	_, err := io.ReadFull(r, id)
	return string(id), err
}
