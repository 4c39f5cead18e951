package pi

import (
	"crypto/rand"
	"errors"
	"log/slog"
	"sync"
	"time"

	"monban/firmware/card"
	"monban/firmware/mono"
	"monban/firmware/nfc"
	"monban/firmware/pn532"
	"monban/gateway/hal"
)

// Times of a reader with a card module.
const (
	lookEvery   = 100 * time.Millisecond
	goneAfter   = 2 // looks that see no card
	moduleTries = 2 // starts that fail before the reader counts as lost
)

// PN532 is one reader whose module is in the gateway's box. It implements hal.Reader.
type PN532 struct {
	*indicator
	outlet
	cfg    *nfc.Config
	open   func() (moduleLine, error)
	every  time.Duration // between two looks
	now    func() mono.Time
	log    *slog.Logger
	name   string
	random func() [16]byte
	stop   chan struct{}
	done   chan struct{}
	once   sync.Once

	// Owned by run.
	lost    bool
	present bool       // something lies there
	last    nfc.Target // what it is; meaningless while several do
	settled bool       // it was read or refused for good; else it is tried again
	told    bool       // a torn exchange of this presentation was told
	misses  int
}

var _ hal.Reader = (*PN532)(nil)

// newPN532 starts the reader. The module may be missing: the reader is lost until it answers.
func newPN532(name string, cfg *nfc.Config, open func() (moduleLine, error), every time.Duration, ind *indicator, now func() mono.Time, log *slog.Logger) *PN532 {
	p := &PN532{indicator: ind, outlet: newOutlet(signalRoom), cfg: cfg, open: open, every: every, now: now, log: log, name: name, random: random16,
		stop: make(chan struct{}), done: make(chan struct{})}
	go p.run()
	return p
}

func random16() (b [16]byte) {
	_, _ = rand.Read(b[:]) // crypto/rand never fails
	return b
}

// run keeps the module going. While it does not answer the door has no reader, and stays locked.
func (p *PN532) run() {
	defer close(p.done)
	defer close(p.signals)
	wait, failed := reopenFirst, 0
	for {
		worked, err := p.serve()
		if err == nil {
			return // told to stop
		}
		if worked {
			wait, failed = reopenFirst, 0
		}
		if failed++; failed >= moduleTries {
			p.setLost(true)
		}
		p.log.Warn("card module fails", "reader", p.name, "err", err)
		select {
		case <-p.stop:
			return
		case <-time.After(wait):
		}
		wait = min(2*wait, reopenMost)
	}
}

// serve looks for cards on one opened line. A nil error means that the reader was closed; worked says that the module
// answered at all. A panic is a defect of ours and costs a new start.
func (p *PN532) serve() (worked bool, err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("panic") // its value is not kept: it could hold what was read
		}
	}()
	line, err := p.open()
	if err != nil {
		return false, err
	}
	defer line.Close()
	m := &module{line, time.Now}
	if err := m.start(); err != nil {
		return false, err
	}
	p.setLost(false)
	tick := time.NewTicker(p.every)
	defer tick.Stop()
	for {
		if err := p.look(m); err != nil {
			return true, err
		}
		select {
		case <-p.stop:
			return true, nil
		case <-tick.C:
		}
	}
}

func (p *PN532) setLost(lost bool) {
	if p.lost != lost && p.send(hal.Fault{At: p.now(), Kind: hal.FaultLost, On: lost}) {
		p.lost = lost
	}
}

// look sees what lies on the module once, and reads a card that has just come.
func (p *PN532) look(m *module) error {
	body, err := m.do(pn532.ListA())
	if err != nil {
		return err
	}
	listA, err := pn532.ParseListA(body)
	if err != nil {
		return err
	}
	var listF []pn532.TargetF
	if p.cfg.FeliCas() && len(listA) < 2 {
		if body, err = m.do(pn532.ListF(p.cfg.System)); err != nil {
			return err
		}
		if listF, err = pn532.ParseListF(body); err != nil {
			return err
		}
	}
	switch count := len(listA) + len(listF); {
	case count == 0:
		if p.misses++; p.misses >= goneAfter {
			p.present, p.settled, p.told = false, false, false
		}
		return nil
	case count > 1:
		p.misses = 0
		if !p.present || !p.settled {
			p.refuse(nfc.RefusedTwo)
		}
		p.present, p.settled, p.last = true, true, nfc.Target{}
		return nil
	case len(listF) == 1:
		f := listF[0]
		return p.see(m, 1, nfc.Target{FeliCa: true, IDm: f.IDm, System: f.System})
	}
	a := listA[0]
	return p.see(m, a.Number, nfc.Target{UID: a.UID, SAK: a.SAK})
}

// see reads the one card that lies there, once a presentation. One that was torn off is tried again while it lies there.
func (p *PN532) see(m *module, number byte, t nfc.Target) error {
	same := p.present && p.last.Same(t)
	p.misses = 0
	if same && p.settled {
		return nil
	}
	if !same {
		p.told = false
	}
	p.present, p.last, p.settled = true, t, true
	switch read, why := p.converse(m, number, t); why {
	case nfc.RefusedNone:
		p.send(hal.Card{At: p.now(), Bits: read.Bits, Len: read.Len, Proof: proofOf(read.Proof)})
	case nfc.RefusedTorn:
		p.settled = false
		if !p.told {
			p.refuse(why)
		}
		p.told = true
	default:
		p.refuse(why)
	}
	_, err := m.do(pn532.Release())
	return err
}

// refuse tells that what lies there is no card. The door stays as it is.
func (p *PN532) refuse(why nfc.Refusal) { p.send(hal.NoCard{At: p.now(), Why: string(why)}) }

// converse goes through one session. No command to a card is repeated: it may have acted on the first.
func (p *PN532) converse(m *module, number byte, t nfc.Target) (nfc.Read, nfc.Refusal) {
	s := nfc.NewSession(p.cfg, t, p.random)
	for answer := []byte(nil); ; {
		command, done := s.Step(answer)
		if done {
			return s.Result()
		}
		carried, parse := pn532.Exchange(number, command), pn532.ParseExchange
		if t.FeliCa {
			carried, parse = pn532.Thru(command), pn532.ParseThru
		}
		body, err := m.once(carried)
		if err != nil {
			_ = m.line.write(pn532.Ack()) // whatever it does now, it is to stop; a line that is dead shows at the next look
			return nfc.Read{}, nfc.RefusedTorn
		}
		var ok bool
		if answer, ok = parse(body); !ok {
			return nfc.Read{}, nfc.RefusedTorn
		}
	}
}

func proofOf(a card.Assurance) hal.Proof {
	switch a {
	case card.MutualAuth:
		return hal.ProofMutual
	case card.CardAuth:
		return hal.ProofCard
	case card.UIDOnly, card.AssuranceUnknown:
	}
	return hal.ProofNumber
}

// Close implements hal.Reader.
func (p *PN532) Close() error {
	var err error
	p.once.Do(func() {
		close(p.stop)
		err = p.indicator.close()
		<-p.done
	})
	return err
}
