package faultproxy

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

// MQTT 3.1.1 control packet types (§2.2.1), the high half of a frame's first byte.
const (
	typePublish = 0x30
	typeSuback  = 0x90
)

// maxFrame bounds what is read into memory; a note is at most 48 KiB.
const maxFrame = 1 << 20

// frame is one MQTT control packet.
type frame struct {
	first byte   // type and flags
	body  []byte // after the remaining length
}

func readFrame(r *bufio.Reader) (frame, error) {
	first, err := r.ReadByte()
	if err != nil {
		return frame{}, err
	}
	n, err := binary.ReadUvarint(r) // the remaining length is coded as a uvarint is
	if err != nil {
		return frame{}, err
	}
	if n > maxFrame {
		return frame{}, fmt.Errorf("frame of %d bytes", n)
	}
	f := frame{first, make([]byte, n)}
	_, err = io.ReadFull(r, f.body)
	return f, err
}

func (f frame) bytes() []byte {
	return append(binary.AppendUvarint([]byte{f.first}, uint64(len(f.body))), f.body...)
}

// split takes a PUBLISH apart: head is everything before the payload, as it is in the body.
func (f frame) split() (topic string, head, payload []byte, err error) {
	if f.first&0xf0 != typePublish || len(f.body) < 2 {
		return "", nil, nil, errors.New("not a PUBLISH")
	}
	n := 2 + int(binary.BigEndian.Uint16(f.body))
	if n > len(f.body) {
		return "", nil, nil, errors.New("a PUBLISH shorter than its topic")
	}
	topic = string(f.body[2:n])
	if f.first&0x06 != 0 { // a packet identifier follows at QoS 1 and 2
		if n += 2; n > len(f.body) {
			return "", nil, nil, errors.New("a PUBLISH without its packet identifier")
		}
	}
	return topic, f.body[:n], f.body[n:], nil
}

// publish is a PUBLISH at QoS 0.
func publish(m Message) frame {
	first := byte(typePublish)
	if m.Retain {
		first |= 1
	}
	body := binary.BigEndian.AppendUint16(nil, uint16(len(m.Topic)))
	return frame{first, append(append(body, m.Topic...), m.Payload...)}
}

// class is the kind of message: the last part of its topic.
func class(topic string) string { return topic[strings.LastIndexByte(topic, '/')+1:] }
