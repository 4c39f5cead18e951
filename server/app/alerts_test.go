package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/firmware/calendar"
	"monban/server/attempt"
	"monban/server/config"
	"monban/server/entrylog"
	"monban/server/notify"
	"monban/server/review"
	"monban/server/store"
	"monban/server/web"
	"monban/server/web/webtest"
)

// inbox is a channel in memory.
type inbox struct {
	mu   sync.Mutex
	ids  []string
	fail error
}

func (b *inbox) Send(_ context.Context, id string, _ *notify.Message) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fail != nil {
		return b.fail
	}
	b.ids = append(b.ids, id)
	return nil
}

// alertDesk is the page's source over a notifier that runs.
type alertDesk struct {
	*desk
	src *alertPages
	box *inbox
}

func newAlertDesk(t *testing.T) *alertDesk {
	d := newDesk(t)
	cfg := config.Default().Alerts
	cfg.Hours, cfg.OffHours = []string{"poc"}, []string{"poc"}
	cfg.Channel = []config.AlertChannel{{Name: "poc", Type: "mail", Duress: true}}
	box := &inbox{}
	n := notify.New(notify.Config{
		Store: d.Site.Store, Tree: treeOf(&cfg, d.Site.Zone), Channels: []notify.Named{{Name: "poc", Kind: "mail", Channel: box}}, Site: "test-city", Now: d.now, Log: quiet,
		Closed: func() calendar.Calendar { return closedOf(d.Site.Publisher.Site().Directory()) }, ZoneOf: func(string) string { return "" },
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); n.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	err := d.Site.Store.Write(t.Context(), func(tx *store.Tx) error {
		return tx.InsertAccount(store.Account{ID: "A", Login: "a", FullName: "髙橋 一郎", CreatedMS: 1, PasswordHash: "x"})
	})
	if err != nil {
		t.Fatal(err)
	}
	return &alertDesk{d, &alertPages{store: d.Site.Store, pages: d.pages, alerts: n, cfg: &cfg, now: d.now, wait: time.Minute}, box}
}

func (d *alertDesk) find(k review.Kind, door string) string {
	d.t.Helper()
	var idx int64
	err := d.Site.Store.Write(d.t.Context(), func(tx *store.Tx) (err error) {
		idx, err = tx.AppendFinding(attempt.Finding{Kind: string(k), Severity: k.Entry().Severity.String(), Gateway: "gw-1", Door: door, Cause: review.NoCause, AtMS: d.now().UnixMilli()}, nil)
		return err
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return fmt.Sprint(idx)
}

// until waits for the board to be as it should.
func (d *alertDesk) until(what string, ok func(b web.AlertBoard) bool) web.AlertBoard {
	d.t.Helper()
	for limit := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		b, err := d.src.AlertBoard(d.t.Context(), web.AlertQuery{In: web.Reach{All: true}, Names: true, Duress: true, Limit: 100})
		if err != nil {
			d.t.Fatal(err)
		}
		if ok(b) {
			return b
		}
		if time.Now().After(limit) {
			d.t.Fatalf("%s does not come: %+v", what, b)
		}
	}
}

// AL-3, AD-13: the page's source on a real database does what every source does, and its acts are leaves.
func TestAlertsOfTheApp(t *testing.T) {
	d := newAlertDesk(t)
	forced, duress := d.find(review.ForcedOpen, "server-room-1"), d.find(review.Duress, "server-room-1")
	b := d.until("the alerts", func(b web.AlertBoard) bool {
		return len(b.Alerts) == 2 && len(b.Alerts[0].Messages) == 1 && b.Alerts[0].Messages[0].State == "sent" && len(b.Alerts[1].Messages) == 1
	})
	if !b.OfficeOpen || b.Hours != "08:30–17:15" || len(b.Routes) != 1 || len(b.Channels) != 1 {
		t.Errorf("board %+v", b)
	}
	webtest.CheckAlerts(t, webtest.AlertsCase{Source: d.src, Waiting: forced, Duress: duress, Channel: "poc", Now: d.now(), Account: "A"})
	err := d.Site.Store.Read(t.Context(), func(r *store.ReadTx) error {
		list, err := r.Alerts(true, 10)
		for _, a := range list {
			if a.AckedBy != "A" {
				t.Errorf("alert %d was acknowledged by %q", a.ID, a.AckedBy)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// The test button shows the receiver's own words when it refuses.
func TestChannelTestShowsTheError(t *testing.T) {
	d := newAlertDesk(t)
	d.box.fail = errors.New("550 no such mailbox")
	fault, err := d.src.TestChannel(t.Context(), "poc", web.Action{At: d.now(), Kind: web.ActionAlertTested, Actor: "A", Target: "poc"})
	if err != nil || fault != "550 no such mailbox" {
		t.Errorf("%q, %v", fault, err)
	}
	b := d.until("the failure", func(b web.AlertBoard) bool { return b.Channels[0].Error != "" })
	if c := b.Channels[0]; c.Waiting != 1 || c.Failed.IsZero() || !c.Sent.IsZero() {
		t.Errorf("channel %+v", c)
	}
}

// A channel whose secret or certificate cannot be read is an error at start.
func TestChannelsAreCheckedAtStart(t *testing.T) {
	words, err := notify.NewWords(func(string, review.Kind) string { return "" }, time.UTC, "s", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []config.AlertChannel{
		{Name: "poc", Type: "mail", Server: "mail:587", Password: "/nowhere/password"}, {Name: "poc", Type: "mail", Server: "mail:587", CAFile: "/nowhere/ca.pem"},
		{Name: "poc", Type: "webhook", URL: "https://x", Secret: "/nowhere/secret"}, {Name: "poc", Type: "syslog", Server: "x:1", CAFile: "/nowhere/ca.pem"},
		{Name: "poc", Type: "syslog", Server: "x:1", Cert: "/nowhere/cert.pem", Key: "/nowhere/key.pem"},
	} {
		_, err := openChannels(&config.Alerts{Channel: []config.AlertChannel{c}}, words, nil)
		wantLine(t, err, "alerts.channel poc", "/nowhere/")
	}
}

// AL-3, RA-1: what waits for somebody is on the pages of who sees it, however much of other zones or of what is held comes after
// it, and is acknowledged by its number from anywhere.
func TestWaitingAlertsAreNotCrowdedOut(t *testing.T) {
	d := newAlertDesk(t)
	first := d.find(review.ForcedOpen, "media-store-1")
	const others = 230
	for i := range others {
		d.find(review.ForcedOpen, fmt.Sprint("annex-", i))
	}
	d.until("the alerts", func(web.AlertBoard) bool { // all of them: they come in several turns
		last, err := d.src.AlertBoard(t.Context(), web.AlertQuery{In: web.Reach{All: true}, Skip: 200, Limit: 100})
		return err == nil && len(last.Alerts) == others+1-200
	})
	var seen []string
	q := web.AlertQuery{In: web.Reach{All: true}, Limit: 100}
	for more := true; more; q.Skip += q.Limit {
		b, err := d.src.AlertBoard(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range b.Alerts {
			seen = append(seen, a.ID)
		}
		more = b.More
	}
	if len(seen) != others+1 || seen[others] != first {
		t.Errorf("%d on all pages, the last %s", len(seen), seen[len(seen)-1])
	}
	q = web.AlertQuery{In: web.Reach{Doors: []access.DoorID{"media-store-1"}}, Limit: 100}
	if b, err := d.src.AlertBoard(t.Context(), q); err != nil || len(b.Alerts) != 1 || b.Alerts[0].ID != first || b.More {
		t.Errorf("of the zone: %+v, %v", b.Alerts, err)
	}
	if err := d.src.AcknowledgeAlert(t.Context(), first, q, web.Action{At: d.now(), Kind: web.ActionAlertAcknowledged, Actor: "A", Target: first}); err != nil {
		t.Error(err)
	}
}

// AD-13, D10: who has seen an alert of a PIN under duress stands in the log, and not which leaf it is of.
func TestSeenDuressNamesNoLeaf(t *testing.T) {
	d := newAlertDesk(t)
	ids := map[review.Kind]string{review.Duress: d.find(review.Duress, "media-store-1"), review.ForcedOpen: d.find(review.ForcedOpen, "media-store-1")}
	q := web.AlertQuery{In: web.Reach{All: true}, Limit: 100, Duress: true}
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if b, err := d.src.AlertBoard(t.Context(), q); err == nil && len(b.Alerts) == 2 {
			break
		} else if time.Now().After(end) {
			t.Fatalf("%+v, %v", b.Alerts, err)
		}
	}
	for kind, id := range ids {
		if err := d.src.AcknowledgeAlert(t.Context(), id, q, web.Action{At: d.now(), Kind: web.ActionAlertAcknowledged, Actor: "A", Target: id}); err != nil {
			t.Fatal(kind, err)
		}
		err := d.src.store.Read(t.Context(), func(r *store.ReadTx) error {
			var last entrylog.Action
			var at int64
			leaves, err := r.ActionLeaves(0, 1000)
			for _, l := range leaves {
				if a, err := entrylog.ParseAction(l.Body); err == nil && a.Verb == string(web.ActionAlertAcknowledged) {
					last, at = a, l.Idx
				}
			}
			if err != nil {
				return err
			}
			o, err := r.Opening(at)
			if kind == review.Duress && (last.ID != "" || !strings.Contains(o.Text, "alert "+id)) || kind != review.Duress && last.ID != id {
				t.Errorf("%s: leaf names %q, opening %q", kind, last.ID, o.Text)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
