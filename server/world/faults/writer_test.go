package faults

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The writers are this test binary, started again: it works on a folder with the product's own code and prints
// one line for each thing that it was told is durable, after it was told. Such a line stands for the strike that
// moves (I1) or the ack that is sent (I4): whatever a line says must be found after any fault.
const (
	writerEnv = "MONBAN_FAULTS_WRITER" // which writer to be
	folderEnv = "MONBAN_FAULTS_FOLDER" // where it works
)

// writers are the programs that a started binary can be. Each works until it is killed or an error ends it.
var writers = map[string]func(folder string) error{
	"outbox":       writeOutbox,
	"store":        writeStore,
	"policycache":  writePolicies,
	"keys":         writeKeys,
	"update":       writeUpdate,
	"gateway":      writeGatewaySide,
	"server":       writeServerSide,
	"layer":        serveLayer,
	"outbox-once":  writeOutboxOnce,
	"store-once":   writeStoreOnce,
	"store-closed": writeStoreClosed,
	"disposal":     writeDisposal,
	"backup":       writeBackup,
	"restore":      writeRestore,
	"checkpoint":   writeCheckpoints,
}

func TestMain(m *testing.M) {
	if write, ok := writers[os.Getenv(writerEnv)]; ok {
		if err := write(os.Getenv(folderEnv)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if err := ownMounts(); err != nil {
		fmt.Fprintln(os.Stderr, "the disks are mounted where other programs see them:", err)
	}
	os.Exit(m.Run())
}

// ledger is what a writer said is durable, and how to look whether it is.
type ledger interface {
	writer() string                   // name in writers
	told(fields []string) error       // one line of the writer
	check(folder string) (int, error) // everything told is in the folder; how many things were compared
	forget()                          // the folder is a new one
}

// process is a running writer.
type process struct {
	cmd    *exec.Cmd
	stderr lockedBuilder
	ended  chan struct{} // closed when its output has ended
	carry  func(string)  // takes the lines that are messages; may be nil
	input  chan string   // lines for it

	mu    sync.Mutex
	lines []string
	ready bool // it has finished setting up
	cut   bool // what comes now does not count
}

func startWriter(t *testing.T, name, folder string) *process {
	t.Helper()
	return startCarried(t, name, folder, nil)
}

// startCarried starts a writer that talks to another one: carry gets its messages and must not block.
func startCarried(t *testing.T, name, folder string, carry func(string)) *process {
	t.Helper()
	p := &process{cmd: exec.Command(os.Args[0]), ended: make(chan struct{}), carry: carry, input: make(chan string, 256)}
	p.cmd.Env = append(os.Environ(), writerEnv+"="+name, folderEnv+"="+folder)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p.cmd.Stderr = &p.stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	in, err := p.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { // ends with the writer's output
		defer in.Close()
		for {
			select {
			case line := <-p.input:
				_, _ = io.WriteString(in, line+"\n") // one that was just killed loses it, like a cable
			case <-p.ended:
				return
			}
		}
	}()
	go func() { // ends with the writer's output
		defer close(p.ended)
		r := bufio.NewReader(out)
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return // a last line without its end was never said
			}
			if strings.HasPrefix(line, "m ") {
				p.carry(strings.TrimSpace(line))
				continue
			}
			p.mu.Lock()
			switch {
			case p.cut && !strings.HasPrefix(line, "acked "): // which says what may go, not what is there
			case strings.TrimSpace(line) == "ready":
				p.ready = true
			default:
				p.lines = append(p.lines, strings.TrimSpace(line))
			}
			p.mu.Unlock()
		}
	}()
	return p
}

// waitSome starts most kills at a writer at work, some at one that has just set up, and some while it opens or makes
// its files.
func (p *process) waitSome(t *testing.T, rng *rand.Rand) {
	t.Helper()
	switch rng.IntN(4) {
	case 0:
	case 1:
		p.waitReady(t)
	default:
		p.waitWorking(t)
	}
}

// stopCounting ends the list: only what was read until now counts (reliability §5.1: an fsync in flight during a
// cut may return success for data that is gone). It reports whether the writer had finished setting up.
func (p *process) stopCounting() (ready bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = true
	return p.ready
}

// kill is kill -9 and waits for the end of the process and of its output.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
	_ = p.cmd.Wait() // it was killed, or ended with an error that stands in stderr
}

// finish waits for the end of a writer that ends by itself; an error says that it died or hangs.
func (p *process) finish(limit time.Duration) error {
	select {
	case <-p.ended:
		return p.cmd.Wait()
	case <-time.After(limit):
		p.kill()
		return fmt.Errorf("has not ended within %s", limit)
	}
}

// waitReady waits until the writer has set up its folder.
func (p *process) waitReady(t *testing.T) {
	t.Helper()
	p.wait(t, func() bool { return p.ready })
}

// waitWorking waits until the writer has reported something durable: on a loaded machine a fixed time may be over
// before the first report.
func (p *process) waitWorking(t *testing.T) {
	t.Helper()
	p.wait(t, func() bool { return p.ready && len(p.lines) > 0 })
}

// wait waits at most a minute until what it is asked, under the lock, holds.
func (p *process) wait(t *testing.T, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(time.Millisecond) {
		p.mu.Lock()
		ok := holds()
		p.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-p.ended:
			t.Fatalf("the writer ended before it got to work: %s", p.stderr.String())
		default:
		}
	}
	t.Fatalf("the writer does not get to work: %s", p.stderr.String())
}

// say gives a line to the writer; when too many wait, it is lost, as on a network.
func (p *process) say(line string) {
	select {
	case p.input <- line:
	default:
	}
}

// tell gives all lines to the ledger.
func (p *process) tell(l ledger) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, line := range p.lines {
		if err := l.told(strings.Fields(line)); err != nil {
			return 0, fmt.Errorf("line %q: %w", line, err)
		}
	}
	return len(p.lines), nil
}

type lockedBuilder struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedBuilder) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuilder) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// count is how often a test repeats: small in the ordinary suite, what the variable says in the large forms.
func count(t *testing.T, variable string, ordinary int) int {
	t.Helper()
	s := os.Getenv(variable)
	if s == "" {
		return ordinary
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		t.Fatalf("%s=%q is not a number", variable, s)
	}
	return n
}

// seed is new in each run, printed, and set by MONBAN_SEED.
func seed(t *testing.T) uint64 {
	t.Helper()
	n := uint64(time.Now().UnixNano())
	if s := os.Getenv("MONBAN_SEED"); s != "" {
		var err error
		if n, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("SEED=%d", n)
	return n
}

// reportEnv names a file to which each large form appends one line, for `make soak`.
const reportEnv = "MONBAN_FAULTS_REPORT"

// report writes one line: test, seed, what was done and found.
func report(t *testing.T, seed uint64, format string, args ...any) {
	t.Helper()
	text := fmt.Sprintf(format, args...)
	t.Log(text)
	appendReport(t, fmt.Sprintf("%s\tSEED=%d\t%s", t.Name(), seed, text))
}

// skipLoudly skips because the machine cannot do something. The line also goes to standard error, because `go
// test` hides skips, and into the report.
func skipLoudly(t *testing.T, what string, err error) {
	t.Helper()
	fmt.Fprintf(os.Stderr, "NOT TESTED: %s: %s is not possible here: %v\n", t.Name(), what, err)
	appendReport(t, fmt.Sprintf("%s\tSKIPPED\t%s is not possible on this machine: %v", t.Name(), what, err))
	t.Skipf("%s is not possible here: %v", what, err)
}

func appendReport(t *testing.T, line string) {
	t.Helper()
	name := os.Getenv(reportEnv)
	if name == "" {
		return
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		t.Error(err)
		return
	}
	defer f.Close()
	if _, err := fmt.Fprintln(f, line); err != nil {
		t.Error(err)
	}
}
