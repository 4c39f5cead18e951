package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	restart    = 2 * time.Second  // between two starts of the gateway
	enrolAgain = 5 * time.Second  // network and time come while it is tried
	lookEvery  = 10 * time.Second // for sticks and new devices
	config     = "/run/monban/gateway.toml"
	identity   = "/data/monban/identity"
	simSocket  = "/run/monban/sim.sock"
)

// gateway keeps the one program running.
type gateway struct {
	*machine
	stop  chan os.Signal
	child *exec.Cmd
	told  map[string]bool // sticks that were looked at
}

// serve returns when the machine is told to stop.
func (g *gateway) serve() error {
	g.told = map[string]bool{}
	g.update(filepath.Join(bootDir, "update"), filepath.Join(ownDir, again), beforeGateway)
	for {
		if err := g.enrol(); err != nil {
			g.say("enrol: %v", err)
			if !g.pause(enrolAgain) {
				return errPowerOff
			}
			continue
		}
		g.cards(ownDir, identity)
		if err := g.work(); err != nil {
			return err
		}
		begun := time.Now()
		err := g.once()
		if errors.Is(err, errPowerOff) {
			return err
		}
		g.say("monban-gateway ended after %s: %v", time.Since(begun).Round(time.Second), err)
		if !g.pause(restart) {
			return errPowerOff
		}
	}
}

// pause waits; false when the machine is told to stop meanwhile.
func (g *gateway) pause(d time.Duration) bool {
	select {
	case <-g.stop:
		return false
	case <-time.After(d):
		return true
	}
}

// command is the program as the gateway's user, who may gain nothing.
func (g *gateway) command(args ...string) *exec.Cmd {
	c := exec.Command(program, args...)
	c.Dir, c.Env = "/", []string{"PATH=/", "HOME=/data/monban", "TZ=UTC"}
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: user, Gid: user}, Setsid: true}
	return c
}

// start starts c with its output in the journal; the channel gives how it ended.
func (g *gateway) start(c *exec.Cmd) (<-chan error, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	c.Stdout, c.Stderr = w, w
	err = c.Start()
	_ = w.Close() // the child has its own
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	go func() { g.out.take(r); _ = r.Close() }()
	ended := make(chan error, 1)
	go func() {
		if err := c.Wait(); err != nil {
			ended <- err
		} else {
			ended <- errTaken
		}
	}()
	return ended, nil
}

// enrol gets an identity with the code of the card, once.
func (g *gateway) enrol() error {
	if _, err := os.Stat(config); err != nil {
		return fmt.Errorf("%s: put gateway.toml into the folder monban of the card", filepath.Base(config))
	}
	if _, err := os.Stat(identity); err == nil || g.cfg.Code == "" {
		return nil // without a code the gateway itself says what is missing
	}
	c := g.command("enrol", "--server", g.cfg.Server, "--gateway", g.cfg.Gateway, "--out", identity, g.cfg.Code)
	ended, err := g.start(c)
	if err != nil {
		return err
	}
	select {
	case err = <-ended:
	case <-g.stop:
		g.stop <- syscall.SIGTERM // for who waits next
		_ = c.Process.Kill()
		<-ended
		return errPowerOff
	}
	if c.ProcessState.Success() {
		return nil
	}
	return err
}

// once runs the gateway until it ends or the machine is told to stop: then locks are secured before anything else ends.
func (g *gateway) once() error {
	args := []string{"start", "--config", config, "--slots", slotsDir}
	lines, simErr := os.ReadFile(filepath.Join(ownDir, "simulate.txt"))
	if simErr == nil { // for trying an image without a door: nothing is driven
		args = []string{"run", "--config", config, "--sim", "--control", simSocket}
	}
	ready, err := openNotify()
	if err != nil {
		return err
	}
	defer func() { _ = ready.Close() }()
	c := g.command(args...)
	c.Env = append(c.Env, "NOTIFY_SOCKET="+notifySocket)
	ended, err := g.start(c)
	if err != nil {
		return err
	}
	g.say("monban-gateway started")
	done := make(chan struct{})
	defer close(done)
	if simErr == nil {
		go g.simulate(strings.Split(string(lines), "\n"), done)
	}
	go g.audit(ready, done)
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		select {
		case err := <-ended:
			return err
		case <-look.C:
			g.devices()
			g.sticks()
		case <-g.stop:
			_ = c.Process.Signal(syscall.SIGTERM)
			select {
			case <-ended:
			case <-time.After(stopLimit):
				_ = c.Process.Kill()
				<-ended
			}
			return errPowerOff
		}
	}
}

// sticks looks for releases on USB sticks, once on each.
func (g *gateway) sticks() {
	var parts []string
	for _, p := range []string{"/dev/sd[a-z][0-9]", "/dev/sd[a-z]"} { // a stick may have no table of partitions
		found, err := filepath.Glob(p)
		if err != nil {
			return
		}
		parts = append(parts, found...)
	}
	there := map[string]bool{}
	for _, p := range parts {
		if there[p] = true; g.told[p] {
			continue
		}
		g.told[p] = true
		const dir = "/run/stick"
		if err := os.MkdirAll(dir, 0o755); err != nil {
			g.say("stick: %v", err)
			return
		}
		if unix.Mount(p, dir, "vfat", unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "umask=0022") != nil {
			continue // the card itself, or a stick of another kind
		}
		for _, sub := range []string{"", "bundle"} {
			g.update(filepath.Join(dir, sub), filepath.Join(dir, again), besideGateway)
		}
		if err := unix.Unmount(dir, 0); err != nil {
			g.say("stick: %v", err)
		}
	}
	for p := range g.told {
		if !there[p] {
			delete(g.told, p) // taken out: the next one is looked at again
		}
	}
}

// update hands a release to the gateway's own check, and once more with --again where a file says so. What it says stands in the log.
func (g *gateway) update(dir, again string, at moment) {
	if _, err := os.Stat(filepath.Join(dir, "MANIFEST")); err != nil {
		return
	}
	from := dir
	if strings.HasPrefix(dir, bootDir) { // which is nobody's but ours: what is needed is copied
		copied, err := copyRelease(dir)
		if err != nil {
			g.say("update: %v", err)
			return
		}
		defer func() { _ = os.RemoveAll(copied) }() // memory
		from = copied
	}
	g.say("update from %s: is checked", dir)
	g.say("update from %s: %v", dir, g.offer(from, again, againUsed, func(dir string, again bool) error { return g.stage(dir, again, at) }))
}

// moment is when a release is looked at.
type moment bool

// Before the gateway starts, a program on trial has been cut short by the power or the watchdog, and nobody has said so yet: its trial is dropped first,
// or its release and again.txt would be refused as being tried, at the start that is to act on them.
const (
	besideGateway moment = false
	beforeGateway moment = true
)

// errTaken is how a program ends that has done what it was asked.
var errTaken = errors.New("exit status 0")

// stageArgs are those of the gateway's check of a release.
func stageArgs(dir string, again bool, at moment) []string {
	args := []string{"update", "--config", config, "--slots", slotsDir, "--root", "/run/monban/release.root", dir}
	if again {
		args = slices.Insert(args, 1, "--again")
	}
	if at == beforeGateway {
		args = slices.Insert(args, 1, "--cut")
	}
	return args
}

// stage runs the gateway's check of a release.
func (g *gateway) stage(dir string, again bool, at moment) error {
	ended, err := g.start(g.command(stageArgs(dir, again, at)...))
	if err == nil {
		err = <-ended
	}
	return err
}

// offer has the release in dir taken; where it is not and the file again is there, once more with --again, if used does not say that this was done.
func (g *gateway) offer(dir, again string, used retries, stage func(dir string, again bool) error) error {
	err := stage(dir, false)
	if errors.Is(err, errTaken) {
		return err
	}
	r, err2 := retryOf(dir, again)
	if errors.Is(err2, os.ErrNotExist) {
		return err
	}
	if err2 == nil {
		err2 = used.once(r, func() error {
			if err := stage(dir, true); !errors.Is(err, errTaken) {
				return err
			}
			g.say("%s: release %d is tried once more, and not again with this file", filepath.Base(again), r.release)
			return nil
		})
	}
	if err2 != nil {
		return fmt.Errorf("%s: %w", filepath.Base(again), err2)
	}
	return errTaken
}

// simulate sends the lines to the simulated doors, one every 5 s, over and over.
func (g *gateway) simulate(lines []string, done <-chan struct{}) {
	for i := 0; ; i++ {
		select {
		case <-done:
			return
		case <-time.After(5 * time.Second):
		}
		line := strings.TrimSpace(lines[i%len(lines)])
		if line == "" {
			continue
		}
		c, err := net.Dial("unix", simSocket)
		if err != nil {
			continue
		}
		_, err = c.Write([]byte(line + "\n"))
		reply := make([]byte, 256)
		n := 0
		if err == nil {
			_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
			n, _ = c.Read(reply)
		}
		_ = c.Close()
		g.say("simulated: %s: %s", line, strings.TrimSpace(string(reply[:n])))
	}
}
