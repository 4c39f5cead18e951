package broker_test

import (
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"monban/server/ca"
)

// both runs a test on the embedded broker and on Debian's Mosquitto.
func both(t *testing.T, test func(t *testing.T, b *bench)) {
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		test(t, newBench(t, nil))
	})
	t.Run("mosquitto", func(t *testing.T) {
		t.Parallel()
		test(t, newMosquitto(t))
	})
}

// skip skips loudly; where CI=true a skip is a failure, or the check would quietly be dead.
func skip(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip("SKIPPED, NOT PASSED: " + why)
}

// newMosquitto starts Debian's mosquitto with the sample configuration of docs/mosquitto.
func newMosquitto(t *testing.T) *bench {
	t.Helper()
	program, err := exec.LookPath("mosquitto")
	if err != nil {
		skip(t, "mosquitto is not installed (apt-get install mosquitto); half of the ACL matrix has not been tested")
	}
	dir := t.TempDir()
	b := &bench{}
	if b.ca, err = ca.Create(filepath.Join(dir, "ca"), ca.Options{Site: site, Now: time.Now()}); err != nil {
		t.Fatal(err)
	}
	// An address of its own: a free port of 127.0.0.1 could be taken by a parallel test before mosquitto does. A port
	// of its own, below those that the system hands out: who looks whether 8883 is free listens on it at every address.
	host := fmt.Sprintf("127.%d.%d.%d", 1+rand.IntN(254), rand.IntN(256), 1+rand.IntN(254))
	port := strconv.Itoa(20000 + rand.IntN(10000))
	b.addr = net.JoinHostPort(host, port)
	b.acl = filepath.Join(dir, "monban.acl")
	sample(t, "monban.acl", b.acl, "monban/1/SITE/", "monban/1/"+site+"/")
	conf := filepath.Join(dir, "mosquitto.conf")
	sample(t, "mosquitto.conf", conf,
		"listener 8883\n", "user root\nlistener "+port+" "+host+"\n", // as root it would change to a user who cannot read our folder
		"/etc/mosquitto/monban/monban.acl", b.acl, "/etc/mosquitto/monban/", filepath.Join(dir, "ca")+"/")
	var out strings.Builder
	cmd := exec.Command(program, "-c", conf)
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }() // that it ended is what counts
	b.process = cmd.Process
	t.Cleanup(func() {
		select {
		case <-ended:
			t.Errorf("mosquitto ended before the test did:\n%s", out.String())
			return
		default:
		}
		_ = cmd.Process.Signal(syscall.SIGKILL)
		<-ended
		if t.Failed() {
			t.Logf("mosquitto said at last:\n%s", out.String()[max(0, out.Len()-2000):])
		}
	})
	until(t, "mosquitto listens", func() bool {
		select {
		case <-ended:
			t.Fatalf("mosquitto does not start with docs/mosquitto:\n%s", out.String())
		default:
		}
		// That something takes the connection is not enough, it could be another test's: who shows this site's certificate is it.
		c, err := tls.DialWithDialer(&net.Dialer{Timeout: time.Second}, "tcp", b.addr, b.ca.ClientTLS("localhost"))
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
	return b
}

// sample copies a file of docs/mosquitto with old, new pairs replaced; each must be there.
func sample(t *testing.T, name, to string, pairs ...string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("../../docs/mosquitto", name))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(string(data), pairs[i]) {
			t.Fatalf("docs/mosquitto/%s has no %q", name, pairs[i])
		}
	}
	if err := os.WriteFile(to, []byte(strings.NewReplacer(pairs...).Replace(string(data))), 0o600); err != nil {
		t.Fatal(err)
	}
}

// deny shuts a gateway out as docs/operations.md and docs/mosquitto say.
func (b *bench) deny(t *testing.T, gateway string) {
	t.Helper()
	if _, err := b.ca.DenyGateway(gateway, time.Now()); err != nil {
		t.Fatal(err)
	}
	if b.process == nil {
		return
	}
	f, err := os.OpenFile(b.acl, os.O_APPEND|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = fmt.Fprintf(f, "\nuser %s\ntopic deny #\n", gateway)
	}
	if err == nil {
		err = f.Close()
	}
	if err == nil {
		err = b.process.Signal(syscall.SIGHUP)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// left waits until the broker has noticed that of all connections of gateway only keep are left.
func (b *bench) left(t *testing.T, gateway string, keep int) {
	t.Helper()
	if b.broker != nil {
		until(t, "the broker notices that "+gateway+" left", func() bool { return b.broker.Connections()[gateway] == keep })
		return
	}
	time.Sleep(300 * time.Millisecond) // Mosquitto tells nobody; too short a wait could only miss an excess delivery
}
