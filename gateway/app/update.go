package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/user"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"monban/firmware/access"
	release "monban/firmware/update"
	"monban/gateway/config"
	"monban/gateway/slot"
)

// TrialLimit is how long a new program may take until it is well.
const TrialLimit = 10 * time.Minute

const (
	wellFor     = time.Minute      // how long it has to be well without a break
	updateEvery = 5 * time.Second  // how often it is looked at
	refusedTold = 10 * time.Minute // how often a broken folder of programs is complained about
)

// UpdateOptions of StageUpdate.
type UpdateOptions struct {
	Config config.Config
	Dir    string // of the release
	Slots  string // folder of programs
	Root   string // file of the root, for the first time
	Again  bool
	Own    int64 // number of this program
	// Cut says that no program of this gateway runs, so that one on trial has had it: it is dropped before the release is looked at, or an again.txt
	// that lies there would be refused at the very start that is to act on it. Dropped is told of it.
	Cut     bool
	Dropped func(number int64)
}

// StageUpdate checks a release and puts its program where the running gateway finds it. It works beside a running gateway and without one.
// Whoever is not the gateway's user would leave files that the gateway cannot read at its next start, and is refused.
func StageUpdate(o UpdateOptions) (slot.Program, error) {
	if err := asOwner(os.Geteuid(), o.Slots, o.Config.DataDir); err != nil {
		return slot.Program{}, err
	}
	dir, err := os.OpenRoot(o.Dir)
	if err != nil {
		return slot.Program{}, err
	}
	defer func() { _ = dir.Close() }() // only read
	store := &slot.Store{Dir: o.Slots}
	if o.Cut {
		number, err := store.Drop()
		if err != nil {
			return slot.Program{}, err
		}
		if number != 0 && o.Dropped != nil {
			o.Dropped(number)
		}
	}
	clock, linked := updateClock(o.Config.DataDir, o.Own)
	return store.Stage(slot.Release{Folder: dir.FS(), Path: programPath(), Clock: clock, Own: o.Own, Root: o.Root, Linked: linked, Again: o.Again})
}

// asOwner refuses a user whom the first of the folders that is there does not belong to, and root where none is there.
func asOwner(euid int, folders ...string) error {
	for _, dir := range folders {
		st, err := os.Stat(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		sys, ok := st.Sys().(*syscall.Stat_t)
		if !ok || int(sys.Uid) == euid {
			return nil
		}
		name, how := "user "+strconv.Itoa(int(sys.Uid)), "sudo -u '#"+strconv.Itoa(int(sys.Uid))+"'"
		if u, err := user.LookupId(strconv.Itoa(int(sys.Uid))); err == nil {
			name, how = u.Username, "runuser -u "+u.Username+" --"
		}
		return fmt.Errorf("%s belongs to %s, and the gateway cannot start from files of another user: type %s monban-gateway update …", dir, name, how)
	}
	if euid == 0 {
		return fmt.Errorf("neither %s is there yet: start the gateway once, then type runuser -u monban-gateway -- monban-gateway update …", strings.Join(folders, " nor "))
	}
	return nil
}

// programPrefix stands before the architecture in a release.
const programPrefix = "programs/monban-gateway-"

// programPath is this machine's program in a release. 32-bit ARM has one, which every Raspberry Pi runs.
func programPath() string {
	arch := runtime.GOARCH
	if arch == "arm" {
		arch = "armv6"
	}
	return programPrefix + arch
}

// updateClock is the time against which a release may have expired, and whether the link was up. A time that nobody vouches for expires
// nothing: then the commit of this program is the latest moment that is certainly over.
func updateClock(data string, own int64) (release.Clock, bool) {
	now := time.Now()
	s, err := loadStanding(data)
	if err == nil {
		here, err2 := thisMachine()
		fresh := err2 == nil && s.Machine == here.machine && here.ran-time.Duration(s.RanNS) < statusOld && !s.Stopped
		if fresh && s.Clock == access.ClockServer.String() {
			return release.Clock{Now: now.Add(time.Duration(s.AheadMS) * time.Millisecond).Unix(), Sure: true}, s.Linked
		}
		if kernelClock() < access.ClockRTC {
			return release.Clock{Now: max(own, s.CertFromMS/1000)}, fresh && s.Linked
		}
		return release.Clock{Now: now.Unix(), Sure: true}, fresh && s.Linked
	}
	if kernelClock() < access.ClockRTC {
		return release.Clock{Now: own}, false
	}
	return release.Clock{Now: now.Unix(), Sure: true}, false
}

// updates looks after the program of this process: says that it is well while it is on trial, and ends the process for the next one.
type updates struct {
	store *slot.Store
	trial int64 // number of this program while it is on trial, 0 = it is not
	log   *slog.Logger
	still func() string // loops that stand still, "" = none
	stand func() []doorStanding
	link  func() bool
	end   func() // ends the process cleanly, locks secured
	every time.Duration
	well  time.Duration
	limit time.Duration
}

// errUnwell ends a process that was on trial.
var errUnwell = errors.New("update: this version did not get well, the one before starts again")

// run returns at the end of ctx, or with an error when the trial has failed. The door: the end of the process secures every lock.
func (u *updates) run(ctx context.Context) error {
	if u == nil {
		return nil
	}
	tick := time.NewTicker(u.every)
	defer tick.Stop()
	began := time.Now()
	var since, told time.Time // since when it is well; when something was last complained about
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		st, err := u.store.State()
		if err != nil {
			if time.Since(told) > refusedTold {
				u.log.LogAttrs(ctx, slog.LevelError, "update", slog.Any("err", err))
				told = time.Now()
			}
			continue
		}
		if u.trial == 0 {
			if st.Next.Number != 0 && !st.Tried && u.calm() {
				u.log.LogAttrs(ctx, slog.LevelInfo, "update: this process ends for the new version", slog.String("version", st.Next.Version))
				u.end()
				return nil
			}
			continue
		}
		why := u.unwell(st.Linked)
		switch {
		case why != "" && time.Since(began) > u.limit:
			u.log.LogAttrs(ctx, slog.LevelError, "update: not well", slog.String("why", why))
			return errUnwell
		case why != "":
			since = time.Time{}
		case since.IsZero():
			since = time.Now()
		case time.Since(since) >= u.well:
			if err := u.store.Well(u.trial); err != nil {
				return fmt.Errorf("update: %w", err) // it will be the one before that starts again
			}
			u.log.LogAttrs(ctx, slog.LevelInfo, "update: this version is well and stays")
			u.trial = 0
		}
	}
}

// calm reports whether every door that is known is locked and not open: a restart cuts nobody's entry short, and what stands open or is out of
// order is for a person first.
func (u *updates) calm() bool {
	for _, d := range u.stand() {
		if d.Known && (d.State != "secured" && d.State != "lockdown" || d.Contact == "open") {
			return false
		}
	}
	return true
}

// unwell says what is missing, "" = nothing. That locks are secured is proved already: a process that could not secure one has ended. Faults of
// wiring are no faults of a program; the link must be up again only where it was up before.
func (u *updates) unwell(linked bool) string {
	if s := u.still(); s != "" {
		return s + " stands still"
	}
	for _, d := range u.stand() {
		if !d.Known {
			return "door " + d.ID + " is not served"
		}
	}
	if linked && !u.link() {
		return "no link to the server, which was up before"
	}
	return ""
}

// openUpdates gives nil where the service manager does not start programs of updates.
func (a *App) openUpdates() *updates {
	if a.opt.Slots == "" {
		return nil
	}
	return &updates{store: &slot.Store{Dir: a.opt.Slots}, trial: a.opt.Trial, log: a.opt.Log, still: a.watched.Still,
		stand: func() []doorStanding {
			var out []doorStanding
			for i, d := range a.opt.Config.Doors {
				out = append(out, a.doorStanding(i, d))
			}
			return out
		}, link: a.linked.Load, end: func() { a.quit() }, every: updateEvery, well: wellFor, limit: TrialLimit}
}
