package access

import (
	"fmt"
)

// Stable snake_case names of every enum. They stand in records, exports and API bodies, so a name
// is never changed; new members are appended.
var (
	sideNames       = []string{"unknown", "enter", "exit"}
	outcomeNames    = []string{"denied", "need_pin", "need_second", "need_escort", "granted"}
	decidedByNames  = []string{"nobody", "server", "gateway"}
	pinNames        = []string{"none", "ok", "duress", "bad"}
	clockNames      = []string{"none", "floor", "rtc", "ntp", "server"}
	offlineNames    = []string{"deny", "cached", "cached_pin"}
	modeNames       = []string{"normal", "locked", "lockdown"}
	credentialNames = []string{"unset", "active", "suspended", "lost", "revoked"}
	linkNames       = []string{"offline", "leased", "server"}
	knowledgeNames  = []string{"pin", "person", "zone", "door"}
	categoryNames   = []string{"unset", "staff", "contractor", "visitor"}
	zoneRuleNames   = []string{"deny", "grant_and_flag"}
)

// nameOf gives the name of value v; an unknown value reads as the name of safe.
func nameOf(names []string, v, safe uint8) string {
	if int(v) < len(names) {
		return names[v]
	}
	return names[safe]
}

// parseName finds name; the caller's safe value comes with the error.
func parseName(names []string, name, what string, safe uint8) (uint8, error) {
	for i, n := range names {
		if n == name {
			return uint8(i), nil
		}
	}
	return safe, fmt.Errorf("parse %s: unknown name %q", what, name)
}

// marshalName refuses a value that has no name, so that an impossible value is never written.
func marshalName(names []string, v uint8, what string) ([]byte, error) {
	if int(v) < len(names) {
		return []byte(names[v]), nil
	}
	return nil, fmt.Errorf("marshal %s: value %d has no name", what, v)
}

// String gives the stable name; an unknown value reads "unknown", which is refused.
func (s Side) String() string { return nameOf(sideNames, uint8(s), uint8(SideUnknown)) }

// MarshalText gives the stable name; a value without one is an error.
func (s Side) MarshalText() ([]byte, error) { return marshalName(sideNames, uint8(s), "side") }

// UnmarshalText parses as ParseSide does.
func (s *Side) UnmarshalText(b []byte) (err error) { *s, err = ParseSide(string(b)); return err }

// ParseSide reads a stable name; anything else is SideUnknown and an error.
func ParseSide(name string) (Side, error) {
	v, err := parseName(sideNames, name, "side", uint8(SideUnknown))
	return Side(v), err
}

// String gives the stable name; an unknown value reads "denied".
func (o Outcome) String() string { return nameOf(outcomeNames, uint8(o), uint8(Denied)) }

// MarshalText gives the stable name; a value without one is an error.
func (o Outcome) MarshalText() ([]byte, error) {
	return marshalName(outcomeNames, uint8(o), "outcome")
}

// UnmarshalText parses as ParseOutcome does.
func (o *Outcome) UnmarshalText(b []byte) (err error) { *o, err = ParseOutcome(string(b)); return err }

// ParseOutcome reads a stable name; anything else is Denied and an error.
func ParseOutcome(name string) (Outcome, error) {
	v, err := parseName(outcomeNames, name, "outcome", uint8(Denied))
	return Outcome(v), err
}

// String gives the stable name; an unknown value reads "nobody".
func (d DecidedBy) String() string { return nameOf(decidedByNames, uint8(d), uint8(ByNobody)) }

// MarshalText gives the stable name; a value without one is an error.
func (d DecidedBy) MarshalText() ([]byte, error) {
	return marshalName(decidedByNames, uint8(d), "decided_by")
}

// UnmarshalText parses as ParseDecidedBy does.
func (d *DecidedBy) UnmarshalText(b []byte) (err error) {
	*d, err = ParseDecidedBy(string(b))
	return err
}

// ParseDecidedBy reads a stable name; anything else is ByNobody and an error.
func ParseDecidedBy(name string) (DecidedBy, error) {
	v, err := parseName(decidedByNames, name, "decided_by", uint8(ByNobody))
	return DecidedBy(v), err
}

// String gives the stable name; an unknown value reads "bad". It is for the encrypted opening
// alone: nothing outside it may tell ok from duress (D10).
func (p PINState) String() string { return nameOf(pinNames, uint8(p), uint8(PINBad)) }

// MarshalText gives the stable name; a value without one is an error.
func (p PINState) MarshalText() ([]byte, error) { return marshalName(pinNames, uint8(p), "pin") }

// UnmarshalText parses as ParsePINState does.
func (p *PINState) UnmarshalText(b []byte) (err error) {
	*p, err = ParsePINState(string(b))
	return err
}

// ParsePINState reads a stable name; anything else is PINNone and an error.
func ParsePINState(name string) (PINState, error) {
	v, err := parseName(pinNames, name, "pin", uint8(PINNone))
	return PINState(v), err
}

// String gives the stable name; an unknown value reads "none".
func (q ClockQuality) String() string { return nameOf(clockNames, uint8(q), uint8(ClockNone)) }

// MarshalText gives the stable name; a value without one is an error.
func (q ClockQuality) MarshalText() ([]byte, error) {
	return marshalName(clockNames, uint8(q), "clock quality")
}

// UnmarshalText parses as ParseClockQuality does.
func (q *ClockQuality) UnmarshalText(b []byte) (err error) {
	*q, err = ParseClockQuality(string(b))
	return err
}

// ParseClockQuality reads a stable name; anything else is ClockNone and an error.
func ParseClockQuality(name string) (ClockQuality, error) {
	v, err := parseName(clockNames, name, "clock quality", uint8(ClockNone))
	return ClockQuality(v), err
}

// String gives the stable name; an unknown value reads "deny".
func (m OfflineMode) String() string { return nameOf(offlineNames, uint8(m), uint8(OfflineDeny)) }

// MarshalText gives the stable name; a value without one is an error.
func (m OfflineMode) MarshalText() ([]byte, error) {
	return marshalName(offlineNames, uint8(m), "offline mode")
}

// UnmarshalText parses as ParseOfflineMode does.
func (m *OfflineMode) UnmarshalText(b []byte) (err error) {
	*m, err = ParseOfflineMode(string(b))
	return err
}

// ParseOfflineMode reads a stable name; anything else is OfflineDeny and an error.
func ParseOfflineMode(name string) (OfflineMode, error) {
	v, err := parseName(offlineNames, name, "offline mode", uint8(OfflineDeny))
	return OfflineMode(v), err
}

// String gives the stable name; an unknown value reads "locked", as Decide treats it.
func (m DoorMode) String() string { return nameOf(modeNames, uint8(m), uint8(ModeLocked)) }

// MarshalText gives the stable name; a value without one is an error.
func (m DoorMode) MarshalText() ([]byte, error) {
	return marshalName(modeNames, uint8(m), "door mode")
}

// UnmarshalText parses as ParseDoorMode does.
func (m *DoorMode) UnmarshalText(b []byte) (err error) {
	*m, err = ParseDoorMode(string(b))
	return err
}

// ParseDoorMode reads a stable name; anything else is ModeLocked (not the zero mode: a mode that
// cannot be read must not let anybody in) and an error.
func ParseDoorMode(name string) (DoorMode, error) {
	v, err := parseName(modeNames, name, "door mode", uint8(ModeLocked))
	return DoorMode(v), err
}

// String gives the stable name; an unknown value reads "unset", which is not active.
func (c CredentialStatus) String() string {
	return nameOf(credentialNames, uint8(c), uint8(CredentialUnset))
}

// MarshalText gives the stable name; a value without one is an error.
func (c CredentialStatus) MarshalText() ([]byte, error) {
	return marshalName(credentialNames, uint8(c), "credential status")
}

// UnmarshalText parses as ParseCredentialStatus does.
func (c *CredentialStatus) UnmarshalText(b []byte) (err error) {
	*c, err = ParseCredentialStatus(string(b))
	return err
}

// ParseCredentialStatus reads a stable name; anything else is CredentialUnset and an error.
func ParseCredentialStatus(name string) (CredentialStatus, error) {
	v, err := parseName(credentialNames, name, "credential status", uint8(CredentialUnset))
	return CredentialStatus(v), err
}

// String gives the stable name; an unknown value reads "offline", the strictest footing.
func (l Link) String() string { return nameOf(linkNames, uint8(l), uint8(LinkOffline)) }

// MarshalText gives the stable name; a value without one is an error.
func (l Link) MarshalText() ([]byte, error) { return marshalName(linkNames, uint8(l), "link") }

// UnmarshalText parses as ParseLink does.
func (l *Link) UnmarshalText(b []byte) (err error) { *l, err = ParseLink(string(b)); return err }

// ParseLink reads a stable name; anything else is LinkOffline and an error.
func ParseLink(name string) (Link, error) {
	v, err := parseName(linkNames, name, "link", uint8(LinkOffline))
	return Link(v), err
}

// MarshalText gives the stable name; a value without one is an error.
func (r Reason) MarshalText() ([]byte, error) {
	return marshalName(reasonNames[:], uint8(r), "reason")
}

// UnmarshalText reads a stable name; anything else is ReasonUndecided and an error.
func (r *Reason) UnmarshalText(b []byte) error {
	v, err := parseName(reasonNames[:], string(b), "reason", uint8(ReasonUndecided))
	*r = Reason(v)
	return err
}
