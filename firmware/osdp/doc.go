// Package osdp is the control panel's side of OSDP 2.2 (IEC 60839-11-5): frames, secure channel and one bus with its
// readers as a pure machine. Bytes, time and random numbers are arguments; gateway/hal/pi owns the serial port.
//
// What the standard leaves to the panel is decided on the safe side, see DESIGN.md beside this file: a keyed reader is
// never spoken to without its key, one bad frame is not an outage, and a reader that cannot prove its key delivers no
// card. Whatever goes wrong here, no card comes out of it, so the door stays locked; leaving is mechanical.
package osdp
