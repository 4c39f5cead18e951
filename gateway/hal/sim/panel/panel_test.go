package panel

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"monban/firmware/wiegand"
	"monban/gateway/hal"
	"monban/gateway/hal/sim"
)

type bench struct {
	t     *testing.T
	hal   *sim.HAL
	panel *Panel
	srv   *httptest.Server
	links chan bool
}

func start(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, links: make(chan bool, 4)}
	var cards []sim.Card
	for i, label := range []string{"髙橋", "﨑山", "𠮷田", "葛󠄀城 <b>&", "神谷"} {
		c, err := sim.NewCard(label, "H10301", 54, uint64(54321+i))
		if err != nil {
			t.Fatal(err)
		}
		cards = append(cards, c)
	}
	k, err := wiegand.ParseKeypad("burst4")
	if err != nil {
		t.Fatal(err)
	}
	b.hal, err = sim.New(sim.Config{Anchor: time.Now(), Cards: cards, SetLink: func(up bool) { b.links <- up }, Doors: []sim.DoorConfig{
		{ID: "server-room-1", Lock: true, Request: true, Enter: &sim.ReaderConfig{Keypad: k}, Exit: &sim.ReaderConfig{}},
		{ID: "loading-bay"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	b.panel, err = New(b.hal, nil)
	if err != nil {
		t.Fatal(err)
	}
	b.srv = httptest.NewServer(b.panel.Handler())
	t.Cleanup(func() {
		b.srv.Close()
		if err := b.hal.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func (b *bench) base() string { return b.srv.URL + "/" + b.panel.token }

func (b *bench) get(path string, head ...string) (int, string, http.Header) {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), "GET", path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.send(req, head...)
}

func (b *bench) post(path string, form url.Values, head ...string) (int, string, http.Header) {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), "POST", path, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.send(req, head...)
}

func (b *bench) send(req *http.Request, head ...string) (int, string, http.Header) {
	b.t.Helper()
	for i := 0; i+1 < len(head); i += 2 {
		if head[i] == "Host" {
			req.Host = head[i+1]
		}
		req.Header.Set(head[i], head[i+1])
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return res.StatusCode, string(body), res.Header
}

// D30: without the token there is nothing, and no page or header tells it.
func TestToken(t *testing.T) {
	t.Parallel()
	b := start(t)
	for _, path := range []string{"/", "/do", "/x/", "/" + b.panel.token[:31] + "/", "/" + strings.ToUpper(b.panel.token) + "x/", "//" + b.panel.token + "/"} {
		if code, body, _ := b.get(b.srv.URL + path); code != 404 || strings.Contains(body, b.panel.token) {
			t.Errorf("%s: %d %q", path, code, body)
		}
	}
	if code, _, _ := b.post(b.srv.URL+"/0/do", url.Values{"do": {"force"}, "door": {"server-room-1"}}); code != 404 {
		t.Errorf("post without token: %d", code)
	}
	// Another name that resolves to loopback (DNS rebinding).
	if code, _, _ := b.get(b.base()+"/", "Host", "evil.example"); code != 404 {
		t.Errorf("foreign host name: %d", code)
	}
	code, body, head := b.get(b.base() + "/")
	if code != 200 || strings.Contains(body, b.panel.token) {
		t.Errorf("page: %d, holds its token: %v", code, strings.Contains(body, b.panel.token))
	}
	for name, want := range map[string]string{
		"Content-Security-Policy": "default-src 'none'; script-src 'self'", "X-Content-Type-Options": "nosniff",
		"Referrer-Policy": "no-referrer", "Cache-Control": "no-store", "Cross-Origin-Opener-Policy": "same-origin",
	} {
		if !strings.HasPrefix(head.Get(name), want) {
			t.Errorf("%s: %q", name, head.Get(name))
		}
	}
	for _, asset := range []string{"style.css", "panel.js"} {
		if code, body, _ := b.get(b.base() + "/" + asset); code != 200 || body == "" {
			t.Errorf("%s: %d", asset, code)
		}
	}
	other, err := New(b.hal, nil)
	if err != nil || other.token == b.panel.token {
		t.Error("two panels share a token")
	}
}

// A form of another site's page does nothing.
func TestCrossOrigin(t *testing.T) {
	t.Parallel()
	b := start(t)
	form := url.Values{"do": {"force"}, "door": {"server-room-1"}}
	if code, _, _ := b.post(b.base()+"/do", form, "Sec-Fetch-Site", "cross-site"); code != 403 {
		t.Errorf("cross-site: %d", code)
	}
	if code, _, _ := b.post(b.base()+"/do", form, "Origin", "http://evil.example"); code != 403 {
		t.Errorf("foreign origin: %d", code)
	}
	if b.hal.Doors()[0].Open {
		t.Error("the door moved")
	}
	if code, _, _ := b.post(b.base()+"/do", form, "Sec-Fetch-Site", "same-origin"); code != 303 || !b.hal.Doors()[0].Open {
		t.Errorf("same origin: %d", code)
	}
	if code, _, _ := b.get(b.base() + "/do"); code != 405 {
		t.Errorf("GET of an action: %d", code)
	}
}

// Each button does what it says, through forms alone.
func TestButtons(t *testing.T) {
	t.Parallel()
	b := start(t)
	d, err := b.hal.Door("server-room-1")
	if err != nil {
		t.Fatal(err)
	}
	do := func(said, verb string, more ...string) {
		t.Helper()
		form := url.Values{"do": {verb}, "door": {"server-room-1"}, "lang": {"en"}}
		for i := 0; i+1 < len(more); i += 2 {
			form.Set(more[i], more[i+1])
		}
		code, body, head := b.post(b.base()+"/do", form)
		if code != 303 || !strings.Contains(head.Get("Location"), "said="+said) || !strings.Contains(head.Get("Location"), "lang=en") {
			t.Errorf("%s: %d %q to %q, want %s", verb, code, body, head.Get("Location"), said)
		}
	}
	state := func() sim.State { return b.hal.Doors()[0] }
	do("locked", "pass")
	do("locked", "hold")
	do("done", "return")
	if !state().Open {
		t.Error("leaving did not open the door (I9)")
	}
	do("done", "close")
	if err := d.Lock.Release(time.Minute); err != nil {
		t.Fatal(err)
	}
	do("done", "hold")
	if s := state(); !s.Open || !s.Released {
		t.Errorf("held: %+v", s)
	}
	do("done", "close")
	do("done", "tamper:on")
	do("done", "fire:on")
	do("done", "strike:fail")
	if s := state(); !s.Tamper || !s.Fire || !s.Failing || s.Open {
		t.Errorf("alarms: %+v", s)
	}
	do("done", "show:enter", "card", "葛󠄀城 <b>&")
	do("done", "pin:enter", "pin", "4711")
	do("failed", "pin:exit", "pin", "4711") // no keypad there
	do("failed", "show:enter", "card", "54321")
	for range 6 { // the card and five keys
		select {
		case s := <-d.Enter.Signals():
			if _, ok := s.(hal.Edges); !ok {
				t.Errorf("signal %v", s)
			}
		case <-time.After(30 * time.Second):
			t.Fatal("no edges")
		}
	}
	do("done", "lost:exit")
	do("failed", "show:exit", "card", "髙橋")
	do("done", "back:exit")
	do("done", "link-down")
	if <-b.links || b.hal.Link() {
		t.Error("link not cut")
	}
	do("done", "link-up")
	if !<-b.links {
		t.Error("link not restored")
	}
	for _, bad := range []url.Values{
		{"do": {"quit"}, "door": {"server-room-1"}}, {"do": {"badge server-room-1 enter H10301 1 1"}, "door": {"server-room-1"}},
		{"do": {"force"}, "door": {"no-such-door"}}, {"do": {"tamper:on off"}, "door": {"server-room-1"}}, {},
		{"do": {"force"}, "door": {"server-room-1 x"}}, {"do": {"lost:both"}, "door": {"server-room-1"}},
	} {
		if code, _, _ := b.post(b.base()+"/do", bad); code != 400 {
			t.Errorf("%v: %d", bad, code)
		}
	}
}

// Both languages show every state in words; names are escaped; numbers are nowhere.
func TestPage(t *testing.T) {
	t.Parallel()
	b := start(t)
	d, err := b.hal.Door("server-room-1")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(
		d.Enter.Indicate(hal.Indication{Light: hal.Green, Other: hal.Amber, Blink: hal.BlinkTurn, Tone: hal.ToneLong}),
		d.Exit.Indicate(hal.Indication{Light: hal.Red}), d.Lock.Release(time.Minute),
	); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		query, accept string
		want          []string
	}{
		{"", "", []string{`lang="ja"`, "解錠", "閉まっています", "緑&#43;橙 交互点滅, 長音1回", "赤 点灯, 音なし", "錠なし"}},
		{"", "en-GB,en;q=0.9", []string{`lang="en"`, "released", "closed", "green&#43;amber in turn, one long tone", "no lock"}},
		{"?lang=ja", "en", []string{`lang="ja"`}},
		{"?lang=xx", "fr", []string{`lang="ja"`}},
		{"?lang=en&said=locked", "", []string{"✕ The door is locked"}},
		{"?lang=en&said=%3Cscript%3E", "", []string{`class="said"></p>`}},
	} {
		code, body, _ := b.get(b.base()+"/"+x.query, "Accept-Language", x.accept)
		if code != 200 {
			t.Fatalf("%d", code)
		}
		for _, want := range append(x.want, "髙橋", "﨑山", "𠮷田", "葛󠄀城 &lt;b&gt;&amp;", "神谷") {
			if !strings.Contains(body, want) {
				t.Errorf("%s %s: no %q", x.query, x.accept, want)
			}
		}
		for _, bad := range []string{"54321", "<b>", "style=", "onclick", "<script>"} {
			if strings.Contains(body, bad) {
				t.Errorf("page holds %q", bad)
			}
		}
	}
}

// Both languages have the same words, and none is empty.
func TestWords(t *testing.T) {
	t.Parallel()
	for _, pair := range [][2]words{{japanese, english}, {english, japanese}} {
		for k := range pair[0] {
			if pair[1][k] == "" {
				t.Errorf("no word for %q", k)
			}
		}
	}
	for l := hal.Dark; l <= hal.Amber; l++ {
		for bl := hal.BlinkSteady; bl <= hal.BlinkTurn; bl++ {
			for tone := hal.ToneSilent; tone <= hal.ToneIntermittent; tone++ {
				for _, k := range []string{l.String(), bl.String(), tone.String()} {
					if japanese[k] == "" {
						t.Errorf("no word for %q", k)
					}
				}
			}
		}
	}
}

// D30: no listener beyond loopback.
func TestListenOnLoopbackOnly(t *testing.T) {
	t.Parallel()
	for _, addr := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:0", "demo.example:0", "x"} {
		if l, err := Listen(t.Context(), addr); err == nil {
			t.Errorf("%s: listens", addr)
			_ = l.Close()
		}
	}
	b := start(t)
	l, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.panel.Serve(ctx, l) }()
	if code, _, _ := b.get(b.panel.URL(l)); code != 200 {
		t.Errorf("served page: %d", code)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := New(nil, nil); err == nil {
		t.Error("a panel without a simulator")
	}
}
