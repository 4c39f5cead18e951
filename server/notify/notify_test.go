package notify

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"monban/firmware/calendar"
	"monban/server/attempt"
	"monban/server/notify/route"
	"monban/server/policypub/sitetest"
	"monban/server/review"
	"monban/server/store"
)

var quiet = slog.New(slog.DiscardHandler)

// fake is a channel that remembers what it was given.
type fake struct {
	mu   sync.Mutex
	got  []string // ids
	msgs []Message
	fail error
	stop func() // called after a message was taken
}

func (f *fake) Send(_ context.Context, id string, m *Message) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail != nil {
		return f.fail
	}
	f.got, f.msgs = append(f.got, id), append(f.msgs, *m)
	if f.stop != nil {
		f.stop()
	}
	return nil
}

// bench is a site with a notifier whose clock stands still.
type bench struct {
	t    *testing.T
	site *sitetest.Site
	now  time.Time
	poc  *fake
	duty *fake
	n    *Notifier
}

func newBench(t *testing.T) *bench {
	b := &bench{t: t, site: sitetest.New(t), now: sitetest.Now(), poc: &fake{}, duty: &fake{}}
	b.restart()
	return b
}

// restart is what a new process does.
func (b *bench) restart() {
	b.n = New(Config{
		Store: b.site.Store, Site: "test-city", Link: "https://monban.example", CodeKey: [32]byte{1}, Now: func() time.Time { return b.now }, Log: quiet,
		Tree: route.Tree{Root: route.Route{Hours: []string{"poc"}, OffHours: []string{"duty"}, Then: []string{"duty"}}, Digest: []string{"poc"}, Secret: []string{"duty"},
			Limits: route.Defaults, Hours: calendar.Hours{Open: 8*3600 + 1800, Close: 17*3600 + 900}, Zone: b.site.Zone},
		Closed: func() calendar.Calendar { return calendar.Calendar{} }, ZoneOf: func(string) string { return "server-room" },
		Channels: []Named{{"poc", "mail", b.poc}, {"duty", "mail", b.duty}},
	})
}

func (b *bench) find(k review.Kind, door string) (idx int64) {
	b.t.Helper()
	f := review.New(k, review.NoCause)
	err := b.site.Store.Write(b.t.Context(), func(tx *store.Tx) (err error) {
		idx, err = tx.AppendFinding(attempt.Finding{Kind: string(k), Severity: f.Severity.String(), Gateway: "gw-1", Door: door, Cause: f.Cause, AtMS: b.now.UnixMilli()}, nil)
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return idx
}

// id is a message's name in this log.
func (b *bench) id(format string, args ...any) (name string) {
	b.t.Helper()
	b.site.Read(func(r *store.ReadTx) (err error) {
		name, err = key(r.Reader, format, args...)
		return err
	})
	return name
}

// route and send until nothing is due.
func (b *bench) work() {
	b.t.Helper()
	for more := true; more; {
		var err error
		if more, err = b.n.pass(b.t.Context(), nil); err != nil {
			b.t.Fatal(err)
		}
	}
	for _, q := range b.n.queues {
		for {
			sent, _ := q.next(b.t.Context())
			if !sent {
				break
			}
		}
	}
}

// AL-1: a finding is told once, over restarts; one that could not be sent is tried again under the same id, later and later.
func TestDeliverySurvivesRestarts(t *testing.T) {
	b := newBench(t)
	b.work() // from the first start on
	idx := b.find(review.ForcedOpen, "server-room-1")
	b.poc.fail = errors.New("connection refused\nby the server")
	b.work()
	b.restart()
	b.work()
	if len(b.poc.got) != 0 {
		t.Fatal("sent")
	}
	var d store.Delivery
	look := func() {
		t.Helper()
		err := b.site.Store.Read(t.Context(), func(r *store.ReadTx) error {
			list, err := r.AlertDeliveries(idx)
			if err == nil {
				d = list[0]
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	look()
	if d.Tries != 1 || d.Error != "connection refused by the server" || !d.Due.Equal(b.now.Add(firstRetry)) {
		t.Errorf("after one try: %+v", d)
	}
	b.now = d.Due
	b.work()
	if look(); d.Tries != 2 || !d.Due.Equal(b.now.Add(2*firstRetry)) {
		t.Errorf("after two tries: %+v", d)
	}
	b.poc.fail = nil
	b.now = d.Due
	b.restart()
	b.work()
	b.restart()
	b.now = b.now.Add(time.Second)
	b.work()
	if want := []string{b.id("a%d.alert.1", idx) + ".poc"}; !slices.Equal(b.poc.got, want) {
		t.Errorf("sent %q, want %q", b.poc.got, want)
	}
	if look(); d.State != store.DeliverySent || d.Error != "" {
		t.Errorf("at the end: %+v", d)
	}
	for tries, wait := range map[int]time.Duration{1: 5 * time.Second, 3: 20 * time.Second, 8: 640 * time.Second, 9: 15 * time.Minute, 1000: 15 * time.Minute} {
		if got := backOff(tries); got != wait {
			t.Errorf("after %d tries %v", tries, got)
		}
	}
}

// A kill between the receiver's yes and our note of it sends the message once more, under the same id; nothing else is doubled.
func TestKillAfterSendingDoublesUnderTheSameID(t *testing.T) {
	b := newBench(t)
	b.work()
	b.find(review.ForcedOpen, "server-room-1")
	second := b.find(review.ForcedOpen, "media-store-1")
	if _, err := b.n.pass(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	ctx, kill := context.WithCancel(t.Context())
	b.poc.stop = kill
	if _, err := b.n.queues["poc"].next(ctx); err != nil {
		t.Fatal(err)
	}
	b.poc.stop = nil
	b.restart()
	b.work()
	if len(b.poc.got) != 3 || b.poc.got[0] != b.poc.got[1] || b.poc.got[2] != b.id("a%d.alert.1", second)+".poc" {
		t.Errorf("sent %q", b.poc.got)
	}
}

// AL-1: what was put off by a clock that was months ahead is sent when the clock is right again, and in the end given up.
func TestSentAfterAWrongClock(t *testing.T) {
	b := newBench(t)
	b.work()
	b.now = time.Date(2027, 3, 4, 23, 0, 0, 0, jst)
	b.find(review.ForcedOpen, "server-room-1")
	b.duty.fail = errors.New("no")
	b.work()
	b.now = time.Date(2026, 11, 24, 23, 0, 0, 0, jst)
	b.duty.fail = nil
	b.work()
	if len(b.duty.got) != 1 {
		t.Errorf("sent %q", b.duty.got)
	}
	d := store.Delivery{Made: b.now.AddDate(1, 0, 0), Tries: mostTries - 1}
	b.n.queues["duty"].settle(&d, errors.New("no"))
	if d.State != store.DeliveryGivenUp {
		t.Errorf("tried for a year: %+v", d)
	}
}

// After three days a message is given up; the digest says so.
func TestGivenUpIsSaid(t *testing.T) {
	b := newBench(t)
	b.work()
	b.now = time.Date(2026, 11, 24, 23, 0, 0, 0, jst)
	b.find(review.ForcedOpen, "server-room-1")
	b.duty.fail = errors.New("no")
	b.work()
	b.now = b.now.Add(giveUp)
	b.work()
	if err := b.n.Digest(t.Context(), b.now); err != nil {
		t.Fatal(err)
	}
	b.work()
	if len(b.poc.msgs) != 1 || b.poc.msgs[0].GivenUp == 0 {
		t.Fatalf("digest %+v", b.poc.msgs)
	}
	if text := testWords(t).in("ja").body(&b.poc.msgs[0]); !strings.Contains(text, "届けられなかった通知が") {
		t.Error(text)
	}
}

// AL-2, AL-6: what the night held back stands in the morning's digest, once, with what nobody has acknowledged; a second call for
// the day sends nothing.
func TestDigest(t *testing.T) {
	b := newBench(t)
	b.work()
	b.now = time.Date(2026, 11, 25, 2, 0, 0, 0, jst)
	held := b.find(review.HeldOpen, "server-room-1")
	rang := b.find(review.Tamper, "server-room-1")
	b.work()
	if len(b.poc.got) != 0 || len(b.duty.got) != 1 {
		t.Fatalf("at night: %q %q", b.poc.got, b.duty.got)
	}
	b.now = time.Date(2026, 11, 25, 8, 30, 0, 0, jst)
	for range 2 {
		if err := b.n.Digest(t.Context(), b.now); err != nil {
			t.Fatal(err)
		}
		b.work()
		b.restart()
	}
	if len(b.poc.got) != 1 || b.poc.got[0] != b.id("digest.2026-11-25")+".poc" {
		t.Fatalf("sent %q", b.poc.got)
	}
	m := b.poc.msgs[0]
	if len(m.Lines) != 1 || m.Lines[0].Case != held || len(m.Waiting) != 1 || m.Waiting[0].Case != rang {
		t.Errorf("digest %+v", m)
	}
	b.now = b.now.Add(24 * time.Hour)
	if err := b.n.Digest(t.Context(), b.now); err != nil {
		t.Fatal(err)
	}
	b.work()
	if m := b.poc.msgs[1]; len(m.Lines) != 0 || len(m.Waiting) != 1 {
		t.Errorf("next day %+v", m)
	}
}

// AL-3: an escalation is a leaf, and taking the case ends it.
func TestEscalationIsLogged(t *testing.T) {
	b := newBench(t)
	b.work()
	idx := b.find(review.ForcedOpen, "server-room-1")
	b.work()
	size := b.site.Store.Size()
	b.now = b.now.Add(10 * time.Minute)
	b.work()
	if len(b.duty.got) != 1 || b.duty.got[0] != b.id("a%d.escalation.1", idx)+".duty" {
		t.Fatalf("sent %q", b.duty.got)
	}
	if got := b.site.Store.Size(); got != size+1 {
		t.Fatalf("%d leaves more", got-size)
	}
	b.site.Read(func(r *store.ReadTx) error {
		l, err := r.Leaf(size)
		if err == nil && !strings.Contains(string(l.Body), `"alert_escalated"`) {
			t.Errorf("leaf %s", l.Body)
		}
		return err
	})

	second := b.find(review.ForcedOpen, "media-store-1")
	b.work()
	err := b.site.Store.Write(t.Context(), func(tx *store.Tx) error {
		_, err := tx.AppendFindingAct(store.FindingAct{Finding: second, Kind: "finding_taken", Account: "A", AtMS: b.now.UnixMilli()}, "lan", "")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	b.now = b.now.Add(10 * time.Minute)
	b.work()
	if len(b.duty.got) != 1 {
		t.Errorf("escalated though somebody has taken it: %q", b.duty.got)
	}
}

// AL-4, PR-6, PR-2: whatever is told of any kind at any door, in any language and form, it holds no person, no company, and no
// word of a door, a room or a device.
func TestOutboundTextsHoldNoNames(t *testing.T) {
	b := newBench(t)
	dir := b.site.Site().Directory()
	var secret []string
	for _, p := range dir.People {
		secret = append(secret, p.Name, string(p.ID), p.Kana, p.Romaji, p.Company, p.Section)
	}
	for _, z := range dir.Zones {
		secret = append(secret, z.Name, z.NameEN, string(z.ID))
	}
	for _, d := range dir.Doors {
		secret = append(secret, d.Name, d.NameEN, string(d.ID))
	}
	for _, g := range dir.Gateways {
		secret = append(secret, g.Name, string(g.ID))
	}
	secret = slices.DeleteFunc(secret, func(s string) bool { return len([]rune(s)) < 3 })
	if len(secret) < 30 {
		t.Fatalf("only %d words to look for", len(secret))
	}
	b.work()
	for _, e := range review.Catalogue() {
		for _, d := range dir.Doors {
			b.find(e.Kind, string(d.ID))
		}
	}
	b.work()
	b.now = b.now.Add(10 * time.Minute)
	b.work()
	if err := b.n.Digest(t.Context(), b.now); err != nil {
		t.Fatal(err)
	}
	b.work()
	words := testWords(t)
	seen := 0
	for _, m := range slices.Concat(b.poc.msgs, b.duty.msgs) {
		body, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		texts := []string{string(body)}
		for _, lang := range []string{"ja", "en"} {
			texts = append(texts, words.in(lang).subject(&m), words.in(lang).body(&m))
		}
		for _, text := range texts {
			seen++
			if strings.Contains(text, "⟦") {
				t.Errorf("a word is missing: %s", text)
			}
			// A link is a path and a number; the address of the pages is the site's own to choose.
			text = strings.ReplaceAll(text, "https://monban.example/findings", "")
			for _, s := range secret {
				if strings.Contains(strings.ToLower(text), strings.ToLower(s)) {
					t.Fatalf("%q stands in %q", s, text)
				}
			}
		}
	}
	if seen < 100 {
		t.Errorf("only %d texts looked at", seen)
	}
}

// Both languages have the same words with the same places, and every word that the code asks for.
func TestWords(t *testing.T) {
	w := testWords(t)
	for key, ja := range w.texts["ja"] {
		en, ok := w.texts["en"][key]
		if !ok {
			t.Errorf("%s is missing in English", key)
		}
		for _, place := range []string{"{severity}", "{kind}", "{case}", "{n}", "{step}", "{day}", "{code}", "{time}", "{seconds}", "{place}", "{site}"} {
			if strings.Contains(ja, place) != strings.Contains(en, place) {
				t.Errorf("%s: %s in one language only", key, place)
			}
		}
	}
	if len(w.texts["ja"]) != len(w.texts["en"]) {
		t.Error("English has words of its own")
	}
	for _, what := range []route.What{route.WhatAlert, route.WhatMore, route.WhatEscalation, route.WhatDigest, route.WhatCanary, route.WhatCheckpoint, route.WhatTest} {
		m := forced()
		m.What = what
		for _, lang := range []string{"ja", "en"} {
			if text := w.in(lang).subject(m) + w.in(lang).body(m); strings.ContainsAny(text, "⟦{") {
				t.Errorf("%s %s: %s", what, lang, text)
			}
		}
	}
}
