package sim

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"monban/firmware/card"
	"monban/firmware/wiegand"
)

// Usage lists the lines that Do understands.
const Usage = `badge DOOR SIDE FORMAT FC CN [PIN digits]   hold a card before a reader (SIDE: enter, exit)
show DOOR SIDE LABEL [PIN digits]           the same with a named demo card
bits DOOR SIDE 0101…                        put bits on the lines
keys DOOR SIDE digits                       key in digits, * and #
open DOOR                                   push from outside (fails when locked)
leave DOOR                                  open from inside: always possible
pass DOOR | return DOOR                     open from outside | inside, closed again after 2 s
close DOOR | force DOOR | hold DOOR         hold = open and leave it standing
rex DOOR                                    press the exit button
tamper DOOR on|off | fire DOOR on|off
strike DOOR fail|ok                         the lock output stops obeying
reader DOOR SIDE lost|back
link down|up
mains lost|back | battery low|ok
state DOOR                                  answers with what one sees
status                                      answers link=up|down pending=RECORDS
quit`

// Do carries out one line. The reply is empty but for `state`. An error never repeats a number or
// digits of the line.
func (h *HAL) Do(line string) (reply string, err error) {
	w := strings.Fields(line)
	if len(w) == 0 || strings.HasPrefix(w[0], "#") {
		return "", nil
	}
	switch verb, args := w[0], w[1:]; verb {
	case "badge", "bits", "show", "keys":
		return "", h.doReader(verb, args)
	case "reader":
		return "", h.doCable(args)
	case "link":
		up, err := choice(args, "up", "down")
		if err != nil {
			return "", err
		}
		return "", h.SetLink(up)
	case "mains":
		lost, err := choice(args, "lost", "back")
		if err == nil {
			h.mains.setOn(lost)
		}
		return "", err
	case "battery":
		low, err := choice(args, "low", "ok")
		if err == nil {
			h.cell.setOn(low)
		}
		return "", err
	case "alarm":
		return h.alarms(), nil
	case "status":
		if h.cfg.Status == nil {
			return "", errors.New("no status here")
		}
		return h.cfg.Status(), nil
	case "quit":
		if h.cfg.Quit == nil {
			return "", errors.New("quit is not possible here")
		}
		h.cfg.Quit()
		return "", nil
	default:
		return h.doDoor(verb, args)
	}
}

func (h *HAL) doReader(verb string, args []string) error {
	args, pin, err := cutPIN(args)
	if err != nil {
		return err
	}
	if len(args) < 3 {
		return fmt.Errorf("%s needs a door, a side and more", verb)
	}
	door, side, rest := args[0], args[1], args[2:]
	switch verb {
	case "badge":
		var f wiegand.Frame
		if f, err = parseCard(rest); err == nil {
			err = h.present(door, side, f)
		}
	case "show":
		err = h.Show(door, side, strings.Join(rest, " "))
	case "bits":
		f, bad := wiegand.ParseFrame(rest[0])
		if bad != nil || len(rest) != 1 {
			return errors.New("bits needs one word of 1 to 128 characters 0 and 1")
		}
		err = h.present(door, side, f)
	case "keys":
		err = h.Press(door, side, strings.Join(rest, ""))
	}
	if err != nil || pin == "" {
		return err
	}
	return h.Press(door, side, pin+"#")
}

// cutPIN takes a trailing "PIN digits" off.
func cutPIN(args []string) (rest []string, pin string, err error) {
	n := len(args)
	if n < 2 || args[n-2] != "PIN" {
		return args, "", nil
	}
	if strings.Trim(args[n-1], "0123456789") != "" {
		return nil, "", errors.New("PIN needs digits")
	}
	return args[:n-2], args[n-1], nil
}

func parseCard(w []string) (wiegand.Frame, error) {
	if len(w) != 3 {
		return wiegand.Frame{}, errors.New("a card is given as FORMAT FC CN")
	}
	layout, ok := wiegand.Lookup(card.Format(w[0]))
	if !ok {
		return wiegand.Frame{}, errors.New("unknown card format")
	}
	fc, err1 := strconv.ParseUint(w[1], 10, 64)
	cn, err2 := strconv.ParseUint(w[2], 10, 64)
	if err1 != nil || err2 != nil {
		return wiegand.Frame{}, errors.New("facility code and card number are decimal numbers")
	}
	f, err := wiegand.Encode(layout, wiegand.Fields{FC: fc, CN: cn})
	if err != nil {
		return wiegand.Frame{}, fmt.Errorf("facility code or card number does not fit format %s", layout.Name())
	}
	return f, nil
}

func (h *HAL) doCable(args []string) error {
	if len(args) != 3 {
		return errors.New("reader needs a door, a side and lost or back")
	}
	r, err := h.reader(args[0], args[1])
	if err != nil {
		return err
	}
	lost, err := choice(args[2:], "lost", "back")
	if err != nil {
		return err
	}
	return r.setLost(lost)
}

func (h *HAL) doDoor(verb string, args []string) (string, error) {
	switch verb {
	case "open", "hold", "leave", "pass", "return", "close", "force", "rex", "tamper", "fire", "strike", "state":
	default:
		return "", errors.New("unknown command")
	}
	if len(args) == 0 {
		return "", fmt.Errorf("%s needs a door", verb)
	}
	d := h.door(args[0])
	if d == nil {
		return "", fmt.Errorf("no door %q", args[0])
	}
	switch verb {
	case "tamper", "fire":
		on, err := choice(args[1:], "on", "off")
		if err != nil {
			return "", err
		}
		if verb == "fire" {
			d.fire.setOn(on)
		} else {
			d.tamper.setOn(on)
		}
		return "", nil
	case "strike":
		fail, err := choice(args[1:], "fail", "ok")
		if err == nil && d.lock == nil {
			err = fmt.Errorf("door %s has no lock", d.cfg.ID)
		}
		if err == nil {
			d.lock.fail(fail)
		}
		return "", err
	}
	if len(args) != 1 {
		return "", fmt.Errorf("%s needs a door and nothing else", verb)
	}
	switch verb {
	case "open", "hold":
		return "", d.Open()
	case "pass", "return":
		return "", d.Pass(verb == "return")
	case "leave":
		d.OpenInside()
	case "close":
		d.Shut()
	case "force":
		d.Force()
	case "rex":
		if !d.Request() {
			return "", fmt.Errorf("door %s senses no button or handle", d.cfg.ID)
		}
	case "state":
		return d.State().line(), nil
	}
	return "", nil
}

// choice reads one word that is yes or no.
func choice(args []string, yes, no string) (bool, error) {
	if len(args) != 1 || args[0] != yes && args[0] != no {
		return false, fmt.Errorf("say %s or %s", yes, no)
	}
	return args[0] == yes, nil
}

// line is a state in one line of words.
func (s State) line() string {
	word := func(b bool, yes, no string) string {
		if b {
			return yes
		}
		return no
	}
	out := "contact=" + word(s.Open, "open", "closed")
	if s.HasLock {
		out += " lock=" + word(s.Released, "released", "secured")
	} else {
		out += " lock=none"
	}
	for _, r := range []struct {
		name string
		s    *ReaderState
	}{{"enter", s.Enter}, {"exit", s.Exit}} {
		if r.s != nil {
			out += fmt.Sprintf(" %s=%s,%s,%s", r.name, r.s.Shows.Light, r.s.Shows.Blink, r.s.Shows.Tone)
		}
	}
	return out + " tamper=" + word(s.Tamper, "on", "off") + " fire=" + word(s.Fire, "on", "off")
}

// ServeControl takes lines on a Unix socket until ctx ends: each line is answered by "ok", "ok REPLY"
// or "error: TEXT". The socket is its owner's alone.
func (h *HAL) ServeControl(ctx context.Context, path string) error {
	if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
		_ = c.Close()
		return fmt.Errorf("control socket %s is in use", path)
	}
	if info, err := os.Lstat(path); err == nil && info.Mode().Type() == fs.ModeSocket {
		if err := os.Remove(path); err != nil { // left behind by a killed process
			return fmt.Errorf("control socket: %w", err)
		}
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "unix", path)
	if err != nil {
		return fmt.Errorf("control socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return errors.Join(fmt.Errorf("control socket: %w", err), l.Close())
	}
	var conns sync.WaitGroup
	defer conns.Wait()
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	for {
		c, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("control socket: %w", err)
		}
		conns.Go(func() { h.converse(ctx, c) })
	}
}

func (h *HAL) converse(ctx context.Context, c net.Conn) {
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	defer c.Close()
	sc := bufio.NewScanner(c)
	sc.Buffer(make([]byte, 0, 512), 4096)
	for sc.Scan() {
		answer := "ok"
		reply, err := h.Do(sc.Text())
		switch {
		case err != nil:
			answer = "error: " + err.Error()
		case reply != "":
			answer += " " + reply
		}
		if _, err := fmt.Fprintln(c, answer); err != nil {
			return
		}
	}
}
