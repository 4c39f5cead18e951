package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"monban/firmware/access"
	"monban/firmware/mono"
	"monban/firmware/wire"
	"monban/gateway/config"
)

// statusFile holds how this gateway stands, for `monban-gateway status`. It is a file and not a port: whoever may read the data folder
// may know, nobody can reach it over the network, and it says what the last state was when the process is dead. It holds no card,
// no person and no key.
const statusFile = "status.json"

const (
	statusLook  = time.Second      // how soon a change stands in the file
	statusAgain = 30 * time.Second // how often it is written though nothing has changed
	statusOld   = 3 * statusAgain  // from then on nobody keeps it
)

const statusFormat = 1

// standing is the file. Times are UTC ms by the gateway's best clock.
type standing struct {
	Format    int    `json:"v"`
	Gateway   string `json:"gateway"`
	Site      string `json:"site"`
	Software  string `json:"software"`
	TimeZone  string `json:"time_zone"`
	PID       int    `json:"pid"`
	Machine   string `json:"machine"` // the kernel's boot id
	WrittenMS int64  `json:"written_ms"`
	RanNS     int64  `json:"ran_ns"`  // CLOCK_BOOTTIME at writing: its age hangs on no clock that is set
	Stopped   bool   `json:"stopped"` // the end was wanted
	StartedMS int64  `json:"started_ms"`
	Before    string `json:"before"` // how the process before this one ended, door.Boot…

	Linked   bool   `json:"linked"`
	LinkedMS int64  `json:"linked_ms"` // since when it is so
	Clock    string `json:"clock"`     // access.ClockQuality
	Heard    bool   `json:"heard"`     // the server's time was heard since start or kept from before
	AheadMS  int64  `json:"ahead_ms"`  // server's time − this machine's, when heard

	Policy   uint64 `json:"policy"` // 0 = none
	Rules    uint64 `json:"rules"`
	PolicyMS int64  `json:"policy_ms"` // last known to be in force
	AgeMS    int64  `json:"age_ms"`

	Pending  uint64 `json:"pending"`
	OldestMS int64  `json:"oldest_ms"` // of what waits for the server; 0 = nothing, or not to be read
	Used     int64  `json:"used"`
	Cap      int64  `json:"cap"`
	Level    string `json:"level"` // outbox.Level
	Latched  bool   `json:"latched"`

	Watchdog string `json:"watchdog"` // none, armed, failed
	Systemd  bool   `json:"systemd"`
	Still    string `json:"still"` // loops that stand still

	CertFromMS int64 `json:"cert_from_ms"`
	CertToMS   int64 `json:"cert_to_ms"`
	Renews     bool  `json:"renews"` // the certificate is renewed by itself

	Doors []doorStanding `json:"doors"`
}

type doorStanding struct {
	ID       string             `json:"id"`
	Observed bool               `json:"observed"` // it has no lock of ours
	Known    bool               `json:"known"`    // false: its loop has not looked yet; what follows says nothing
	State    string             `json:"state"`
	Contact  string             `json:"contact"` // open, closed, unknown, none
	Mode     string             `json:"mode"`
	Tampered bool               `json:"tampered"`
	Faulty   bool               `json:"faulty"`
	Readers  []readerStanding   `json:"readers"`
	Alone    access.OfflineMode `json:"alone"`      // what it does without the server
	MaxAgeMS int64              `json:"max_age_ms"` // how old a policy may be for that
}

type readerStanding struct {
	Side string `json:"side"`
	Lost bool   `json:"lost"`
}

// keepStatus writes the file until ctx ends. A failure is said once and changes nothing at any door.
func (a *App) keepStatus(ctx context.Context) {
	t := time.NewTicker(statusLook)
	defer t.Stop()
	var last string
	var written time.Time
	failed := false
	for {
		s := a.standing()
		s.Stopped = ctx.Err() != nil
		if now := s.changes(); now != last || time.Since(written) >= statusAgain {
			err := s.save(a.opt.Config.DataDir)
			if err != nil && !failed {
				a.opt.Log.LogAttrs(ctx, slog.LevelError, "status file", slog.Any("err", err))
			}
			if failed = err != nil; !failed {
				last, written = now, time.Now()
			}
		}
		if s.Stopped {
			return
		}
		select {
		case <-ctx.Done():
		case <-t.C:
		}
	}
}

func (a *App) standing() standing {
	cfg, now := a.opt.Config, a.anchor.now()
	wall, held := a.anchor.wall(now), a.policies
	s := standing{Format: statusFormat, Gateway: cfg.Gateway, Site: cfg.Site, Software: a.opt.Version, TimeZone: a.current.Load().TimeZone(),
		PID: os.Getpid(), Machine: kernelBoot(), WrittenMS: wall, RanNS: a.anchor.boottime + int64(now), StartedMS: a.anchor.wall(0), Before: a.booted,
		Linked: a.linked.Load(), LinkedMS: a.anchor.wall(mono.Time(a.linkedAt.Load())), Clock: a.anchor.clock().String(),
		Still: a.watched.Still(), Systemd: a.watched.systemd != nil, Watchdog: "none", Renews: cfg.EnrolServer != ""}
	if s.Heard = a.anchor.clock() == access.ClockServer; s.Heard {
		s.AheadMS = wall - time.Now().UnixMilli()
	}
	p, since, age := held.stands()
	s.Policy, s.Rules, s.PolicyMS, s.AgeMS = p.Manifest, p.Parts[0].Version, since, age
	switch {
	case a.watched.failed:
		s.Watchdog = "failed"
	case a.watched.device != nil:
		s.Watchdog = "armed"
	}
	o := a.outbox.Stat()
	s.Pending, s.Used, s.Cap, s.Level, s.Latched = o.Pending, o.Used, o.Cap, o.Level.String(), o.Latched
	if o.Pending > 0 {
		s.OldestMS = a.unsent(o.Epoch, o.Acked+1)
	}
	if c := a.renewal.current.Load(); c.Leaf != nil {
		s.CertFromMS, s.CertToMS = c.Leaf.NotBefore.UnixMilli(), c.Leaf.NotAfter.UnixMilli()
	}
	for i, d := range cfg.Doors {
		s.Doors = append(s.Doors, a.doorStanding(i, d))
	}
	return s
}

func (a *App) doorStanding(i int, d config.Door) doorStanding {
	s := doorStanding{ID: d.ID, Observed: d.Kind != "controlled"}
	f, ok := a.doors[i].Facts()
	s.Known, s.State, s.Contact, s.Mode, s.Tampered, s.Faulty = ok, f.State, f.Contact, f.Mode.String(), f.Tampered, f.Faulty
	if !f.Sensed {
		s.Contact = "none"
	}
	for _, r := range d.Readers {
		s.Readers = append(s.Readers, readerStanding{r.Side, r.Side == "enter" && f.LostEnter || r.Side == "exit" && f.LostExit})
	}
	rules, _ := a.current.Load().Door(access.DoorID(d.ID))
	s.Alone, s.MaxAgeMS = rules.OfflineMode, rules.MaxAgeMS
	return s
}

// unsent is when a record was made, UTC ms; 0 when it cannot be read.
func (a *App) unsent(epoch wire.Epoch, seq uint64) int64 {
	ev, err := a.outbox.Load(epoch, seq, 1)
	if err != nil || len(ev.Records) == 0 {
		return 0
	}
	r, err := wire.ParseRecord(ev.Records[0].Body)
	if err != nil {
		return 0
	}
	return a.anchor.occurred(r.Stamp)
}

// changes is what is worth a write before the next regular one: a memory card wears, and what only grows older can wait.
func (s standing) changes() string {
	s.WrittenMS, s.RanNS, s.StartedMS, s.LinkedMS, s.AheadMS, s.PolicyMS, s.AgeMS, s.Pending, s.OldestMS, s.Used = 0, 0, 0, 0, 0, 0, 0, min(s.Pending, 1), 0, 0
	data, err := json.Marshal(s)
	if err != nil {
		return err.Error()
	}
	return string(data)
}

// save replaces the file. It need not survive a power cut: whoever reads it then is told that the machine was started again.
func (s *standing) save(dir string) error {
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	tmp := filepath.Join(dir, statusFile+".next")
	if err := os.WriteFile(tmp, data, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, filepath.Join(dir, statusFile))
}

// loadStanding reads what a gateway has written. Each error says what to do.
func loadStanding(dir string) (s standing, err error) {
	path := filepath.Join(dir, statusFile)
	data, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return s, fmt.Errorf("%s: not there: monban-gateway run has not run with this data_dir; start it (systemctl start monban-gateway)", path)
	case errors.Is(err, fs.ErrPermission):
		return s, fmt.Errorf("%s: may be read by the gateway's user and root only: use sudo", path)
	case err != nil:
		return s, fmt.Errorf("status of the gateway: %w", err)
	}
	if err := json.Unmarshal(data, &s); err != nil || s.Format != statusFormat {
		return standing{}, fmt.Errorf("%s: is damaged or of another version: start the gateway again", path)
	}
	return s, nil
}

// witnessed is what whoever reads the file sees of the process that wrote it.
type witnessed struct {
	machine string        // the kernel's boot id
	ran     time.Duration // CLOCK_BOOTTIME
	alive   func(pid int) bool
}

func thisMachine() (witnessed, error) {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return witnessed{}, fmt.Errorf("read the boot clock: %w", err)
	}
	return witnessed{kernelBoot(), time.Duration(ts.Nano()), func(pid int) bool {
		err := unix.Kill(pid, 0)
		return err == nil || errors.Is(err, unix.EPERM)
	}}, nil
}

// worst reports whether a door's state is one in which somebody has to look at it.
func (d *doorStanding) worst() bool {
	return slices.Contains([]string{"held_open", "forced", "released", "faulted"}, d.State)
}
