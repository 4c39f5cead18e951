package app

import (
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/server/entrylog"
	"monban/server/store"
	"monban/server/web"
)

// pageGoal is what a person does not notice; a test asserts five times as much.
const pageGoal = 200 * time.Millisecond

// RR-1, VR-10: the pages of one day open at once however long the log is. MONBAN_PAGE_ROWS is how many leaves it has (`make bench-large`:
// 10,000,000), MONBAN_PAGE_DAYS over how many days; MONBAN_PAGE_DIR is where the site is made, or found from an earlier run.
func TestDailyPages(t *testing.T) {
	if testing.Short() {
		t.Skip("times of pages mean nothing under the race detector")
	}
	rows, days := 4_000, 4
	for name, to := range map[string]*int{"MONBAN_PAGE_ROWS": &rows, "MONBAN_PAGE_DAYS": &days} {
		if v := os.Getenv(name); v != "" {
			var err error
			if *to, err = strconv.Atoi(v); err != nil {
				t.Fatal(err)
			}
		}
	}
	cfg := testConfig(t)
	made := false
	if dir := os.Getenv("MONBAN_PAGE_DIR"); dir != "" {
		cfg.CA.Dir = strings.Replace(cfg.CA.Dir, cfg.DataDir, dir, 1)
		cfg.DataDir = dir
		_, err := os.Stat(cfg.Path(databaseFile))
		made = err == nil
	}
	const password = "correct horse battery staple"
	if !made {
		if err := CreateSite(cfg, time.Now(), quiet); err != nil {
			t.Fatal(err)
		}
		withSite(t, cfg, func(s *Site) {
			importSample(t, s)
			hash, err := web.HashPassword(password, web.Cost{Memory: 64, Time: 1, Threads: 1})
			if err != nil {
				t.Fatal(err)
			}
			a := store.Account{ID: "a-1", Login: "manager", FullName: "﨑山 直子", PasswordHash: hash, CreatedMS: 1, Roles: []store.RoleAssignment{
				{Role: "zone_manager"}, {Role: "chief_security_officer"},
			}}
			if err := s.Store.Write(t.Context(), func(tx *store.Tx) error { return tx.InsertAccount(a) }); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			fillDays(t, s.Store, rows, days)
			t.Logf("%d leaves made in %v", s.Store.Size(), time.Since(began).Round(time.Second))
		})
	}
	began := time.Now()
	a, _, stop := running(t, cfg)
	t.Logf("started with %d leaves in %v", a.site.Store.Size(), time.Since(began).Round(time.Millisecond))
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar}
	base := "http://" + a.listener.Addr().String()
	get := func(method, path string, form url.Values) (string, time.Duration) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, base+path, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		if method == http.MethodPost {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			req.Header.Set("Sec-Fetch-Site", "same-origin")
		}
		began := time.Now()
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close() //nolint:errcheck // only read
		body, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d %v: %.300s", path, res.StatusCode, err, body)
		}
		return string(body), time.Since(began)
	}
	get(http.MethodPost, "/login", url.Values{"name": {"manager"}, "password": {password}})
	newest := time.Now().In(a.site.Store.Zone()).AddDate(0, 0, -1)
	for _, page := range []struct{ name, path string }{
		{"log of a day", "/log?day=%s"}, {"register of a day", "/register?zone=server-room&from=%[1]s&to=%[1]s"},
		{"review of a day", "/review/server-room/%s"}, {"findings", "/findings"}, {"days to review", "/review"},
	} {
		var took []time.Duration
		size := 0
		for n := range 7 {
			day := newest.AddDate(0, 0, -n*days/8).Format(time.DateOnly)
			path := page.path
			if strings.Contains(path, "%") {
				path = fmt.Sprintf(path, day)
			}
			body, d := get(http.MethodGet, path, nil)
			took, size = append(took, d), len(body)
		}
		first := took[0]
		slices.Sort(took)
		t.Logf("%-18s median %v, slowest %v, first %v, %d KiB (goal %v)", page.name, took[3].Round(time.Millisecond), took[6].Round(time.Millisecond), first.Round(time.Millisecond), size>>10, pageGoal)
		if took[3] > 5*pageGoal {
			t.Errorf("%s opens in %v with %d leaves; the goal is %v", page.name, took[3], a.site.Store.Size(), pageGoal)
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// fillDays writes a log of so many leaves over days that end yesterday: 500 people who come and go by two doors, each passage a decision
// and a record.
func fillDays(t *testing.T, s *store.Store, rows, days int) {
	t.Helper()
	end := time.Now().In(s.Zone())
	end = time.Date(end.Year(), end.Month(), end.Day(), 0, 0, 0, 0, s.Zone())
	begin := end.AddDate(0, 0, -days)
	passages := rows / 2
	step := end.Sub(begin) / time.Duration(passages)
	doors := []struct{ door, gw string }{{"server-room-1", "gw-1"}, {"media-store-1", "gw-2"}}
	var seq [2]uint64
	const batch = 2_000
	for n := 0; n < passages; n += batch {
		var done [2]uint64
		if err := s.Write(t.Context(), func(tx *store.Tx) error {
			done = seq
			for i := n; i < min(n+batch, passages); i++ {
				// Somebody enters at every even turn and leaves 500 turns later: a turn is a minute or so.
				pair, side, event := i/2, access.SideEnter, door.EventEntry
				if i%2 == 1 {
					pair, side, event = max(i/2-250, 0), access.SideExit, door.EventExit
				}
				x := pair % 2
				d := entrylog.Decision{
					Gateway: doors[x].gw, Door: doors[x].door, Side: side.String(), Outcome: "granted", Reason: "granted", Policy: 1,
					AtMS: begin.Add(time.Duration(i) * step).UnixMilli(), Assurance: "uid_only",
				}
				_, _ = rand.Read(d.Attempt[:]) // crypto/rand never fails
				_, _ = rand.Read(d.Ask[:])
				o := entrylog.Opening{Person: fmt.Sprintf("s%04d", pair%500), Name: "髙橋 花子", Section: "情報政策課", Category: "staff", Inputs: make([]byte, 150)}
				if _, _, err := tx.AppendFirstDecision(d, &o); err != nil {
					return err
				}
				done[x]++
				r := wire.Record{
					Gateway: access.GatewayID(d.Gateway), Epoch: wire.Epoch{1}, Seq: done[x], Door: access.DoorID(d.Door), Side: side, Event: event, Attempt: d.Attempt,
					By: access.ByServer, Reason: access.ReasonGranted, Policy: 1,
				}
				leaf := entrylog.Record{AtMS: d.AtMS, FromMS: d.AtMS, ToMS: d.AtMS, Body: wire.AppendRecord(nil, &r)}
				if _, _, err := tx.AppendRecord(store.RecordIn{Body: &r, Leaf: leaf}, nil); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		seq = done
	}
}
