package store

import (
	"fmt"
	"time"
)

// Delivery is one message on its way to one channel.
type Delivery struct {
	ID       int64
	Key      string // the same for every copy of the message
	Channel  string
	Alert    int64 // 0 = of none
	What     string
	Severity int    // 0 low to 2 high
	Body     string // JSON
	Made     time.Time
	Due      time.Time
	Tries    int
	State    string
	Last     time.Time // of the last try; zero = none
	Error    string    // of the last try
}

// States of a Delivery.
const (
	DeliveryWaiting = "waiting"
	DeliverySent    = "sent"
	DeliveryGivenUp = "given_up"
)

// MostDeliveryWait is the longest wait between two tries. What is due later than that from now was put off by a clock that was ahead.
const MostDeliveryWait = 15 * time.Minute

const deliveryColumns = `id, key, channel, alert, what, severity, body, made_ms, due_ms, tries, state, last_ms, error`

func (r Reader) deliveries(q string, args ...any) (out []Delivery, err error) {
	rows, err := r.query(q, args...)
	if err != nil {
		return nil, fmt.Errorf("read deliveries: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var d Delivery
		var made, due, last int64
		if err := rows.Scan(&d.ID, &d.Key, &d.Channel, &d.Alert, &d.What, &d.Severity, &d.Body, &made, &due, &d.Tries, &d.State, &last, &d.Error); err != nil {
			return nil, fmt.Errorf("read deliveries: %w", err)
		}
		d.Made, d.Due, d.Last = time.UnixMilli(made), time.UnixMilli(due), timeOf(last)
		out = append(out, d)
	}
	return out, rows.Err()
}

// InsertDelivery adds a message to a channel's queue. One with this key is in it already: then nothing is added.
func (tx *Tx) InsertDelivery(d Delivery) error {
	_, err := tx.exec(`INSERT INTO alert_delivery (key, channel, alert, what, severity, body, made_ms, due_ms, tries, state, last_ms, error)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, 'waiting', 0, '') ON CONFLICT (key, channel) DO NOTHING`,
		d.Key, d.Channel, d.Alert, d.What, d.Severity, d.Body, d.Made.UnixMilli(), d.Made.UnixMilli())
	if err != nil {
		return fmt.Errorf("insert delivery: %w", err)
	}
	return nil
}

// NextDelivery is what a channel has to send first: the severe before the others, each in the order in which they were
// made. ErrNotFound when nothing is due at now.
func (r Reader) NextDelivery(channel string, now time.Time) (Delivery, error) {
	list, err := r.deliveries(`SELECT `+deliveryColumns+` FROM alert_delivery WHERE channel = ? AND state = 'waiting' AND (due_ms <= ? OR due_ms > ?) ORDER BY severity DESC, id LIMIT 1`,
		channel, now.UnixMilli(), now.Add(MostDeliveryWait).UnixMilli())
	if err != nil {
		return Delivery{}, err
	}
	if len(list) == 0 {
		return Delivery{}, ErrNotFound
	}
	return list[0], nil
}

// MoveDelivery notes how a try came out: State, Tries, Due, Last and Error.
func (tx *Tx) MoveDelivery(d Delivery) error {
	res, err := tx.exec(`UPDATE alert_delivery SET state = ?, tries = ?, due_ms = ?, last_ms = ?, error = ? WHERE id = ?`,
		d.State, d.Tries, d.Due.UnixMilli(), msOf(d.Last), d.Error, d.ID)
	return changedOne("move delivery", res, err)
}

// AlertDeliveries lists what was or is to be sent about an alert, oldest first.
func (r Reader) AlertDeliveries(alert int64) ([]Delivery, error) {
	return r.deliveries(`SELECT `+deliveryColumns+` FROM alert_delivery WHERE alert = ? AND alert > 0 ORDER BY id`, alert)
}

// DeliveryByKey reads one; ErrNotFound.
func (r Reader) DeliveryByKey(key, channel string) (Delivery, error) {
	list, err := r.deliveries(`SELECT `+deliveryColumns+` FROM alert_delivery WHERE key = ? AND channel = ?`, key, channel)
	if err != nil {
		return Delivery{}, err
	}
	if len(list) == 0 {
		return Delivery{}, ErrNotFound
	}
	return list[0], nil
}

// ChannelState is what a channel did last.
type ChannelState struct {
	Sent    Delivery // the newest that arrived; ID 0 = none
	Failed  Delivery // the newest that did not, tried again or given up; ID 0 = none
	Waiting int
	GivenUp int
}

// ChannelState reads it.
func (r Reader) ChannelState(channel string) (s ChannelState, err error) {
	one := func(into *Delivery, q string) error {
		list, err := r.deliveries(q, channel)
		if err == nil && len(list) > 0 {
			*into = list[0]
		}
		return err
	}
	if err := one(&s.Sent, `SELECT `+deliveryColumns+` FROM alert_delivery WHERE channel = ? AND state = 'sent' ORDER BY last_ms DESC, id DESC LIMIT 1`); err != nil {
		return s, err
	}
	if err := one(&s.Failed, `SELECT `+deliveryColumns+` FROM alert_delivery WHERE channel = ? AND state <> 'sent' AND error <> '' ORDER BY last_ms DESC, id DESC LIMIT 1`); err != nil {
		return s, err
	}
	err = r.row(`SELECT coalesce(sum(state = 'waiting'), 0), coalesce(sum(state = 'given_up'), 0) FROM alert_delivery WHERE channel = ?`, channel).Scan(&s.Waiting, &s.GivenUp)
	return s, err
}

// ForgetDeliveries removes what arrived before a moment.
func (tx *Tx) ForgetDeliveries(before time.Time) error {
	if _, err := tx.exec(`DELETE FROM alert_delivery WHERE state <> 'waiting' AND last_ms < ?`, before.UnixMilli()); err != nil {
		return fmt.Errorf("forget deliveries: %w", err)
	}
	return nil
}
