package year

import (
	"strconv"
	"time"
)

// cardSeedings are what happens with cards, PINs and rights.
func cardSeedings() []seeding {
	const min = time.Minute
	return []seeding{
		{"exit_invalid_card", "depot-1", 5 * min,
			func(m *maker, at int64, d *doorway) {
				p := m.actor()
				m.in(at, p, d)
				m.act(Act{AtMS: at + 60_000, Do: SetCard, Card: p.card, Word: "suspended"})
				m.out(at+120_000, p, d)
				m.must("exit_invalid_card", d, at+120_000, at+123_000, "the card was stopped while its holder was inside")
				m.may(d, at+110_000, at+130_000, "a stopped card at the exit", "lost_card_used")
			},
			func(m *maker, at int64, d *doorway) {
				p := m.actor()
				m.in(at, p, d)
				m.out(at+120_000, p, d)
				m.near("exit_invalid_card", d, at+120_000, at+123_000, "an ordinary exit")
			}},
		{"unknown_card_repeated", "depot-2", 14 * min,
			func(m *maker, at int64, d *doorway) {
				card := m.stranger()
				for i := range int64(3) {
					m.read(at+i*20_000, d, card, "", false, true)
				}
				m.must("unknown_card_repeated", d, at+40_000, at+42_000, "the same strange card three times in a minute")
				m.may(d, at, at+60_000, "refused three times", "denied_burst")
			},
			func(m *maker, at int64, d *doorway) {
				card := m.stranger()
				for i := range int64(3) { // the third after more than ten minutes
					m.read(at+i*310_000, d, card, "", false, true)
				}
				m.near("unknown_card_repeated", d, at, at+700_000, "three times in ten minutes and a half")
				m.may(d, at, at+700_000, "refused three times", "denied_burst")
			}},
		{"pin_locked", "vault-1", 4 * min,
			func(m *maker, at int64, d *doorway) {
				p := m.withPIN()
				for i := range int64(5) {
					m.read(at+i*9_000, d, p.card, strconv.Itoa(1110+int(i)), false, true)
				}
				m.must("pin_locked", d, at+36_000, at+39_000, "five wrong PINs")
				m.may(d, at, at+60_000, "refused five times", "denied_burst")
			},
			func(m *maker, at int64, d *doorway) {
				p := m.withPIN()
				for i := range int64(4) {
					m.read(at+i*9_000, d, p.card, strconv.Itoa(1110+int(i)), false, true)
				}
				m.in(at+50_000, p, d)
				m.out(at+90_000, p, d)
				m.near("pin_locked", d, at, at+100_000, "four wrong PINs and then the right one")
				m.may(d, at, at+60_000, "refused four times", "denied_burst")
			}},
		{"duress", "vault-1", 4 * min,
			func(m *maker, at int64, d *doorway) {
				p := m.withPIN()
				right := p.pin
				p.duress, p.pin = "7531", "7531"
				m.in(at, p, d)
				p.pin = right
				m.out(at+90_000, p, d)
				m.must("duress", d, at, at+3_000, "made to open: the other PIN")
			},
			func(m *maker, at int64, d *doorway) {
				p := m.withPIN()
				p.duress = "7531"
				m.in(at, p, d)
				m.out(at+90_000, p, d)
				m.near("duress", d, at, at+3_000, "has a duress PIN and keyed in the right one")
			}},
		{"anti_passback", "depot-1", 6 * min,
			func(m *maker, at int64, d *doorway) {
				p, other := m.actor(), m.actor()
				m.in(at, p, d)
				m.in(at+20_000, other, d)
				d.behind[1] = append(d.behind[1], p) // goes out behind the other
				m.out(at+60_000, other, d)
				m.in(at+120_000, p, d)
				m.lastSeeded("anti_passback")
				m.out(at+180_000, p, d)
			},
			func(m *maker, at int64, d *doorway) {
				p := m.actor()
				m.in(at, p, d)
				m.out(at+60_000, p, d)
				m.in(at+120_000, p, d)
				m.near("anti_passback", d, at, at+123_000, "left on the card and came back")
				m.out(at+180_000, p, d)
			}},
		{"training_expired", "depot-1", 4 * min,
			func(m *maker, at int64, d *doorway) {
				p := m.actor()
				p.training = m.dayOf(at).AddDays(-1).String()
				m.in(at, p, d)
				m.must("training_expired", d, at, at+3_000, "the training ended yesterday")
				m.out(at+60_000, p, d)
				m.may(d, at+55_000, at+70_000, "leaves with training out of date", "exit_invalid_card")
			},
			func(m *maker, at int64, d *doorway) {
				p := m.actor()
				p.training = m.dayOf(at).String()
				m.in(at, p, d)
				m.near("training_expired", d, at, at+3_000, "the training ends today")
				m.out(at+60_000, p, d)
			}},
		{"decision_mismatch", "depot-2", 12 * min,
			func(m *maker, at int64, d *doorway) {
				p := m.actor()
				at = m.together(at, []string{d.ID, "lab-1"})
				m.outage(at, d.Gateway, 480_000, true)
				m.act(Act{AtMS: at + 60_000, Do: SetCard, Card: p.card, Word: "suspended"})
				m.in(at+120_000, p, d)
				m.must("decision_mismatch", d, at+120_000, at+123_000, "the card was stopped while the gateway could not hear of it")
				m.out(at+200_000, p, d)
				m.may(d, at+100_000, at+230_000, "a stopped card in and out", "decision_mismatch", "exit_invalid_card", "lost_card_used")
			},
			func(m *maker, at int64, d *doorway) {
				p := m.actor()
				at = m.together(at, []string{d.ID, "lab-1"})
				m.outage(at, d.Gateway, 480_000, false)
				m.in(at+120_000, p, d)
				m.near("decision_mismatch", d, at, at+480_000, "an ordinary entry while the link was down")
				m.out(at+200_000, p, d)
			}},
	}
}

// withPIN is an actor who may enter the vault.
func (m *maker) withPIN() *person {
	p := m.newPerson("a", "情報政策課", grant{vault, "always"})
	p.pin = "2468"
	return p
}
