// Package e2e tests monban as real processes over real sockets on loopback: the binaries that are
// shipped, started and killed from outside.
package e2e

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

var binDir string // where TestMain put the two programs

func TestMain(m *testing.M) {
	if args := os.Getenv(witnessEnv); args != "" {
		os.Exit(serveWitness(args))
	}
	flag.Parse()
	// They wait for processes most of the time: twice as many at once as there are processors.
	if err := flag.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0))); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := func() int {
		dir, err := os.MkdirTemp("", "monban-e2e-*")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		binDir = dir
		for name, env := range map[string]string{"server": "CGO_ENABLED=1", "gateway": "CGO_ENABLED=0"} {
			cmd := exec.Command("go", "build", "-o", filepath.Join(dir, "monban-"+name), "monban/"+name)
			cmd.Env = append(os.Environ(), env)
			if out, err := cmd.CombinedOutput(); err != nil {
				fmt.Fprintf(os.Stderr, "build %s: %v\n%s", name, err, out)
				return 1
			}
		}
		return m.Run()
	}()
	os.Exit(code)
}

// ports are those that freePort gave out, so that two tests at a time never get the same one.
var ports sync.Map

// freePort finds a free loopback port below those that connections start from, so that none is taken while a server is down. Another
// process could listen on it before we do; then the server says "port in use" and the test fails loudly.
func freePort(t *testing.T) int {
	t.Helper()
	for range 100 {
		port := 12000 + mathrand.IntN(20000)
		if _, taken := ports.LoadOrStore(port, true); taken {
			continue
		}
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		l.Close()
		return port
	}
	t.Fatal("no free port of 100 tried")
	return 0
}

// site is one installation in a temporary folder: a server and gateways with simulated doors.
type site struct {
	t         *testing.T
	dir       string
	http      int
	mqtt      int
	enrolPort int // 0 = none enrols
	server    *process
	gateways  map[string]*process
	logs      *lockedBuffer // everything any process printed
}

// gatewaySpec is one gateway to make.
type gatewaySpec struct {
	id    string
	doors []string // TOML of its [[door]] tables
}

// newSite prepares keys, certificates, database, directory and gateway identities; starts nothing.
func newSite(t *testing.T, csv map[string]string, gateways []gatewaySpec) *site {
	t.Helper()
	return newSiteAt(t, "127.0.0.1", csv, gateways)
}

// newSiteAt is newSite with the broker at another address of this machine.
func newSiteAt(t *testing.T, host string, csv map[string]string, gateways []gatewaySpec) *site {
	t.Helper()
	s := &site{t: t, dir: t.TempDir(), http: freePort(t), mqtt: freePort(t), gateways: map[string]*process{}, logs: &lockedBuffer{}}
	conf := fmt.Sprintf("site = \"e2e\"\ntime_zone = \"Asia/Tokyo\"\ndata_dir = %q\n\n[mqtt]\nlisten = \"%s:%d\"\n\n[http]\nlisten = \"127.0.0.1:%d\"\n\n[login]\nsecond_factor_roles = []\npassword_step_up = true\n\n[ca]\nnames = [%q]\n",
		filepath.Join(s.dir, "server"), host, s.mqtt, s.http, host)
	s.write("server.toml", conf)
	s.run("setup", "--config", s.path("server.toml"))
	if err := os.MkdirAll(s.path("csv"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range csv {
		s.write(filepath.Join("csv", name), text)
	}
	s.run("import", "--config", s.path("server.toml"), s.path("csv"))
	for _, g := range gateways {
		s.run("gateway", "add", "--config", s.path("server.toml"), g.id, "--out", s.path(g.id+"-identity"))
		if err := os.MkdirAll(s.path(g.id), 0o700); err != nil {
			t.Fatal(err)
		}
		text := fmt.Sprintf("gateway = %q\nsite = \"e2e\"\nserver = \"tls://%s:%d\"\nidentity_dir = %q\ndata_dir = %q\n\n%s",
			g.id, host, s.mqtt, s.path(g.id+"-identity"), s.path(g.id), strings.Join(g.doors, "\n"))
		s.write(g.id+".toml", text)
	}
	t.Cleanup(func() {
		for _, p := range s.gateways {
			p.kill()
		}
		if s.server != nil {
			s.server.kill()
		}
		if t.Failed() {
			tail := s.logs.Bytes()
			t.Logf("last output of the processes:\n%s", tail[max(0, len(tail)-6000):])
		}
	})
	return s
}

func (s *site) path(name string) string { return filepath.Join(s.dir, name) }

func (s *site) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(s.path(name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// run runs monban-server to its end and fails the test when it fails.
func (s *site) run(args ...string) string {
	s.t.Helper()
	out, err := s.try(args...)
	if err != nil {
		s.t.Fatalf("monban-server %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func (s *site) try(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(binDir, "monban-server"), args...)
	out, err := cmd.CombinedOutput()
	_, _ = s.logs.Write(out)
	return string(out), err
}

func (s *site) startServer() {
	s.t.Helper()
	s.server = s.start("monban-server", "serve", "--config", s.path("server.toml"))
	s.waitPort(s.http)
	s.waitPort(s.mqtt)
}

func (s *site) startGateway(id string) {
	s.t.Helper()
	_ = os.Remove(s.path(id + ".sock"))
	s.gateways[id] = s.start("monban-gateway", "run", "--config", s.path(id+".toml"), "--sim",
		"--control", s.path(id+".sock"), "--trace", s.path(id+".trace"))
	s.until(20*time.Second, "gateway "+id+" takes commands", func() bool {
		_, err := s.tell(id, "# are you there")
		return err == nil
	})
}

// process is one started program. It is ended by its pid only.
type process struct {
	cmd  *exec.Cmd
	done chan struct{}
}

func (s *site) start(program string, args ...string) *process {
	s.t.Helper()
	return s.launch(exec.Command(filepath.Join(binDir, program), args...))
}

// launch starts a command whose process is the program itself.
func (s *site) launch(cmd *exec.Cmd) *process {
	s.t.Helper()
	cmd.Stdout, cmd.Stderr = s.logs, s.logs
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	p := &process{cmd: cmd, done: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // how it ended does not matter to the tests; that it ended does
		close(p.done)
	}()
	return p
}

// kill is kill -9 and waits for the end.
func (p *process) kill() {
	_ = p.cmd.Process.Signal(syscall.SIGKILL)
	<-p.done
}

// stop asks to end and waits.
func (p *process) stop(t *testing.T) {
	t.Helper()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(15 * time.Second):
		t.Errorf("%s did not end within 15 s of SIGTERM", p.cmd.Path)
		p.kill()
	}
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// tell sends one script line to a simulated gateway and gives its reply.
func (s *site) tell(gateway, line string) (string, error) {
	c, err := net.DialTimeout("unix", s.path(gateway+".sock"), time.Second)
	if err != nil {
		return "", err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := io.WriteString(c, line+"\n"); err != nil {
		return "", err
	}
	reply, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		return "", err
	}
	reply = strings.TrimSpace(reply)
	if strings.HasPrefix(reply, "error") {
		return reply, errors.New(reply)
	}
	return reply, nil
}

func (s *site) waitPort(port int) {
	s.t.Helper()
	s.until(30*time.Second, fmt.Sprintf("port %d opens", port), func() bool {
		if s.server.ended() {
			s.t.Fatal("the server ended while it was awaited")
		}
		c, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), time.Second)
		if err != nil {
			return false
		}
		_ = c.Close()
		return true
	})
}

// until polls a condition; it fails the test when it does not come true in time.
func (s *site) until(limit time.Duration, what string, cond func() bool) {
	s.t.Helper()
	deadline := time.Now().Add(limit)
	for !cond() {
		if time.Now().After(deadline) {
			s.t.Fatalf("waited %s in vain: %s", limit, what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// line is one line of `monban-server log --json`.
type line struct {
	Index   uint64          `json:"index"`
	Kind    string          `json:"kind"`
	Body    json.RawMessage `json:"body"`
	Opening json.RawMessage `json:"opening"`
}

// log lists every leaf of the log with its opening.
func (s *site) log() []line {
	s.t.Helper()
	out := s.run("log", "--config", s.path("server.toml"), "--json", "--openings", "--reason", "test")
	var lines []line
	for text := range strings.Lines(out) {
		if !strings.HasPrefix(text, "{") {
			continue // what the command says to people, and logs
		}
		var l line
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			s.t.Fatalf("log --json: %v", err)
		}
		lines = append(lines, l)
	}
	return lines
}

// traceLine is one thing that a simulated lock or reader did, as the driver wrote it down.
type traceLine struct {
	gateway string
	at      string
	fields  []string
}

func (s *site) trace(gateway string) []traceLine {
	s.t.Helper()
	data, err := os.ReadFile(s.path(gateway + ".trace"))
	if err != nil {
		s.t.Fatal(err)
	}
	var out []traceLine
	for l := range strings.Lines(string(data)) {
		f := strings.Fields(l)
		if len(f) < 5 { // a line that a killed process did not finish
			continue
		}
		out = append(out, traceLine{gateway, f[0], f[2:]})
	}
	return out
}

// seed is printed, so that a failing run can be looked at again.
func seed(t *testing.T) int64 {
	t.Helper()
	if v := os.Getenv("MONBAN_SEED"); v != "" {
		var n int64
		if _, err := fmt.Sscan(v, &n); err != nil {
			t.Fatal(err)
		}
		t.Logf("SEED=%d", n)
		return n
	}
	var b [4]byte
	if _, err := rand.Read(b[:]); err != nil {
		t.Fatal(err)
	}
	n := int64(b[0])<<24 | int64(b[1])<<16 | int64(b[2])<<8 | int64(b[3])
	t.Logf("SEED=%d", n)
	return n
}

// lockedBuffer collects the output of several processes.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) Bytes() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Clone(l.b.Bytes())
}

// status asks a simulated gateway how it stands: whether it holds a lease and a policy, and how many records
// wait for an ack (−1 = no answer).
func (s *site) status(gateway string) (linked bool, pending int) {
	reply, err := s.tell(gateway, "status")
	if err != nil {
		return false, -1
	}
	var up string
	if _, err := fmt.Sscanf(reply, "ok link=%s pending=%d", &up, &pending); err != nil {
		return false, -1
	}
	return up == "up", pending
}

// linked waits until a gateway holds a lease and a policy.
func (s *site) linked(gateway string) {
	s.t.Helper()
	s.until(30*time.Second, gateway+" is linked", func() bool {
		up, _ := s.status(gateway)
		return up
	})
}

// drained waits until every record of a gateway has been acknowledged.
func (s *site) drained(gateway string) {
	s.t.Helper()
	s.until(60*time.Second, gateway+" has delivered its records", func() bool {
		up, pending := s.status(gateway)
		return up && pending == 0
	})
}

// pause lets a real reader come to rest between two presentations.
func pause(t *testing.T) {
	t.Helper()
	time.Sleep(500 * time.Millisecond)
}
