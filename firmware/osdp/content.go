package osdp

import "monban/firmware/wiegand"

// content hands on what an online reader says. A reply that cannot be read is no card and no key.
func (p *peer) content(code byte, data []byte, encrypted bool) {
	switch code {
	case repRaw, repKeypad:
		if p.secured && !encrypted && !p.cfg.ClearData {
			p.bus.event(p, Event{Kind: EventClearData})
			return
		}
		p.read(code, data, p.secured && encrypted)
	case repLocal:
		tamper, power, err := parseLocal(data)
		if err == nil && (tamper != p.tamper || power != p.power) {
			p.tamper, p.power = tamper, power
			p.bus.event(p, Event{Kind: EventTamper, Secure: p.secured, Tamper: tamper, Power: power})
		}
	}
}

func (p *peer) read(code byte, data []byte, secure bool) {
	if code == repKeypad {
		keys, err := parseKeypad(data)
		if err != nil {
			p.bus.event(p, Event{Kind: EventRefused, Detail: "keypad_unreadable"})
			return
		}
		e := Event{Kind: EventKeys, Secure: secure}
		for _, k := range keys {
			e.Keys = append(e.Keys, wiegand.Key(k))
		}
		p.bus.event(p, e)
		return
	}
	f, err := parseRaw(data)
	if err != nil {
		p.bus.event(p, Event{Kind: EventRefused, Detail: "card_unreadable"})
		return
	}
	p.unsure = f
	if f == p.repeatable && f != (wiegand.Frame{}) {
		return // delivered before the channel was lost; the reader could not know, and may not know now
	}
	p.bus.event(p, Event{Kind: EventCard, Secure: secure, Card: f})
}
