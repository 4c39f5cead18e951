package world

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"
)

// packets is the smallest MQTT 3.1.1 client that can drive a server with a thousand connections from
// the same two cores: QoS 0, clean session, nothing is repeated and nothing is kept alive. Gateways use
// gateway/uplink.
type packets struct {
	conn *tls.Conn
	r    *bufio.Reader
	out  []byte
	in   []byte
}

// MQTT 3.1.1 control packet types (§2.2.1) with their fixed flags.
const (
	packetConnect   = 0x10
	packetConnack   = 0x20
	packetPublish   = 0x30
	packetSubscribe = 0x82
	packetSuback    = 0x90
)

// dialMQTT connects as name and subscribes one topic.
func dialMQTT(ctx context.Context, addr, name, topic string, cfg *tls.Config) (*packets, error) {
	raw, err := (&tls.Dialer{Config: cfg}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("connect %s: %w", name, err)
	}
	p := &packets{conn: raw.(*tls.Conn), r: bufio.NewReaderSize(raw, 2048)}
	var tail [8]byte
	_, _ = rand.Read(tail[:])                           // crypto/rand never fails
	body := append(appendText(nil, "MQTT"), 4, 2, 0, 0) // level 4, clean session, no keep-alive
	body = appendText(body, name+"-"+hex.EncodeToString(tail[:]))
	err = p.exchange(packetConnect, body, packetConnack)
	if err == nil {
		err = p.exchange(packetSubscribe, append(appendText([]byte{0, 1}, topic), 0), packetSuback)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("connect %s: %w", name, err), p.conn.Close())
	}
	return p, nil
}

// exchange sends a packet and wants this one back, with a last byte below 0x80: a return code of no
// refusal.
func (p *packets) exchange(kind byte, body []byte, want byte) error {
	if err := p.send(kind, body); err != nil {
		return err
	}
	if err := p.conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return err
	}
	got, back, err := p.next()
	if err != nil {
		return err
	}
	code := byte(0xff)
	if len(back) > 0 {
		code = back[len(back)-1]
	}
	if got != want || code != 0 {
		return fmt.Errorf("broker refused: packet %#x, code %d", got, code)
	}
	return nil
}

func (p *packets) send(kind byte, parts ...[]byte) error {
	n := 0
	for _, b := range parts {
		n += len(b)
	}
	p.out = binary.AppendUvarint(append(p.out[:0], kind), uint64(n)) // the remaining length is a uvarint
	for _, b := range parts {
		p.out = append(p.out, b...)
	}
	_, err := p.conn.Write(p.out)
	return err
}

// publish sends a message; topic is in its wire form (appendText).
func (p *packets) publish(topic, payload []byte) error { return p.send(packetPublish, topic, payload) }

// message waits for the next message and gives its payload, which is valid until the next call.
func (p *packets) message() ([]byte, error) {
	for {
		kind, body, err := p.next()
		if err != nil {
			return nil, err
		}
		if kind&0xf0 != packetPublish || len(body) < 2 {
			continue
		}
		n := 2 + int(binary.BigEndian.Uint16(body))
		if n > len(body) {
			return nil, errors.New("broken PUBLISH")
		}
		return body[n:], nil
	}
}

func (p *packets) next() (kind byte, body []byte, err error) {
	if kind, err = p.r.ReadByte(); err != nil {
		return 0, nil, err
	}
	n, err := binary.ReadUvarint(p.r)
	if err != nil {
		return 0, nil, err
	}
	if n > 1<<20 {
		return 0, nil, errors.New("packet too large")
	}
	if uint64(cap(p.in)) < n {
		p.in = make([]byte, n)
	}
	p.in = p.in[:n]
	_, err = io.ReadFull(p.r, p.in)
	return kind, p.in, err
}

// appendText appends a string as MQTT writes it: two bytes of length, then the bytes.
func appendText(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}
