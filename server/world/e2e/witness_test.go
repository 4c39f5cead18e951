package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"monban/server/witness/witnesstest"
)

// witnessEnv makes the test's binary a witness of another house: ADDRESS STATE KEYS, KEYS a pattern of files with keys of logs.
const witnessEnv = "MONBAN_E2E_WITNESS"

const witnessName = "witness.example/e2e"

// serveWitness is the witness's process. Keys that come later are found at the next request, as if its operator had been told.
func serveWitness(args string) int {
	f := strings.Fields(args)
	w, err := witnesstest.New(witnessName, f[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	known := map[string]bool{}
	err = http.ListenAndServe(f[0], http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { //nolint:gosec // of a test, on loopback
		files, _ := filepath.Glob(f[2])
		for _, name := range files {
			text, err := os.ReadFile(name)
			if err != nil {
				continue
			}
			key := strings.TrimSpace(string(text))
			if v, err := note.NewVerifier(key); err == nil && !known[key] {
				known[key] = true
				w.Know(v)
			}
		}
		w.ServeHTTP(rw, r)
	}))
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// witnessed is how many leaves of each log the witness holds.
func (s *site) witnessed() map[string]int64 {
	s.t.Helper()
	var state map[string]struct {
		Size int64 `json:"size"`
	}
	data, err := os.ReadFile(s.path("witness.state"))
	if err == nil {
		err = json.Unmarshal(data, &state)
	}
	out := map[string]int64{}
	if err != nil && !os.IsNotExist(err) {
		s.t.Fatal(err)
	}
	for origin, x := range state {
		out[origin] = x.Size
	}
	return out
}

// EV-3, EV-4, D22 with the shipped programs: server, a signer of its own, two gateways and a witness of another house. The database is
// replaced by an older copy: the server starts and signs nothing, page and doctor say so and where to read on, doors decide, and it
// is a finding. Then anchor file and the signer's state are taken back too, so that only the witness and the gateways can tell: they
// do. Restored by the documented command, the new log verifies with its succession, every entry comes back, and the witness goes on
// with the new log.
func TestOlderDatabaseWithWitness(t *testing.T) {
	t.Parallel()
	doors := []doorSpec{{"d1", "gw-1", "none"}, {"d2", "gw-2", "none"}}
	s := newSite(t, officeCSV(t, 8, 77, 1, doors), gatewaysOf(doors))
	port := freePort(t)
	w, err := witnesstest.New(witnessName, s.path("unused"))
	if err != nil {
		t.Fatal(err)
	}
	conf, err := os.ReadFile(s.path("server.toml"))
	if err != nil {
		t.Fatal(err)
	}
	// A socket's path may hold 100 bytes, which those of tests exceed.
	sock, err := os.MkdirTemp("", "mb")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(sock) })
	s.write("server.toml", string(conf)+fmt.Sprintf("\n[signer]\nsocket = %q\nkeys_dir = %q\n\n[[witness]]\nvkey = %q\nurl = \"http://127.0.0.1:%d/\"\n", sock+"/s", s.path("signer"), w.VKey(), port))
	config := s.path("server.toml")
	s.run("signer", "split", "--config", config)
	house := exec.Command(os.Args[0])
	house.Env = append(os.Environ(), fmt.Sprintf("%s=127.0.0.1:%d %s %s", witnessEnv, port, s.path("witness.state"), s.path("server/keys/log*.vkey")))
	outside := s.launch(house)
	t.Cleanup(outside.kill)
	var signing *process
	startSigner := func() {
		t.Helper()
		_ = os.Remove(sock + "/s")
		signing = s.start("monban-server", "signer", "serve", "--config", config)
		t.Cleanup(signing.kill)
		s.until(time.Minute, "the signer listens", func() bool { _, err := os.Stat(sock + "/s"); return err == nil })
	}
	startSigner()
	s.startServer()
	var code []byte
	s.until(time.Minute, "the set-up code", func() bool {
		code = regexp.MustCompile(`[A-Z2-7]{4}-[A-Z2-7]{4}-[A-Z2-7]{4}`).Find(s.logs.Bytes())
		return code != nil
	})
	const pass = "a long enough password 長い"
	res, err := http.PostForm(fmt.Sprintf("http://127.0.0.1:%d/setup", s.http), url.Values{"code": {string(code)}, "name": {"ken"}, "full_name": {"髙橋"}, "password": {pass}, "repeat": {pass}})
	if err != nil || res.StatusCode >= 400 {
		t.Fatalf("set-up: %v %v", res, err)
	}
	res.Body.Close()
	edges := map[string]int{}
	badge := func(gw, door string, n int) {
		t.Helper()
		before := s.released(gw, door)
		if _, err := s.tell(gw, fmt.Sprintf("badge %s enter H10301 77 %d", door, n)); err != nil {
			t.Fatal(err)
		}
		s.until(time.Minute, "the strike moves", func() bool { return s.released(gw, door) == before+1 })
		edges[door]++
		s.pass(gw, door)
		pause(t)
	}
	for _, gw := range []string{"gw-1", "gw-2"} {
		s.startGateway(gw)
		s.linked(gw)
	}
	badge("gw-1", "d1", 1)
	s.drained("gw-1")
	s.run("backup", "--config", config, "--out", s.path("backup"))
	s.server.stop(t)
	older := map[string][]byte{}
	for _, name := range []string{"server/monban.db", "server/anchor", "signer/signed.json"} {
		if older[name], err = os.ReadFile(s.path(name)); err != nil {
			t.Fatal(err)
		}
	}
	putBack := func(names ...string) {
		t.Helper()
		for _, name := range []string{"server/monban.db-wal", "server/monban.db-shm"} {
			if err := os.Remove(s.path(name)); err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
		}
		for _, name := range names {
			if err := os.WriteFile(s.path(name), older[name], 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.startServer()
	s.linked("gw-1")
	s.linked("gw-2")
	badge("gw-1", "d1", 2)
	badge("gw-2", "d2", 3)
	s.drained("gw-1")
	s.drained("gw-2")
	s.server.stop(t)
	newest := s.run("checkpoint", "show", "--plain", "--config", config)
	lines := strings.SplitN(newest, "\n", 3)
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		t.Fatalf("%v in %q", err, newest)
	}
	s.startServer() // a witness is asked at each start
	s.until(time.Minute, "the witness holds what came since", func() bool { return s.witnessed()[lines[0]] >= size })
	s.write("newest.txt", "> "+strings.ReplaceAll(newest, "\n", "\n> "))
	s.run("checkpoint", "compare", "--config", config, s.path("newest.txt")) // beside the running server
	s.server.kill()

	// The database alone: the signer's process knows more.
	putBack("server/monban.db")
	out, err := s.try("doctor", "--config", config)
	if err == nil || !strings.Contains(out, "it is behind") || !strings.Contains(out, "monban-server restore") {
		t.Errorf("doctor: %v\n%s", err, out)
	}
	inDoubt := func(what string) {
		t.Helper()
		ken := s.person("ken", pass)
		s.until(time.Minute, what+": the page says that nothing is signed", func() bool {
			_, page := ken.get("/verification")
			return strings.Contains(page, "In doubt: nothing is signed") || strings.Contains(page, "署名を停止中")
		})
	}
	s.startServer()
	inDoubt("older database")
	badge("gw-1", "d1", 4) // the doors go on
	badge("gw-2", "d2", 5)
	s.server.stop(t)
	if found := s.run("log", "--config", config, "--json"); !strings.Contains(found, `log_doubt`) {
		t.Errorf("EV-3: no finding:\n%s", found)
	}
	if out, err := s.try("checkpoint", "compare", "--config", config, s.path("newest.txt")); err == nil || !strings.Contains(out, "NOT THE SAME LOG") {
		t.Errorf("compared with what was there before: %v\n%s", err, out)
	}

	if !testing.Short() {
		// Database, anchor file and the signer's state together: nothing in the house contradicts, but those outside do.
		signing.stop(t)
		putBack("server/monban.db", "server/anchor", "signer/signed.json")
		startSigner()
		if out, err := s.try("doctor", "--config", config); strings.Contains(out, "it is behind") {
			t.Errorf("doctor knows what nothing here tells: %v\n%s", err, out)
		}
		said := bytes.Count(s.logs.Bytes(), []byte("nothing is signed and nothing acknowledged any more"))
		s.startServer()
		s.until(time.Minute, "somebody outside contradicts", func() bool {
			return bytes.Count(s.logs.Bytes(), []byte("nothing is signed and nothing acknowledged any more")) > said
		})
		inDoubt("all taken back")
		badge("gw-1", "d1", 6)
		s.server.stop(t)
	}

	signing.stop(t)
	out = s.run("restore", "--config", config, s.path("backup"), "--reason", "drill", "--by", "kato")
	if !strings.Contains(out, "replaced-") {
		t.Errorf("restore says\n%s", out)
	}
	startSigner()
	s.startServer()
	s.linked("gw-1")
	s.linked("gw-2")
	badge("gw-2", "d2", 7)
	s.drained("gw-1")
	s.drained("gw-2")
	s.until(time.Minute, "the witness holds the new log too", func() bool { return len(s.witnessed()) == 2 })
	for _, gw := range []string{"gw-1", "gw-2"} {
		s.gateways[gw].stop(t)
	}
	s.server.stop(t)
	out = s.run("verify", "--openings", s.path("server/monban.db"))
	if !strings.Contains(out, "took over from") {
		t.Errorf("verify does not tell of the succession:\n%s", out)
	}
	went, told := 0, ""
	for id, a := range s.attempts() {
		told += fmt.Sprintf("\n%s %s by %q: %v %v", id, a.door, a.by, a.events, a.seqs)
		if a.wentIn() {
			went++
		}
	}
	if all := edges["d1"] + edges["d2"]; went != all || s.released("gw-1", "d1")+s.released("gw-2", "d2") != all {
		t.Errorf("I2, I6: %d went in, the log has %d:%s", all, went, told)
	}
	signing.stop(t)
}
