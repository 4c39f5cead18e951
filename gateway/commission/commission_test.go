package commission

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/firmware/door"
)

func names(steps []Step, seen bool) string {
	var out []string
	for _, s := range steps {
		if s.Seen.IsZero() != seen {
			out = append(out, s.Name)
		}
	}
	return strings.Join(out, " ")
}

// Each step is ticked by its own record and by no other, once; the steps are those of what is fitted.
func TestGuide(t *testing.T) {
	at := time.Now()
	for name, c := range map[string]struct {
		fitted Fitted
		all    string
	}{
		"controlled, button":  {Fitted{Controlled: true, EnterReader: true, Request: true, Tamper: true}, "badge_enter refused open close exit force hold hold_end tamper tamper_end"},
		"controlled, readers": {Fitted{Controlled: true, EnterReader: true, ExitReader: true}, "badge_enter refused open close badge_exit force hold hold_end"},
		"observed":            {Fitted{EnterReader: true}, "badge_enter refused open close hold hold_end"},
	} {
		if got := names(New(c.fitted).Steps(), false); got != c.all {
			t.Errorf("%s: steps %q, want %q", name, got, c.all)
		}
	}
	g := New(Fitted{Controlled: true, EnterReader: true, Request: true, Tamper: true})
	for _, s := range []struct {
		event door.Event
		side  access.Side
		want  string
	}{
		{door.EventBoot, 0, ""}, {door.EventGranted, access.SideExit, ""}, {door.EventGranted, access.SideEnter, "badge_enter"},
		{door.EventGranted, access.SideEnter, ""}, {door.EventEntry, access.SideEnter, "open"}, {door.EventClosed, 0, "close"},
		{door.EventDenied, access.SideEnter, "refused"}, {door.EventForcedOpen, 0, "force"}, {door.EventHeldOpen, 0, "hold"},
		{door.EventHeldEnd, 0, "hold_end"}, {door.EventRequestExit, access.SideExit, "exit"}, {door.EventTamper, 0, "tamper"},
	} {
		if got := names(g.See(Seen{s.event, s.side}, at), true); got != s.want {
			t.Errorf("%s at side %v ticks %q, want %q", s.event, s.side, got, s.want)
		}
	}
	if g.Open() != 1 {
		t.Errorf("%d steps are open, want the box that was not shut", g.Open())
	}
	g.See(Seen{Event: door.EventTamperEnd}, at)
	if g.Open() != 0 {
		t.Error("not accepted although everything was seen")
	}
}

// The sheet says in both languages what was seen and what was not, and calls nothing accepted that is not.
func TestSheet(t *testing.T) {
	g := New(Fitted{Controlled: true, EnterReader: true})
	s := Sheet{Site: "多賀城<x>", Gateway: "gw-1", Door: "server-room", Steps: g.Steps(), ByHand: ByHand(true)}
	var b bytes.Buffer
	if err := s.Write(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"多賀城&lt;x&gt;", "未確認", "not seen", "steps are missing", "Gateway off: free from inside", "署名"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the sheet lacks %q", want)
		}
	}
	if (Sheet{}).Accepted() || s.Accepted() {
		t.Error("accepted although nothing was seen")
	}
	for i := range s.Steps {
		s.Steps[i].Seen = time.Now()
	}
	b.Reset()
	if err := s.Write(&b); err != nil || !s.Accepted() || strings.Contains(b.String(), "not seen") || !strings.Contains(b.String(), "every step was recorded") {
		t.Errorf("everything was seen, %v", err)
	}
}

// tablet is a browser that has compared the fingerprint.
func tablet(t *testing.T, p *Page) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar, Timeout: time.Minute, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true,
		VerifyConnection: func(c tls.ConnectionState) error {
			if sum := sha256.Sum256(c.PeerCertificates[0].Raw); fmt.Sprintf("%X", sum[:]) != strings.ReplaceAll(p.Fingerprint(), ":", "") {
				return fmt.Errorf("another certificate")
			}
			return nil
		}}}}
}

func serve(t *testing.T) (p *Page, at string, ended chan error) {
	t.Helper()
	g := New(Fitted{Controlled: true, EnterReader: true})
	g.See(Seen{door.EventGranted, access.SideEnter}, time.Now())
	p, err := NewPage(g, "server-room")
	if err != nil {
		t.Fatal(err)
	}
	p.Status = func() Text { return Text{JA: "錠は施錠中 <b>", EN: "lock secured <b>"} }
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	t.Cleanup(stop)
	ended = make(chan error, 1)
	go func() { ended <- p.Serve(ctx, l) }()
	return p, "https://" + l.Addr().String() + "/", ended
}

// body gives status and text of an answer.
func body(t *testing.T) func(*http.Response, error) (int, string) {
	return func(r *http.Response, err error) (int, string) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		return r.StatusCode, string(b)
	}
}

// D30: without the code the page shows nothing of the door; the code opens it for one browser and never again; a cookie
// made up opens nothing; nothing but the page and its two methods is there.
func TestPageOpensOnce(t *testing.T) {
	p, at, _ := serve(t)
	first, second := tablet(t, p), tablet(t, p)
	if _, text := body(t)(first.Get(at)); strings.Contains(text, "server-room") || strings.Contains(text, "secured") || !strings.Contains(text, "form") {
		t.Error("shown without the code")
	}
	if status, _ := body(t)(first.PostForm(at, url.Values{"code": {"no"}})); status != http.StatusForbidden {
		t.Errorf("a wrong code: %d", status)
	}
	if status, text := body(t)(first.PostForm(at, url.Values{"code": {p.Code()}})); status != http.StatusOK || !strings.Contains(text, "server-room") || strings.Count(text, "☑") != 1 {
		t.Errorf("the right code: %d %s", status, text)
	}
	if _, text := body(t)(first.Get(at)); !strings.Contains(text, "錠は施錠中 &lt;b&gt;") || !strings.Contains(text, "lock secured &lt;b&gt;") {
		t.Errorf("how the gateway stands is not shown: %s", text)
	}
	if status, text := body(t)(second.PostForm(at, url.Values{"code": {p.Code()}})); status != http.StatusForbidden || strings.Contains(text, "server-room") {
		t.Errorf("the code a second time: %d", status)
	}
	r, err := http.NewRequest(http.MethodGet, at, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.AddCookie(&http.Cookie{Name: cookieName, Value: "x"})
	if _, text := body(t)(second.Do(r)); strings.Contains(text, "server-room") {
		t.Error("a made-up cookie opens the page")
	}
	if status, _ := body(t)(first.Get(at + "other")); status != http.StatusNotFound {
		t.Errorf("another path: %d", status)
	}
	if r, err = http.NewRequest(http.MethodDelete, at, nil); err != nil {
		t.Fatal(err)
	}
	if status, _ := body(t)(first.Do(r)); status != http.StatusMethodNotAllowed {
		t.Errorf("DELETE: %d", status)
	}
}

// DS-8: where nobody signs in, the sheet comes to a printer through the browser that the code has opened, and through no other; not before it is written.
func TestSheetOnThePage(t *testing.T) {
	p, at, _ := serve(t)
	own, other := tablet(t, p), tablet(t, p)
	if p.Opened() {
		t.Error("opened by nobody")
	}
	if status, _ := body(t)(own.PostForm(at, url.Values{"code": {p.Code()}})); status != http.StatusOK || !p.Opened() {
		t.Fatalf("the code: %d", status)
	}
	if status, text := body(t)(own.Get(at + "sheet")); status != http.StatusNotFound {
		t.Errorf("before it is written: %d %s", status, text)
	}
	p.Offer([]byte("<p>the sheet"))
	if status, text := body(t)(other.Get(at + "sheet")); status != http.StatusNotFound || strings.Contains(text, "the sheet") {
		t.Errorf("another browser: %d %s", status, text)
	}
	if status, _ := body(t)(own.Head(at + "sheet")); status != http.StatusOK {
		t.Errorf("HEAD: %d", status)
	}
	select {
	case <-p.Fetched:
		t.Fatal("fetched by nobody")
	default:
	}
	if _, text := body(t)(own.Get(at)); !strings.Contains(text, `href="/sheet"`) {
		t.Errorf("the page does not lead there: %s", text)
	}
	for range 2 { // a tablet asks twice
		if status, text := body(t)(own.Get(at + "sheet")); status != http.StatusOK || text != "<p>the sheet" {
			t.Errorf("%d %s", status, text)
		}
	}
	<-p.Fetched
}

// Guessing closes the port.
func TestPageClosesOnGuesses(t *testing.T) {
	p, at, ended := serve(t)
	c := tablet(t, p)
	for range wrongCodes {
		r, err := c.PostForm(at, url.Values{"code": {"00000000x"}})
		if err == nil {
			r.Body.Close()
		}
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("the page goes on after guesses")
	}
	if _, err := c.PostForm(at, url.Values{"code": {p.Code()}}); err == nil {
		t.Error("the port is open after guesses")
	}
}
