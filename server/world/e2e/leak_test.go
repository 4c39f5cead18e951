package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"monban/firmware/wiegand"
)

// secret is one card of the leak test: 48 bits, so that no spelling of it occurs by chance.
type secret struct {
	fc, cn uint64
	bits   string
}

func secrets(t *testing.T, n int) []secret {
	t.Helper()
	rnd := rand.New(rand.NewPCG(uint64(seed(t)), 7))
	layout, ok := wiegand.Lookup("C1k48s")
	if !ok {
		t.Fatal("the 48-bit format is gone")
	}
	out := make([]secret, n)
	for i := range out {
		out[i].fc, out[i].cn = 1<<20+rnd.Uint64N(1<<21), 1<<22+uint64(i)*4096+rnd.Uint64N(4096)
		f, err := wiegand.Encode(layout, wiegand.Fields{FC: out[i].fc, CN: out[i].cn})
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		for j := range f.Len() {
			b.WriteByte('0' + f.Bit(j))
		}
		out[i].bits = b.String()
	}
	return out
}

// spellings are the ways in which the card could be written down.
func (s secret) spellings() []string {
	v, err := strconv.ParseUint(s.bits, 2, 64)
	if err != nil {
		panic(err)
	}
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], v)
	raw := b[2:]
	swapped := slices.Clone(raw)
	slices.Reverse(swapped)
	dec := strconv.FormatUint(v, 10)
	hexText, swappedHex := hex.EncodeToString(raw), hex.EncodeToString(swapped)
	out := []string{
		dec, hexText, strings.ToUpper(hexText), swappedHex, strings.ToUpper(swappedHex), s.bits,
		base64.StdEncoding.EncodeToString(raw), base64.URLEncoding.EncodeToString(raw),
		base64.StdEncoding.EncodeToString(swapped), string(raw), string(swapped),
	}
	for _, sep := range []string{",", ":", "-", "/", " ", ", ", "\t"} {
		out = append(out, fmt.Sprintf("%d%s%d", s.fc, sep, s.cn))
	}
	return append(out, fmt.Sprintf(`"fc":%d,"cn":%d`, s.fc, s.cn))
}

// scanner finds any spelling of any secret in a text.
type leakScanner struct {
	byLength map[int]map[string]int // length → spelling → which card
}

func newLeakScanner(cards []secret) leakScanner {
	s := leakScanner{map[int]map[string]int{}}
	for i, c := range cards {
		for _, w := range c.spellings() {
			if s.byLength[len(w)] == nil {
				s.byLength[len(w)] = map[string]int{}
			}
			s.byLength[len(w)][w] = i
		}
	}
	return s
}

// find gives the cards that occur in data.
func (s leakScanner) find(data []byte) []int {
	var found []int
	for n, words := range s.byLength {
		for i := 0; i+n <= len(data); i++ {
			if card, ok := words[string(data[i:i+n])]; ok {
				found = append(found, card)
			}
		}
	}
	return found
}

// AD-4, PR-2: 1,000 seeded card numbers in every usual spelling occur in no log, no file, no message on
// the broker and no page of a whole run; a planted one is found.
func TestNoCardNumberLeaks(t *testing.T) {
	t.Parallel()
	cards := secrets(t, 1000)
	doors := []doorSpec{{"d1", "gw-1", "reader"}}
	csv := officeCSV(t, len(cards), 0, 0, doors)
	var rows strings.Builder
	rows.WriteString("card_id,person_id,format,facility_code,card_number,assurance,status,pin\n")
	for i, c := range cards {
		fmt.Fprintf(&rows, "c%04d,p%04d,C1k48s,%d,%d,uid_only,active,\n", i, i, c.fc, c.cn)
	}
	csv["cards.csv"] = rows.String()
	gateways := gatewaysOf(doors)
	gateways[0].doors[0] = strings.ReplaceAll(gateways[0].doors[0], "H10301", "C1k48s")
	s := newSite(t, csv, gateways)
	s.startServer()
	s.startGateway("gw-1")
	s.linked("gw-1")
	heard := s.eavesdrop(t)

	held := 30
	if testing.Short() {
		held = 8
	}
	for i := range held {
		c := cards[i*len(cards)/held]
		if i%5 == 4 { // also one that is off by a bit: a parity error is an event with the same bits in it
			if _, err := s.tell("gw-1", "bits d1 enter "+c.bits[:20]+string('0'+'1'-c.bits[20])+c.bits[21:]); err != nil {
				t.Fatal(err)
			}
			continue
		}
		was := s.released("gw-1", "d1")
		if _, err := s.tell("gw-1", "bits d1 enter "+c.bits); err != nil {
			t.Fatal(err)
		}
		s.until(10*time.Second, "the door opens", func() bool { return s.released("gw-1", "d1") > was })
		s.pass("gw-1", "d1")
	}
	s.drained("gw-1")
	pages := s.readPages(t)
	s.gateways["gw-1"].stop(t)
	s.server.stop(t)
	listing := s.run("log", "--config", s.path("server.toml"), "--openings", "--reason", "test")

	scan := newLeakScanner(cards)
	for _, w := range cards[3].spellings() { // the check itself works
		if got := scan.find([]byte("before " + w + " after")); len(got) == 0 || got[0] != 3 {
			t.Fatalf("a planted leak %d bytes long is not found", len(w))
		}
	}
	report := func(where string, data []byte) {
		for _, card := range scan.find(data) {
			t.Errorf("%s holds card %d", where, card)
		}
	}
	report("what the processes printed", s.logs.Bytes())
	report("the listing of the log", []byte(listing))
	msgs := heard()
	if len(msgs) < 20 {
		t.Errorf("only %d messages overheard on the broker", len(msgs))
	}
	for topic, data := range msgs {
		report("the message "+topic, data)
	}
	for address, body := range pages {
		report("the page "+address, body)
	}
	files := 0
	err := filepath.WalkDir(s.dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			if d != nil && d.Name() == "csv" {
				return filepath.SkipDir // what the test itself wrote
			}
			return err
		}
		if d.Type()&fs.ModeSocket != 0 {
			return nil
		}
		data, err := os.ReadFile(p)
		files++
		report("the file "+strings.TrimPrefix(p, s.dir), data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 15 || len(pages) < 6 {
		t.Errorf("only %d files and %d pages were looked at", files, len(pages))
	}
}

// eavesdrop listens on the broker as the server may, and gives all that was said.
func (s *site) eavesdrop(t *testing.T) func() map[string][]byte {
	t.Helper()
	dir := s.path("server/ca")
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "server.crt"), filepath.Join(dir, "server.key"))
	if err != nil {
		t.Fatal(err)
	}
	root, err := os.ReadFile(filepath.Join(dir, "root.crt"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(root)
	var mu lockedBuffer
	n := 0
	all := map[string][]byte{}
	o := mqtt.NewClientOptions().AddBroker(fmt.Sprintf("tls://127.0.0.1:%d", s.mqtt)).
		SetTLSConfig(&tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: pool, MinVersion: tls.VersionTLS13}).
		SetClientID("monban-server-0123456789abcdef").SetOrderMatters(true)
	c := mqtt.NewClient(o)
	if tok := c.Connect(); !tok.WaitTimeout(5*time.Second) || tok.Error() != nil {
		t.Fatalf("eavesdrop: %v", tok.Error())
	}
	for _, kind := range []string{"hello", "heartbeat", "ask", "events", "want"} {
		tok := c.Subscribe("monban/1/e2e/+/up/"+kind, 0, func(_ mqtt.Client, m mqtt.Message) {
			mu.mu.Lock()
			defer mu.mu.Unlock()
			n++
			all[fmt.Sprintf("%s #%d", m.Topic(), n)] = slices.Clone(m.Payload())
		})
		if !tok.WaitTimeout(5*time.Second) || tok.Error() != nil {
			t.Fatalf("eavesdrop: %v", tok.Error())
		}
	}
	return func() map[string][]byte {
		c.Disconnect(100)
		mu.mu.Lock()
		defer mu.mu.Unlock()
		return all
	}
}

// readPages sets up the first administrator, signs in as somebody who sees names, and reads every page.
func (s *site) readPages(t *testing.T) map[string][]byte {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar, Timeout: 10 * time.Second}
	base := fmt.Sprintf("http://127.0.0.1:%d", s.http)
	out := map[string][]byte{}
	do := func(method, path string, form url.Values) []byte {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, method, base+path, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		if method == http.MethodPost {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			req.Header.Set("Sec-Fetch-Site", "same-origin")
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode >= 500 {
			t.Errorf("%s %s: %s", method, path, resp.Status)
		}
		out[method+" "+path] = body
		return body
	}
	code := regexp.MustCompile(`[A-Z2-7]{4}-[A-Z2-7]{4}-[A-Z2-7]{4}`).Find(s.logs.Bytes())
	const password = "a long enough password 長い"
	do("GET", "/setup", nil)
	do("POST", "/setup", url.Values{"code": {string(code)}, "name": {"ken"}, "full_name": {"髙橋"}, "password": {password}, "repeat": {password}})
	do("POST", "/login", url.Values{"name": {"ken"}, "password": {password}})
	do("POST", "/accounts", url.Values{"name": {"mina"}, "full_name": {"﨑山"}, "role": {"csirt"}, "password": {password}, "repeat": {password}})
	for _, path := range []string{"/", "/live", "/live/fragment", "/log", "/findings", "/doors", "/accounts", "/me"} {
		do("GET", path, nil)
	}
	link := regexp.MustCompile(`/log/[0-9a-f]{32}`).Find(out["GET /log"])
	if link == nil {
		t.Errorf("today's log lists no attempt:\n%.2000s", out["GET /log"])
		return out
	}
	do("GET", string(link), nil)
	return out
}
