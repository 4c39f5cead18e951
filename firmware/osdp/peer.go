package osdp

import (
	"crypto/subtle"
	"time"

	"monban/firmware/mono"
	"monban/firmware/wiegand"
)

// state of one reader.
type state uint8

const (
	searching state = iota // capabilities asked for, at sequence 0
	challenge              // CHLNG sent
	proving                // SCRYPT sent
	naming                 // PDID asked for, inside the channel when there is one
	online
	pairingKey // KEYSET sent inside a channel with the key that everybody knows
)

// peer is one reader as the panel sees it.
type peer struct {
	bus   *Bus
	index int
	cfg   *Reader

	state state
	lost  bool      // told so
	next  mono.Time // when it is to be asked
	asked mono.Time // when it was asked last
	valid mono.Time // when it last gave a valid answer
	limit int       // longest frame believed

	out     []byte // the question, sent again as it is until it is answered
	code    byte   // of out
	seq     byte   // of out
	nextSeq byte
	tries   int
	busy    mono.Time // since when nothing but BUSY came; 0 = not busy

	session  *session // nil = no channel; it counts only once R-MAC was right
	secured  bool
	rndA     [8]byte
	server   [16]byte
	cuid     [8]byte
	pending  bool // the handshake under way uses Reader.Pending
	distrust int  // handshakes in a row that proved nothing
	pair     *pairing
	hinted   bool // the last question was refused in the clear inside the channel, and that was borne

	// unsure is a card that was delivered, and the reader cannot know yet. When the channel is lost before it does, the
	// reader may tell it again in the next one: repeatable, which is then no second read.
	unsure, repeatable wiegand.Frame

	tamper, power bool
	led           *LED
	buzzer        *Buzzer
	text          string
}

func newPeer(b *Bus, i int, now mono.Time) *peer {
	return &peer{bus: b, index: i, cfg: &b.cfg.Readers[i], next: now, valid: now, limit: DefaultMaxFrame}
}

// compose makes the next question of the state.
func (p *peer) compose(now mono.Time) {
	f := Frame{Addr: p.cfg.Addr, Seq: p.nextSeq}
	switch p.state {
	case searching:
		p.forget()
		f.Seq, f.Code, f.Data = 0, cmdCap, []byte{0}
	case challenge:
		p.rndA = p.bus.random()
		p.session, p.secured = newSession(p.key(), p.rndA), false
		f.Code, f.Data, f.SCB, f.SCBData = cmdChallenge, p.rndA[:], scbChallenge, []byte{p.keyKind()}
	case proving:
		f.Code, f.Data, f.SCB, f.SCBData = cmdServer, p.server[:], scbServer, []byte{p.keyKind()}
	case naming:
		f.Code, f.Data = cmdID, []byte{0}
	case pairingKey:
		f.Code, f.Data = cmdKeySet, p.pair.keySet()
	case online:
		f.Code, f.Data = p.wish()
	}
	p.code, p.seq, p.tries, p.busy = f.Code, f.Seq, 0, 0
	if p.secured {
		p.out = p.session.seal(nil, f)
	} else {
		p.out = AppendFrame(nil, &f)
	}
}

// wish is what an online reader is told next, a poll when there is nothing.
func (p *peer) wish() (code byte, data []byte) {
	switch {
	case p.led != nil:
		code, data, p.led = cmdLED, p.led.data(), nil
	case p.buzzer != nil:
		code, data, p.buzzer = cmdBuzzer, p.buzzer.data(), nil
	case p.text != "":
		code, data, p.text = cmdText, text(p.text), ""
	default:
		code = cmdPoll
	}
	return code, data
}

// key is the key of the handshake under way.
func (p *peer) key() Key {
	switch {
	case p.pair != nil && !p.pair.set && !p.pair.rotate:
		return pairingOnlyKey()
	case p.pair != nil && p.pair.set:
		return p.pair.key
	case p.pending:
		return *p.cfg.Pending
	}
	return *p.cfg.Key
}

// keyKind says in the secure block which kind of key is meant: 1 the reader's own, 0 the one that everybody knows.
func (p *peer) keyKind() byte {
	if p.pair != nil && !p.pair.set && !p.pair.rotate {
		return 0
	}
	return 1
}

// wantsChannel: a reader with a key, or one that is being paired.
func (p *peer) wantsChannel() bool { return p.cfg.Key != nil || p.pair != nil }

// forget drops the channel. What the reader said in it stays said.
func (p *peer) forget() {
	p.session, p.secured, p.nextSeq, p.hinted = nil, false, 0, false
	if p.unsure != (wiegand.Frame{}) {
		p.unsure, p.repeatable = wiegand.Frame{}, p.unsure
	}
}

// silence: nothing valid came in time. The same bytes are sent again until the reader counts as lost. The door has no
// reader then, and stays locked.
func (p *peer) silence(now mono.Time) {
	p.tries++
	p.next = now
	if p.state == searching && p.lost {
		p.out, p.next = nil, p.asked.Add(probeEvery)
		return
	}
	if p.tries >= lostTries && now.Sub(p.valid) >= lostAfter {
		p.lose(now, "silence")
		p.next = now.Add(probeEvery)
	}
}

// lose tells that the door has no reader, once, and begins to search.
func (p *peer) lose(now mono.Time, why string) {
	if !p.lost {
		p.lost = true
		p.bus.event(p, Event{Kind: EventLost, Detail: why})
	}
	p.forget()
	p.state, p.out, p.led, p.buzzer, p.text = searching, nil, nil, nil, ""
	p.next = now
}

// accept takes a reply that is addressed right and has a good CRC.
func (p *peer) accept(now mono.Time, f *Frame) {
	if f.Code == repBusy && f.SCB == 0 && f.Seq == 0 {
		p.isBusy(now)
		return
	}
	if f.Seq != p.seq {
		return // late or repeated: the answer to another question
	}
	data, encrypted := f.Data, false
	switch {
	case p.secured && f.SCB == 0 && p.state == pairingKey && f.Code == repACK && !p.pair.rotate:
		// Some readers answer KEYSET in the clear. It proves nothing either way.
	case p.secured && f.SCB == 0:
		p.plainInChannel(now, f)
		return
	case p.secured:
		var err error
		if data, encrypted, err = p.session.open(f); err != nil {
			p.bus.settled()
			p.distrusted(now, EventMAC, "mac")
			return
		}
		p.hinted = false
	case hasMAC(f.SCB):
		p.bus.settled()
		p.distrusted(now, EventDowngrade, "unexpected_channel")
		return
	}
	p.bus.settled()
	p.valid, p.busy, p.tries = now, 0, 0
	p.nextSeq = p.seq%3 + 1
	p.out = nil
	p.next = now
	if f.Code == repNAK {
		p.refused(now, data)
		return
	}
	switch p.state {
	case searching:
		p.found(now, f.Code, data)
	case challenge:
		p.challenged(now, f, data)
	case proving:
		p.proved(now, f, data)
	case naming:
		p.named(now, f.Code, data)
	case pairingKey:
		p.keyTaken(now) // whatever the answer says: only the next handshake proves anything
	case online:
		p.unsure = wiegand.Frame{}
		p.next = p.asked.Add(pollEvery)
		p.content(f.Code, data, encrypted)
		p.repeatable = wiegand.Frame{}
	}
}

func (p *peer) isBusy(now mono.Time) {
	p.bus.settled()
	if p.busy == 0 {
		p.busy = max(now, 1)
	}
	p.valid = now
	p.next = now.Add(busyWait)
	if now.Sub(p.busy) >= busyLimit {
		p.lose(now, "busy") // it lives, and does nothing: to the door that is no reader
		p.next = now.Add(probeEvery)
	}
}

// plainInChannel: inside the channel somebody answers in the clear. A refusal is a hint that the reader has lost its
// session; anything else must never be believed.
func (p *peer) plainInChannel(now mono.Time, f *Frame) {
	p.bus.settled()
	if f.Code != repNAK || len(f.Data) < 1 {
		p.distrusted(now, EventDowngrade, "plaintext")
		return
	}
	switch why := NAK(f.Data[0]); why {
	case NAKCheck:
		p.next, p.tries = now, p.tries+1 // the same bytes again
		if p.tries >= lostTries {
			p.restart(now)
		}
	case NAKUnknown, NAKLength, NAKRecord:
		if p.state != online || p.hinted {
			p.hinted = false
			p.bus.event(p, Event{Kind: EventRefused, Detail: why.String()})
			p.restart(now)
			return
		}
		// The command failed and the channel stands: the reader's MACs did not move. If they did, somebody has put this in
		// the place of an answer, and the next one tells.
		p.bus.event(p, Event{Kind: EventRefused, Detail: why.String()})
		p.hinted, p.busy, p.tries, p.out = true, 0, 0, nil
		p.nextSeq = p.seq%3 + 1
		p.next = p.asked.Add(pollEvery)
	default:
		if p.hinted {
			// The refusal before this one has cost the channel: it was not the reader's. The door has no reader until the proof.
			p.hinted = false
			p.distrusted(now, EventDowngrade, "refused_in_the_clear")
			return
		}
		p.restart(now)
	}
}

// handshake opens communication anew, at sequence 0, and with it the channel. The challenge never goes out with
// sequence 0 itself: a reader answers a repetition of that one with another random number, and the panel could not
// tell a late first answer from the second.
func (p *peer) handshake(now mono.Time) {
	p.forget()
	p.out, p.next, p.state = nil, now, searching
}

// distrusted: no card of this reader is used until it has proved its key. The next try is with the same key, later
// and later; never in the clear, never with the key that everybody knows.
func (p *peer) distrusted(now mono.Time, kind EventKind, why string) {
	p.bus.event(p, Event{Kind: kind, Detail: why})
	if p.pair != nil {
		p.pair.end(p, why)
	}
	if p.cfg.Pending != nil {
		p.pending = !p.pending
	}
	wait := min(time.Second<<min(p.distrust, 4), distrustMax)
	p.distrust++
	p.lose(now, "distrust")
	p.next = now.Add(wait)
}

// refused is a NAK that counts: in the clear before the channel, or authentic inside it.
func (p *peer) refused(now mono.Time, data []byte) {
	why := NAK(0)
	if len(data) > 0 {
		why = NAK(data[0])
	}
	switch {
	case p.state == searching: // it does not say what it can; that is no reason not to ask for the proof
		p.found(now, repNAK, nil)
	case (p.state == challenge || p.state == proving) && (why == NAKNoBlock || why == NAKUnsecured || why == NAKUnknown):
		p.distrusted(now, EventDowngrade, why.String())
	case p.state == challenge || p.state == proving || why == NAKSequence || why == NAKNoBlock || why == NAKUnsecured:
		p.restart(now)
	case p.state == naming:
		p.named(now, repNAK, nil)
	case p.state == pairingKey:
		p.pair.end(p, why.String())
		p.lose(now, "pairing")
	default:
		p.bus.event(p, Event{Kind: EventRefused, Detail: why.String()})
		p.next = p.asked.Add(pollEvery)
	}
}

// restart opens communication anew without an alarm.
func (p *peer) restart(now mono.Time) {
	p.handshake(now)
	p.next = now.Add(busyWait) // a reader that refuses each time must not fill the line
}

// found takes what a reader says of itself, unproven.
func (p *peer) found(now mono.Time, code byte, data []byte) {
	c, err := parseCapabilities(data)
	if code == repCap && err == nil {
		if c.Receive > 0 {
			p.limit = min(max(c.Receive, DefaultMaxFrame), LimitMaxFrame)
		}
		if p.cfg.Key != nil && !c.AES {
			// Stripped on the way, or another reader. The proof is asked for all the same.
			p.bus.event(p, Event{Kind: EventDowngrade, Detail: "no_aes"})
		}
	}
	p.state = naming
	if p.wantsChannel() {
		p.state = challenge
	}
}

// challenged checks the reader's proof.
func (p *peer) challenged(now mono.Time, f *Frame, data []byte) {
	if f.Code != repCryptogram || f.SCB != scbCryptogram || len(f.SCBData) < 1 || len(data) != 32 {
		p.distrusted(now, EventDowngrade, "no_cryptogram")
		return
	}
	if f.SCBData[0] != p.keyKind() {
		p.distrusted(now, EventDowngrade, "default_key")
		return
	}
	var rndB [8]byte
	copy(p.cuid[:], data)
	copy(rndB[:], data[8:])
	want := p.session.clientCryptogram(p.rndA, rndB)
	if subtle.ConstantTimeCompare(want[:], data[16:]) != 1 {
		p.distrusted(now, EventDowngrade, "cryptogram")
		return
	}
	p.server = p.session.serverCryptogram(p.rndA, rndB)
	p.state = proving
}

// proved takes the reader's first MAC: only with it the channel stands.
func (p *peer) proved(now mono.Time, f *Frame, data []byte) {
	want := p.session.initialMAC(p.server)
	if f.Code != repInitialMAC || f.SCB != scbInitialMAC || len(f.SCBData) < 1 || f.SCBData[0] != 1 ||
		subtle.ConstantTimeCompare(want[:], data) != 1 {
		p.distrusted(now, EventDowngrade, "initial_mac")
		return
	}
	p.session.reply, p.secured = want, true
	p.state = naming
	if p.pair != nil && !p.pair.set {
		p.state = pairingKey
	}
}

// named: the reader works. Inside a channel the serial number is proven.
func (p *peer) named(now mono.Time, code byte, data []byte) {
	proof := Proof{CUID: p.cuid}
	if id, err := parseIdentity(data); code == repID && err == nil {
		proof.Serial = id.Serial
	}
	p.state, p.next, p.distrust = online, now, 0
	p.lost = false
	if p.secured {
		p.learn(proof)
	}
	p.bus.event(p, Event{Kind: EventOnline, Secure: p.secured, Proof: proof})
}

// learn compares who proved the key with who did so first.
func (p *peer) learn(proof Proof) {
	switch {
	case p.pair != nil:
		p.pair.done(p, proof)
	case p.pending:
		p.cfg.Key, p.cfg.Pending, p.pending = p.cfg.Pending, nil, false
		p.bus.event(p, Event{Kind: EventPaired, Secure: true, Proof: proof})
	case p.cfg.Known != nil && *p.cfg.Known != proof:
		p.bus.event(p, Event{Kind: EventChanged, Secure: true, Proof: proof})
	}
	p.cfg.Known = &proof
}
