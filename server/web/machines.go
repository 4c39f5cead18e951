package web

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"monban/firmware/access"
)

// offsetWarn is the clock difference that is worth a look: a register is kept to the second.
const offsetWarn = 2000 // ms

type doorsView struct {
	Base
	Gateways []gatewayCard
	Lost     string // number of gateways without a link, "" = none
	Self     *selfTestView
}

type gatewayCard struct {
	ID, Name string
	Link     Tag
	LastSeen time.Time
	Ago      string
	Pending  string
	Waiting  bool
	Software string
	Boot     time.Time
	Policy   []policyRow
	Behind   bool
	Clock    Tag
	Offset   string
	Mains    Tag
	Battery  Tag
	Cert     Tag
	CertEnds time.Time // zero = it has none
	Doors    []doorCard
}

type policyRow struct {
	Part, Held, InForce string
	Tag                 Tag
}

func (h *Handler) getDoors(w http.ResponseWriter, rq *request) error {
	list, err := h.src.Machines.ListGateways(rq.Context())
	if err != nil {
		return fmt.Errorf("gateways: %w", err)
	}
	v := doorsView{Base: h.base(rq, "doors.title")}
	lost := 0
	for _, g := range list {
		if !g.Linked {
			lost++
		}
		v.Gateways = append(v.Gateways, v.say.gatewayCard(g))
	}
	if lost > 0 {
		v.Lost = strconv.Itoa(lost)
	}
	if v.Self, err = h.selfTest(rq, v.Base); err != nil {
		return err
	}
	return h.render(w, rq, "doors", v)
}

func (b speaker) gatewayCard(g Gateway) gatewayCard {
	c := gatewayCard{ID: string(g.ID), Name: g.Name, Link: b.linkTag(g.Linked), LastSeen: g.LastSeen, Software: g.Software, Boot: g.Boot,
		Pending: strconv.FormatUint(g.Pending, 10), Waiting: g.Pending > 0}
	c.Ago = b.T("gateway.never")
	if !g.LastSeen.IsZero() {
		c.Ago = b.T("span.ago", "span", b.span(max(0, b.now.Sub(g.LastSeen))))
	}
	for _, p := range []struct {
		key           string
		held, inForce uint64
	}{{"rules", g.Held.Rules, g.InForce.Rules}, {"modes", g.Held.Modes, g.InForce.Modes}, {"state", g.Held.State, g.InForce.State}} {
		row := policyRow{Part: b.T("policy." + p.key), Held: b.policy(p.held), InForce: b.policy(p.inForce)}
		row.Tag = Tag{b.T("policy.current"), ToneGood, "check"}
		if p.held != p.inForce {
			row.Tag = Tag{b.T("policy.behind"), ToneWarn, "clock"}
			c.Behind = true
		}
		c.Policy = append(c.Policy, row)
	}
	c.Clock = Tag{b.clock(g.Clock), ToneGood, "clock"}
	switch {
	case g.Clock <= access.ClockFloor:
		c.Clock.Tone = ToneAlarm
	case g.OffsetMS > offsetWarn || g.OffsetMS < -offsetWarn:
		c.Clock.Tone = ToneWarn
	}
	c.Offset = offsetWords(g.OffsetMS)
	c.Mains, c.Battery = b.powerTags(g)
	c.Cert, c.CertEnds = b.certificateTag(g), g.CertificateEnds
	for _, d := range g.Doors {
		c.Doors = append(c.Doors, b.doorCard(d))
	}
	return c
}

// offsetWords are a difference of clocks in seconds, of ms.
func offsetWords(ms int64) string {
	s := fmt.Sprintf("%+.1f", float64(ms)/1000)
	if s == "-0.0" || s == "+0.0" {
		return "0.0"
	}
	return s
}

// powerTags say how the supply of a gateway stands; without a link, what was told last (OP-1).
func (b speaker) powerTags(g Gateway) (mains, battery Tag) {
	mains, battery = powerTag(g.Mains), powerTag(g.Battery)
	word := func(s string) string {
		if s == "" {
			return "unknown"
		}
		return s
	}
	mains.Word, battery.Word = b.T("mains."+word(g.Mains)), b.T("battery."+word(g.Battery))
	if !g.Linked {
		mains.Tone, battery.Tone = ToneLost, ToneLost
	}
	return mains, battery
}

func powerTag(state string) Tag {
	switch state {
	case "yes", "ok":
		return Tag{"", ToneGood, "check"}
	case "no", "low":
		return Tag{"", ToneAlarm, "fault"}
	case "none":
		return Tag{"", ToneQuiet, "dash"}
	default:
		return Tag{"", ToneLost, "unknown"}
	}
}

// certificateTag says how many days the gateway's certificate has left. It renews itself from half of its life on.
func (b speaker) certificateTag(g Gateway) Tag {
	left := g.CertificateEnds.Sub(b.now)
	switch {
	case g.CertificateEnds.IsZero():
		return Tag{b.T("certificate.none"), ToneLost, "unknown"}
	case left <= 0:
		return Tag{b.T("certificate.ended"), ToneAlarm, "fault"}
	}
	t := Tag{b.T("certificate.days", "n", strconv.Itoa(int(left/(24*time.Hour)))), ToneGood, "check"}
	if g.CertificateDue {
		t.Tone, t.Icon = ToneWarn, "clock"
	}
	return t
}
