package watchdog

import (
	"fmt"
	"net"
	"os"
	"strings"
)

// Systemd tells the service manager how this process is, over the socket that it named. A nil Systemd tells nobody.
type Systemd struct {
	conn net.Conn
}

var _ Feeder = (*Systemd)(nil)

// FromEnvironment takes the socket from NOTIFY_SOCKET; without it there is no service manager and the result is nil.
func FromEnvironment() (*Systemd, error) {
	name := os.Getenv("NOTIFY_SOCKET")
	if name == "" {
		return nil, nil
	}
	if strings.HasPrefix(name, "@") { // Linux's abstract namespace
		name = "\x00" + name[1:]
	}
	conn, err := net.Dial("unixgram", name)
	if err != nil {
		return nil, fmt.Errorf("NOTIFY_SOCKET: %w", err)
	}
	return &Systemd{conn}, nil
}

// Feed implements Feeder. Without WatchdogSec= in the unit it is ignored by systemd.
func (s *Systemd) Feed() error { return s.say("WATCHDOG=1") }

// Ready says that every lock is secured and the doors are served.
func (s *Systemd) Ready() error { return s.say("READY=1") }

// Stopping says that the end is deliberate.
func (s *Systemd) Stopping() error { return s.say("STOPPING=1") }

// Close gives the socket up.
func (s *Systemd) Close() error {
	if s == nil {
		return nil
	}
	return s.conn.Close()
}

func (s *Systemd) say(word string) error {
	if s == nil {
		return nil
	}
	if _, err := s.conn.Write([]byte(word)); err != nil {
		return fmt.Errorf("tell systemd %s: %w", word, err)
	}
	return nil
}
