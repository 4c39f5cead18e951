package webtest

import (
	"context"
	"strings"
	"time"

	"monban/firmware/access"
	"monban/server/setup"
	"monban/server/web"
)

// GatewayPrint is the fingerprint of the gateway that came with a code; GatewayCode is every code.
const (
	GatewayPrint = "ABCD-EFGH-JKLM-NPQR"
	GatewayCode  = "AAAAAA-BBBBBB-CCCCCC-DDDDDD-EEEEEE-FFFFFF-GGGGGG"
)

// Startup is a memory of a site that is being set up.
type Startup struct {
	Facts setup.Facts
	m     *Memory
	state map[string]string
	until map[string]time.Time
}

func newStartup(m *Memory) *Startup {
	now := jst()
	return &Startup{m: m, state: map[string]string{"gw-1": "enrolled", "gw-2": "came"}, until: map[string]time.Time{"gw-2": now.Add(10 * time.Minute)}, Facts: setup.Facts{
		Now: now, Running: true, Administrators: 1, Organisation: true, Forms: true, Printed: true, PagesTLS: true, PagesEnd: now.AddDate(0, 10, 0), KeyCopies: 2, Synced: true,
		Gateways: []setup.Gateway{{ID: "gw-1", Identity: true, Linked: true}, {ID: "gw-2", Invited: true}}, Doors: 3, Observed: 1, Cards: 9, Holders: 7,
		Swipe: now.Add(-time.Hour), Channels: 1, Backup: now.AddDate(0, 0, -1),
	}}
}

// SetupSteps implements web.Startup.
func (s *Startup) SetupSteps(context.Context) ([]setup.Step, error) {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	return setup.Steps(s.Facts), nil
}

// GatewayInvites implements web.Startup.
func (s *Startup) GatewayInvites(context.Context) (out []web.GatewayInvite, err error) {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	for _, g := range []web.GatewayInvite{{ID: "gw-1", Name: "本庁舎 3 階"}, {ID: "gw-2", Name: "媒体保管庫"}} {
		g.State = s.state[g.ID]
		if g.State != "enrolled" {
			g.Until = s.until[g.ID]
		}
		out = append(out, g)
	}
	return out, nil
}

// InviteGateway implements web.Startup.
func (s *Startup) InviteGateway(_ context.Context, id string, life time.Duration, _ bool, act web.Action) (string, error) {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	if s.state[id] == "" {
		return "", web.ErrNotFound
	}
	if err := s.m.record(act); err != nil {
		return "", err
	}
	s.state[id], s.until[id] = "invited", act.At.Add(life)
	return GatewayCode, nil
}

// ConfirmGateway implements web.Startup.
func (s *Startup) ConfirmGateway(_ context.Context, id, fingerprint string, act web.Action) error {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	switch {
	case s.state[id] == "":
		return web.ErrNotFound
	case s.state[id] != "came":
		return web.ErrNotCome
	case !strings.EqualFold(fingerprint, GatewayPrint):
		s.state[id] = "none"
		return web.ErrOtherGateway
	}
	if err := s.m.record(act); err != nil {
		return err
	}
	s.state[id] = "confirmed"
	return nil
}

// DoorPaper implements web.Startup.
func (s *Startup) DoorPaper(_ context.Context, id access.DoorID) (web.DoorPaper, error) {
	for _, d := range s.m.Orders.At {
		if d.Door == id {
			p := web.DoorPaper{Door: id, Enter: d.Enter, Name: d.Name, ZoneName: string(d.Enter), Gateway: "gw-1", Observe: d.Observe, Guards: !d.Observe}
			if p.Guards {
				p.Recovery = 2
			}
			return p, nil
		}
	}
	return web.DoorPaper{}, web.ErrNotFound
}
