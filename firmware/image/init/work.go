package main

import (
	"errors"
	"hash/fnv"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// What a technician would type with the gateway stopped, and cannot type here: keys of readers and the acceptance of a door (monban.txt), and the
// site's card keys. It is done before the gateway starts, by the gateway's own commands and as its user.
//
// At the door: while readers are paired it has none, and its lock is not touched; an acceptance is the gateway itself.

const (
	sheetsDir   = "/data/monban"
	acceptUsed  = "/data/accepted" // acceptances that were begun; nobody's but ours
	acceptLimit = time.Hour        // the life of its page; then the gateway runs as on every day
	acceptPort  = "8443"
	addressWait = time.Minute // for DHCP, before an acceptance has no page
	cardKeys    = "cards.json"
)

// work does what monban.txt asks for; only errPowerOff comes back, all else stands in the log and the gateway starts.
func (g *gateway) work() error {
	if _, err := os.Stat(identity); err != nil {
		return nil // nothing is recorded without one
	}
	if g.cfg.PairNew {
		if err := g.run(0, "pair", "--config", config, "--new"); errors.Is(err, errPowerOff) {
			return err
		} else if !errors.Is(err, errTaken) {
			g.say("pair: %v", err)
		}
	}
	err := g.accept(retries(acceptUsed), filepath.Join(ownDir, "monban.txt"), addressWait)
	if errors.Is(err, errPowerOff) {
		return err
	}
	if err != nil {
		g.say("commission: %v", err)
	}
	return nil
}

// accept leads through the acceptance of the door that monban.txt names, once each time that the file is written.
func (g *gateway) accept(used retries, file string, wait time.Duration) error {
	if g.cfg.Commission == "" {
		return nil
	}
	st, err := os.Stat(file)
	if err != nil {
		return err
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(g.cfg.Commission)) // never fails
	r := retry{release: int64(h.Sum32()), written: st.ModTime().Unix()}
	before, err := used.read()
	if err != nil || slices.Contains(before, r) {
		return err
	}
	return used.once(r, func() error {
		args := []string{"commission", "--config", config, "--out", sheetsDir}
		if lines, err := os.ReadFile(filepath.Join(ownDir, "simulate.txt")); err == nil { // for trying an image without a door
			args = append(args, "--sim", "--control", simSocket)
			done := make(chan struct{})
			defer close(done)
			go g.simulate(strings.Split(string(lines), "\n"), done)
		}
		if own := g.address(wait); own != "" {
			args = append(args, "--listen", net.JoinHostPort(own, acceptPort))
		} else {
			g.say("commission: no address after %s: the steps stand here, and no page can be opened", wait)
		}
		if err := g.run(acceptLimit, append(args, g.cfg.Commission)...); errors.Is(err, errPowerOff) {
			return err
		} else if !errors.Is(err, errTaken) {
			g.say("commission: %v; write monban.txt anew for another time", err)
		}
		return nil // it was begun, and is not begun again at each start
	})
}

// run runs one of the gateway's commands to its end, or to the end of limit (0 = none); errTaken when it did what it was asked.
func (g *gateway) run(limit time.Duration, args ...string) error {
	c := g.command(args...)
	ended, err := g.start(c)
	if err != nil {
		return err
	}
	var over <-chan time.Time
	if limit > 0 {
		over = time.After(limit)
	}
	select {
	case err := <-ended:
		return err
	case <-over:
	case <-g.stop:
		err = errPowerOff
	}
	_ = c.Process.Signal(syscall.SIGTERM)
	select {
	case e := <-ended:
		return errors.Join(err, e)
	case <-time.After(stopLimit):
		_ = c.Process.Kill()
		return errors.Join(err, <-ended)
	}
}

// address is this machine's own in the network, once there is one; "" when none comes, or the machine is told to stop.
func (g *gateway) address(wait time.Duration) string {
	for end := time.Now().Add(wait); time.Now().Before(end); {
		all, err := net.InterfaceAddrs()
		for _, a := range all {
			if p, ok := a.(*net.IPNet); ok && err == nil && p.IP.To4() != nil && p.IP.IsGlobalUnicast() {
				return p.IP.String()
			}
		}
		if !g.pause(time.Second) {
			g.stop <- syscall.SIGTERM // for who waits next
			return ""
		}
	}
	return ""
}

// cards brings the site's card keys from the card into the identity, where there are none yet.
func (g *gateway) cards(from, to string) {
	data, err := os.ReadFile(filepath.Join(from, cardKeys))
	if errors.Is(err, os.ErrNotExist) {
		return
	}
	if err == nil {
		err = takeCards(data, to)
	}
	switch {
	case errors.Is(err, os.ErrNotExist): // no identity yet
	case err == nil, errors.Is(err, os.ErrExist):
		g.say("%s: the gateway has its keys: delete the file from the card, on which anybody can read it", cardKeys)
	default:
		g.say("%s: %v", cardKeys, err)
	}
}

// takeCards writes the file whole or not at all. The folder is the gateway's user's, who must not lead us elsewhere: no link is followed, and the file
// is given away by what is open, not by its name.
func takeCards(data []byte, to string) (err error) {
	dir, err := os.OpenRoot(to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	if _, err := dir.Lstat(cardKeys); err == nil {
		return os.ErrExist
	}
	const fresh = cardKeys + ".new"
	if err := dir.Remove(fresh); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	f, err := dir.OpenFile(fresh, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Chown(user, user), f.Sync(), f.Close()); err != nil {
		return err
	}
	return dir.Rename(fresh, cardKeys)
}
