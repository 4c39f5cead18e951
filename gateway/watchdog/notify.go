package watchdog

import (
	"fmt"
	"os"

	"github.com/coreos/go-systemd/v22/daemon"
)

// Systemd tells the service manager how this process is. A nil Systemd tells nobody.
type Systemd struct{}

var _ Feeder = (*Systemd)(nil)

// FromEnvironment gives nil when NOTIFY_SOCKET names no service manager.
func FromEnvironment() *Systemd {
	if os.Getenv("NOTIFY_SOCKET") == "" {
		return nil
	}
	return &Systemd{}
}

// Feed implements Feeder. Without WatchdogSec= in the unit it is ignored by systemd.
func (s *Systemd) Feed() error { return s.say(daemon.SdNotifyWatchdog) }

// Ready says that every lock is secured and the doors are served.
func (s *Systemd) Ready() error { return s.say(daemon.SdNotifyReady) }

// Stopping says that the end is deliberate.
func (s *Systemd) Stopping() error { return s.say(daemon.SdNotifyStopping) }

func (s *Systemd) say(word string) error {
	if s == nil {
		return nil
	}
	if _, err := daemon.SdNotify(false, word); err != nil {
		return fmt.Errorf("tell systemd %s: %w", word, err)
	}
	return nil
}
