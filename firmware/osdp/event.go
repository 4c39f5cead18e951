package osdp

import "monban/firmware/wiegand"

// EventKind is what a bus has to tell. The zero kind is none.
type EventKind uint8

// The events.
const (
	EventNone       EventKind = iota
	EventOnline               // the reader works, and has proved its key when it has one
	EventLost                 // it does not: Detail says silence, busy or distrust. The door has no reader
	EventCard                 // a card was read
	EventKeys                 // keys were pressed
	EventTamper               // tamper and power of the reader changed
	EventDowngrade            // it does not prove its key or speaks in the clear: somebody may sit between. An alarm
	EventMAC                  // a frame with a right CRC and a wrong MAC: an alarm
	EventChanged              // another reader proves the key: exchanged, or cloned
	EventClearData            // card or keys came in the clear and were refused
	EventRefused              // the reader refused a command; Detail is its reason
	EventPairing              // a pairing began
	EventPaired               // the new key is proven: it is the key from now on
	EventPairingEnd           // the window closed without a proof; Detail says why
)

var eventNames = [...]string{"none", "online", "lost", "card", "keys", "tamper", "reader_downgrade", "bad_mac", "reader_changed",
	"clear_data", "refused", "pairing", "paired", "pairing_end"}

// String gives the stable name.
func (k EventKind) String() string {
	if int(k) < len(eventNames) {
		return eventNames[k]
	}
	return eventNames[EventNone]
}

// Event is one thing that happened at a reader.
type Event struct {
	Reader int // index in Config.Readers
	Kind   EventKind
	Detail string // a machine word, never content of a frame
	// Secure says that it came encrypted over a proven channel.
	Secure        bool
	Card          wiegand.Frame // EventCard
	Keys          []wiegand.Key // EventKeys, in order
	Tamper, Power bool          // EventTamper: true = at fault
	Proof         Proof         // EventOnline, EventPaired, EventChanged
}

// Action is what the owner of the port does next: write bytes, or hand on an event.
type Action struct {
	Write []byte
	Event *Event
}
