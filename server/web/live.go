package web

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"monban/firmware/access"
	"monban/firmware/door"
)

// staleAfter is how old data may be before the live page says so: three missed heartbeats and the
// page's own round trip fit in well below it.
const staleAfter = 15 * time.Second

// Tone is the meaning of a colour; a word and a shape always stand beside it.
type Tone string

// Tones.
const (
	ToneQuiet Tone = "quiet"
	ToneGood  Tone = "good"
	ToneNote  Tone = "note"
	ToneWarn  Tone = "warn"
	ToneAlarm Tone = "alarm"
	ToneLost  Tone = "lost" // not known
)

// Tag is a word with its tone and shape.
type Tag struct {
	Word string
	Tone Tone
	Icon string // name of a template icon-…
}

type liveView struct {
	Base
	Banner   banner
	UpTo     time.Time
	Next     string // where the event stream begins
	Doors    []doorCard
	Plan     figure
	Recent   []eventLine
	Open     []findingLine
	OpenAll  int
	Gateways []gatewayStrip
	MayLog   bool
	MayFind  bool
	Risen    string // a sentence: so much has gone up to the CISO office, "" = nothing, or not for these roles
}

// banner is the page's first sentence.
type banner struct {
	Tag
	Lines []string
}

type doorCard struct {
	Name     string
	ZoneName string
	Tag
	Last     string // what was last known, when the state is not known now
	Contact  Tag
	Reader   Tag
	Mode     Tag // Word "" = ordinary
	Observe  bool
	Since    time.Time
	Gateway  string
	LinkLost bool
	Papers   string // link to what is printed for it
	Denial   string // link to the last denial here, "" = not for these roles
}

type eventLine struct {
	At      time.Time
	Leaf    uint64
	Who     Person
	Nobody  bool // the event concerns no person
	Door    string
	Side    string
	Tag     Tag
	Reason  string // sentence, "" = none
	Offline bool
	Attempt string
	By      string
}

type gatewayStrip struct {
	Name     string
	Tag      Tag
	LastSeen time.Time
	Pending  string // "" = none
}

func (h *Handler) liveView(rq *request) (liveView, error) {
	in, err := h.reach(rq)
	if err != nil {
		return liveView{}, err
	}
	o, err := h.src.Overviews.Overview(rq.Context(), in, rq.names)
	if err != nil {
		return liveView{}, fmt.Errorf("overview: %w", err)
	}
	v := liveView{Base: h.base(rq, "live.title"), UpTo: o.UpTo, Next: strconv.FormatUint(o.Size, 10), OpenAll: o.OpenAll}
	v.MayLog = rq.roles&rolesOf("GET /log/{attempt}") != 0
	v.MayFind = rq.roles&rolesOf("GET /findings") != 0
	if v.Risen, err = h.risen(rq, v.say); err != nil {
		return v, err
	}
	v.Banner = v.say.bannerOf(o, rq.now)
	stale := rq.now.Sub(o.UpTo) > staleAfter
	denials := map[access.DoorID]bool{}
	if rq.roles&denialRoles != 0 {
		doors, err := h.doorsFor(rq, denialRoles)
		if err != nil {
			return v, err
		}
		for _, d := range doors {
			denials[d.Door] = true
		}
	}
	for _, d := range o.Doors {
		if stale {
			d.Linked = false // nothing is known now, whatever was said then
		}
		c := v.say.doorCard(d)
		if denials[d.Door] {
			c.Denial = denialHref(d.Door)
		}
		v.Doors = append(v.Doors, c)
	}
	o.Doors = slices.Clone(o.Doors)
	for i := range o.Doors {
		o.Doors[i].Linked = o.Doors[i].Linked && !stale
	}
	v.Plan = v.say.plan(&o)
	for _, e := range o.Recent {
		v.Recent = append(v.Recent, v.say.eventLine(e))
	}
	for _, f := range o.Open {
		v.Open = append(v.Open, v.say.findingLine(f))
	}
	for _, g := range o.Gateways {
		s := gatewayStrip{Name: g.Name, LastSeen: g.LastSeen, Tag: v.say.linkTag(g.Linked && !stale)}
		if g.Pending > 0 {
			s.Pending = strconv.FormatUint(g.Pending, 10)
		}
		v.Gateways = append(v.Gateways, s)
	}
	return v, nil
}

// risen says to the CISO office what has gone up to it (VR-3).
func (h *Handler) risen(rq *request, say speaker) (string, error) {
	if rq.roles&groupC == 0 {
		return "", nil
	}
	in, err := h.reachBy(rq, groupC)
	if err != nil {
		return "", err
	}
	_, n, err := h.src.Findings.ListFindings(rq.Context(), FindingQuery{Risen: in, Limit: 1})
	if err != nil || n == 0 {
		return "", err
	}
	return say.T("live.risen", "n", strconv.Itoa(n)), nil
}

func (h *Handler) getLive(w http.ResponseWriter, rq *request) error {
	if rq.names && !rq.URL.Query().Has("auto") {
		if err := h.src.Audit.RecordAction(rq.Context(), rq.action(ActionViewLive, "")); err != nil {
			return fmt.Errorf("record view: %w", err) // no leaf, no names (RA-4)
		}
	}
	v, err := h.liveView(rq)
	if err != nil {
		return err
	}
	return h.render(w, rq, "live", v)
}

// getLiveFragment is the changing part alone, for the script. The page it belongs to was recorded.
func (h *Handler) getLiveFragment(w http.ResponseWriter, rq *request) error {
	v, err := h.liveView(rq)
	if err != nil {
		return err
	}
	v.Here = "/live"
	return h.write(w, rq, "live", "live-body", v, http.StatusOK)
}

// bannerOf sums the page up. It says "nothing to report" only when every gateway is linked, the data
// is fresh, no door is in an alarming or unknown state and nothing is open.
func (b speaker) bannerOf(o Overview, now time.Time) banner {
	var lines []string
	tone, word, icon := ToneGood, b.T("banner.calm"), "check"
	worse := func(t Tone, line string) {
		lines = append(lines, line)
		if rank(t) > rank(tone) {
			tone = t
		}
	}
	if o.UpTo.IsZero() || now.Sub(o.UpTo) > staleAfter {
		worse(ToneLost, b.T("banner.stale", "time", b.Brief(o.UpTo)))
	}
	if o.InDoubt {
		worse(ToneAlarm, b.T("banner.log_doubt"))
	}
	lost := 0
	for _, g := range o.Gateways {
		if !g.Linked {
			lost++
			worse(ToneLost, b.T("banner.link", "gateway", g.Name, "time", b.Brief(g.LastSeen)))
		}
	}
	if len(o.Gateways) == 0 {
		worse(ToneLost, b.T("banner.no_gateway"))
	}
	for _, d := range o.Doors {
		c := b.doorCard(d)
		switch {
		case d.Linked && !d.Known:
			worse(ToneLost, b.T("banner.door_unknown", "door", d.Name))
		case c.Tone == ToneAlarm:
			worse(ToneAlarm, b.T("banner.door", "door", d.Name, "state", c.Word))
		case d.Linked && c.Reader.Tone == ToneAlarm:
			worse(ToneAlarm, b.T("banner.door", "door", d.Name, "state", c.Reader.Word))
		}
	}
	if o.OpenAll > 0 {
		worse(ToneWarn, b.T("banner.findings", "n", strconv.Itoa(o.OpenAll)))
	}
	switch tone {
	case ToneWarn:
		word, icon = b.T("banner.review"), "finding"
	case ToneLost:
		word, icon = b.T("banner.lost"), "unknown"
	case ToneAlarm:
		word, icon = b.T("banner.alarm"), "alarm"
	}
	return banner{Tag{word, tone, icon}, lines}
}

// rank orders tones by urgency.
func rank(t Tone) int {
	switch t {
	case ToneWarn:
		return 1
	case ToneLost:
		return 2
	case ToneAlarm:
		return 3
	}
	return 0
}

// stateTags gives each state of a door its word, tone and shape. A state that is not here is
// unknown.
func (b speaker) stateTag(s door.StateName) Tag {
	switch s {
	case door.Secured:
		return Tag{b.T("state.secured"), ToneGood, "locked"}
	case door.Unlocked:
		return Tag{b.T("state.unlocked"), ToneNote, "unlocked"}
	case door.Open:
		return Tag{b.T("state.open"), ToneNote, "open"}
	case door.HeldOpen:
		return Tag{b.T("state.held_open"), ToneAlarm, "held"}
	case door.Forced:
		return Tag{b.T("state.forced"), ToneAlarm, "alarm"}
	case door.InLockdown:
		return Tag{b.T("state.lockdown"), ToneWarn, "stop"}
	case door.Released:
		return Tag{b.T("state.released"), ToneAlarm, "fire"}
	case door.Faulted:
		return Tag{b.T("state.faulted"), ToneAlarm, "fault"}
	}
	return Tag{b.T("state.unknown"), ToneLost, "unknown"}
}

func (b speaker) doorCard(d DoorState) doorCard {
	c := doorCard{Name: d.Name, ZoneName: d.ZoneName, Since: d.Since, Gateway: string(d.Gateway), Observe: d.Kind == door.KindObserve, Papers: "/doors/" + string(d.Door) + "/papers"}
	c.Tag = b.stateTag(d.State)
	if c.Observe { // there is no lock: saying "locked" would be a promise that nobody keeps
		switch d.State {
		case door.Secured, door.InLockdown:
			c.Tag = Tag{b.T("state.watched"), ToneGood, "closed"}
		case door.Unlocked:
			c.Tag = Tag{b.T("state.watched_granted"), ToneNote, "closed"}
		}
	}
	if !d.Known || !d.Linked {
		if d.Known {
			c.Last = b.T("door.last", "state", c.Word, "time", b.Brief(d.Since))
		}
		c.Tag = Tag{b.T("state.unknown"), ToneLost, "unknown"}
		c.LinkLost = !d.Linked
	}
	switch d.Contact {
	case "open":
		c.Contact = Tag{b.T("contact.open"), ToneNote, "open"}
	case "closed":
		c.Contact = Tag{b.T("contact.closed"), ToneGood, "closed"}
	default:
		c.Contact = Tag{b.T("contact.unknown"), ToneLost, "unknown"}
	}
	switch d.Reader {
	case "ok":
		c.Reader = Tag{b.T("reader.ok"), ToneGood, "check"}
	case "lost":
		c.Reader = Tag{b.T("reader.lost"), ToneAlarm, "fault"}
	default:
		c.Reader = Tag{b.T("reader.unknown"), ToneLost, "unknown"}
	}
	if !d.Linked { // what was told last, not what is
		c.Contact.Tone, c.Reader.Tone = ToneLost, ToneLost
	}
	switch d.Mode {
	case access.ModeNormal:
	case access.ModeLocked:
		c.Mode = Tag{b.T("mode.locked"), ToneWarn, "stop"}
	case access.ModeLockdown:
		c.Mode = Tag{b.T("mode.lockdown"), ToneWarn, "stop"}
	default:
		c.Mode = Tag{b.T("mode.unknown"), ToneLost, "unknown"}
	}
	return c
}

func (b speaker) linkTag(linked bool) Tag {
	if linked {
		return Tag{b.T("link.up"), ToneGood, "linked"}
	}
	return Tag{b.T("link.down"), ToneLost, "unlinked"}
}

// eventTones gives each event its tone and shape; what is not here is quiet.
var eventTones = map[door.Event]struct {
	tone Tone
	icon string
}{
	door.EventGranted: {ToneGood, "check"}, door.EventEntry: {ToneGood, "enter"}, door.EventExit: {ToneGood, "exit"},
	door.EventDenied: {ToneWarn, "stop"}, door.EventNoEntry: {ToneNote, "dash"},
	door.EventForcedOpen: {ToneAlarm, "alarm"}, door.EventHeldOpen: {ToneAlarm, "held"},
	door.EventTamper: {ToneAlarm, "alarm"}, door.EventLineFault: {ToneAlarm, "fault"},
	door.EventReaderLost: {ToneAlarm, "fault"}, door.EventFireRelease: {ToneAlarm, "fire"},
	door.EventStrikeFailed: {ToneAlarm, "fault"}, door.EventPINLocked: {ToneWarn, "stop"},
	door.EventReadError: {ToneNote, "dash"}, door.EventExitUnattributed: {ToneWarn, "exit"},
	door.EventInsideOpen: {ToneNote, "open"}, door.EventRequestExit: {ToneQuiet, "exit"},
	door.EventLapsed: {ToneWarn, "stop"}, door.EventLinkLost: {ToneLost, "unlinked"},
	door.EventLinkUp: {ToneGood, "linked"}, door.EventClockStep: {ToneNote, "clock"},
	door.EventMainsLost: {ToneWarn, "fault"}, door.EventMainsBack: {ToneGood, "check"},
	door.EventBatteryLow: {ToneAlarm, "fault"}, door.EventBatteryOK: {ToneGood, "check"},
	door.EventMaintenance: {ToneNote, "dash"},
}

// personless events are about a door or gateway alone.
func personless(e Event) bool {
	return e.Who.Ref == "" && e.Attempt == ""
}

func (b speaker) eventLine(e Event) eventLine {
	l := eventLine{At: e.At, Leaf: e.Leaf, Door: e.DoorName, Offline: e.Offline, Attempt: e.Attempt,
		Nobody: personless(e), Who: b.person(e.Who), Side: b.side(e.Side), By: b.decidedBy(e.By)}
	if l.Door == "" {
		l.Door = string(e.Gateway)
		if e.Door != "" {
			l.Door = string(e.Door)
		}
	}
	look := eventTones[e.Event]
	if look.tone == "" {
		look.tone, look.icon = ToneQuiet, "dot"
	}
	l.Tag = Tag{Tone: look.tone, Icon: look.icon, Word: b.known("event", string(e.Event))}
	if e.Event == door.EventDenied || e.Reason != access.ReasonUndecided && e.Reason != access.ReasonGranted {
		l.Reason = b.T("reason." + e.Reason.String())
	}
	return l
}

// known says an entry of an open list; a word the catalogue does not know is shown as it is.
func (b speaker) known(section, word string) string {
	if b.words.has(section + "." + word) {
		return b.T(section + "." + word)
	}
	return b.T(section+".other", "word", word)
}

func (b speaker) side(s access.Side) string {
	switch s {
	case access.SideEnter:
		return b.T("side.enter")
	case access.SideExit:
		return b.T("side.exit")
	}
	return b.T("side.unknown")
}

func (b speaker) decidedBy(by access.DecidedBy) string {
	switch by {
	case access.ByServer:
		return b.T("by.server")
	case access.ByGateway:
		return b.T("by.gateway")
	}
	return b.T("by.nobody")
}
