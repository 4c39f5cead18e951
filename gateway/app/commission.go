package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/gateway/commission"
	"monban/gateway/config"
	"monban/gateway/outbox"
)

// CommissionOptions of Commission. Options are those of the gateway that is run meanwhile.
type CommissionOptions struct {
	Options
	Door   string // the configuration's id
	Dir    string // folder of the sheet
	Listen string // HOST:PORT of the page for a tablet; empty = none
}

// fetchedFor is how long the page stays after its browser has the sheet.
const fetchedFor = 10 * time.Second

// Commission runs the gateway as on every day and leads somebody through the acceptance of one door meanwhile (ADR
// 0050). It ends when every step was seen or ctx ends, writes the sheet, and records how it ended; beginning and end
// go to the server with the gateway's other records. With a page that somebody has opened it stays, and serves the doors, until the sheet was fetched there
// or the page's hour is over.
func Commission(ctx context.Context, opt CommissionOptions) (sheet string, err error) {
	d, ok := doorOf(opt.Config, opt.Door)
	if !ok {
		return "", fmt.Errorf("door %q is not in the configuration", opt.Door)
	}
	c := &commissioning{opt: opt, guide: commission.New(fitted(opt.Config, d)), begun: time.Now()}
	page, err := c.openPage() // a port that is busy must be known before New arms the watchdog, which only Run gives up
	if err != nil {
		return "", err
	}
	opt.Seen = c.seen
	a, err := New(opt.Options)
	if err != nil {
		return "", errors.Join(err, page.close())
	}
	// The gateway outlives ctx: how the acceptance ended is recorded before the gateway records its own end.
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- a.Run(run) }()
	noteErr := a.noteDoor(opt.Door, "commission")
	if noteErr == nil {
		c.print()
	}
	switch {
	case noteErr != nil:
		noteErr = errors.Join(noteErr, page.close())
	case page != nil:
		page.Status = a.statusText
		page.tell(opt.Out)
		go func() {
			if err := page.serve(run); err != nil {
				_, _ = fmt.Fprintln(opt.Out, err)
			}
		}()
	}
	failed, stopped := error(nil), false
	for noteErr == nil && c.guide.Open() > 0 && ctx.Err() == nil && !stopped {
		select {
		case <-ctx.Done():
		case <-c.guide.Ticked():
		case failed = <-ended:
			stopped = true
		}
	}
	word := "accepted"
	if c.guide.Open() > 0 {
		word = "not_accepted"
	}
	err = error(outbox.ErrClosed)
	if !stopped {
		err = a.noteDoor(opt.Door, word)
		if err == nil && noteErr == nil && page != nil && word == "accepted" {
			sheet, err = c.write()
			page.offer(ctx, sheet, ended)
		}
		stop()
		failed = <-ended
	}
	if errors.Is(err, outbox.ErrClosed) { // the gateway stopped by itself
		failed = errors.Join(failed, errors.New("the gateway stopped"))
		err = noteStopped(opt.Config, opt.Door, word)
	}
	noteErr = errors.Join(noteErr, err)
	if errors.Is(failed, context.Canceled) {
		failed = nil
	}
	err = nil
	if sheet == "" {
		sheet, err = c.write()
	}
	if word != "accepted" {
		err = errors.Join(err, fmt.Errorf("%d steps of door %s were not seen; the sheet says which", c.guide.Open(), opt.Door))
	}
	return sheet, errors.Join(err, noteErr, failed)
}

// noteDoor records work at a door and returns when the record is durable.
func (a *App) noteDoor(id, detail string) error {
	done := make(chan error, 1)
	a.outbox.Append(outbox.Entry{
		Record: wire.Record{Door: access.DoorID(id), Event: door.EventMaintenance, Detail: detail, Stamp: a.anchor.stamp(a.anchor.moment())},
		Done:   func(r outbox.Result) { done <- r.Err },
	})
	select {
	case err := <-done:
		return err
	case <-time.After(time.Minute):
		return fmt.Errorf("record %s: the disk did not take it within a minute", detail)
	}
}

// noteStopped records work at a door of a gateway that has ended.
func noteStopped(cfg config.Config, id, detail string) error {
	j, err := openJournal(cfg)
	if err != nil {
		return fmt.Errorf("record %s: %w", detail, err)
	}
	return errors.Join(j.note(id, detail), j.close())
}

type commissioning struct {
	opt   CommissionOptions
	guide *commission.Guide
	begun time.Time
}

func doorOf(cfg config.Config, id string) (config.Door, bool) {
	for _, d := range cfg.Doors {
		if d.ID == id {
			return d, true
		}
	}
	return config.Door{}, false
}

// fitted says what hangs at the door. The simulator has a tamper switch at every door.
func fitted(cfg config.Config, d config.Door) commission.Fitted {
	f := commission.Fitted{Controlled: d.Kind == "controlled", Request: d.Exit == "button" || d.Exit == "handle", Tamper: cfg.Profile == nil}
	for _, r := range d.Readers {
		if r.Side == "exit" {
			f.ExitReader = true
		} else {
			f.EnterReader = true
		}
	}
	if cfg.Profile != nil {
		if w, ok := cfg.Profile.Door(d.Place); ok {
			f.Tamper = w.Tamper != nil || cfg.Profile.Box.Tamper != nil
		}
	}
	return f
}

// seen takes a record that has become durable. It runs on the outbox's goroutine.
func (c *commissioning) seen(id access.DoorID, event door.Event, side access.Side) {
	if string(id) != c.opt.Door {
		return
	}
	for _, s := range c.guide.See(commission.Seen{Event: event, Side: side}, time.Now()) {
		_, _ = fmt.Fprintf(c.opt.Out, "[x] %s  %s / %s\n", s.Seen.Format(time.TimeOnly), s.Do.JA, s.Do.EN)
	}
}

// print lists what is to be done.
func (c *commissioning) print() {
	_, _ = fmt.Fprintf(c.opt.Out, "Acceptance of door %s, in any order. Ctrl-C ends it with what was seen.\n", c.opt.Door)
	for _, s := range c.guide.Steps() {
		_, _ = fmt.Fprintf(c.opt.Out, "[ ] %s / %s\n", s.Do.JA, s.Do.EN)
	}
}

// write writes the sheet beside others, never over one.
func (c *commissioning) write() (path string, err error) {
	cfg := c.opt.Config
	board := cfg.Board
	if c.opt.Sim {
		board = "(simulated)"
	}
	s := commission.Sheet{Site: cfg.Site, Gateway: cfg.Gateway, Door: c.opt.Door, Board: board, Software: c.opt.Version, Begun: c.begun, Ended: time.Now(),
		Steps: c.guide.Steps(), ByHand: commission.ByHand(fitted(cfg, mustDoor(cfg, c.opt.Door)).Controlled)}
	path = filepath.Join(c.opt.Dir, fmt.Sprintf("acceptance-%s-%s.html", c.opt.Door, c.begun.Format("20060102-150405")))
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return "", fmt.Errorf("acceptance sheet: %w", err)
	}
	return path, errors.Join(s.Write(f), f.Sync(), f.Close()) // the power may go away once the door is accepted
}

func mustDoor(cfg config.Config, id string) config.Door {
	d, _ := doorOf(cfg, id)
	return d
}

// openedPage is the page for a tablet with the port it holds.
type openedPage struct {
	*commission.Page
	listener net.Listener
}

// openPage takes the port, if one is wanted; nil = no port listens.
func (c *commissioning) openPage() (*openedPage, error) {
	if c.opt.Listen == "" {
		return nil, nil
	}
	p, err := commission.NewPage(c.guide, c.opt.Door)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", c.opt.Listen)
	if err != nil {
		return nil, fmt.Errorf("page for a tablet: %w", err)
	}
	return &openedPage{p, l}, nil
}

// tell says how the page is opened.
func (p *openedPage) tell(out io.Writer) {
	_, _ = fmt.Fprintf(out, "Page: https://%s/ for one browser and %v, code %s\nSHA-256 of its certificate, to be compared: %s\n", p.listener.Addr(), commission.PageLife, p.Code(), p.Fingerprint())
}

// close gives back the port of a page that is not served; nil has none.
func (p *openedPage) close() error {
	if p == nil {
		return nil
	}
	return p.listener.Close()
}

// offer waits until the browser that the page was opened in has the sheet. A gateway that ends meanwhile is put back for who waits for it.
func (p *openedPage) offer(ctx context.Context, sheet string, ended chan error) {
	data, err := os.ReadFile(sheet)
	if err != nil || !p.Opened() {
		return // it lies in its folder
	}
	p.Offer(data)
	over := time.After(commission.PageLife)
	fetched := p.Fetched
	for {
		select {
		case <-fetched:
			fetched, over = nil, time.After(fetchedFor)
			continue
		case <-over:
		case <-ctx.Done():
		case err := <-ended:
			ended <- err
		}
		return
	}
}

func (p *openedPage) serve(ctx context.Context) error { return p.Serve(ctx, p.listener) }
