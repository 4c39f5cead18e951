package webtest_test

import (
	"testing"
	"time"

	"monban/server/visit"
	"monban/server/web"
	"monban/server/web/webtest"
)

// The sources in memory keep the promises that the pages' tests rely on.
func TestMemory(t *testing.T) {
	for name, check := range webtest.Conformance() {
		t.Run(name, func(t *testing.T) {
			m := new(webtest.Memory)
			m.Grow(5, "record")
			check(t, webtest.Fresh{
				Stores: m,
				Code:   func(hash [32]byte, made time.Time) { m.PutSetupCode(hash, made) },
				Leaves: func() int { return len(m.Actions()) },
			})
		})
	}
}

// VE-1, VE-3, AD-16, AD-17, EQ-4: reception in memory keeps what the pages rely on.
func TestMemoryVisits(t *testing.T) {
	m := new(webtest.Memory)
	now := time.Now()
	webtest.Sample(m, now)
	m.Sources()
	webtest.CheckVisits(t, webtest.Reception{
		Visits: &m.Desk, Asker: visit.Actor{Account: "A", Person: "1002"}, Chief: visit.Actor{Account: "B", Person: "1003"}, Clerk: visit.Actor{Account: "C", Person: "1005"},
		Zone: "server-room", Attendee: "1001", Forgetful: "1004", Badge: "B-3", Temporary: "B-5", Key: "KEY-1", Now: now, Leaves: func() int { return len(m.Actions()) },
	})
}

func TestAlertsInMemory(t *testing.T) {
	now := time.Now()
	m := new(webtest.Memory)
	webtest.Sample(m, now)
	m.PutAccount(web.Account{ID: "A", Name: "a", FullName: "髙橋 一郎"})
	src := m.Sources().Alerts
	webtest.CheckAlerts(t, webtest.AlertsCase{Source: src, Waiting: "10101", Duress: "10090", Channel: "poc", Now: now, Account: "A"})
}
