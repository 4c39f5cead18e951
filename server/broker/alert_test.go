package broker_test

import (
	"bytes"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"monban/server/broker"
	"monban/server/ca"
)

const alertTopic = "monban/1/" + site + "/alert"

// OP-3: who may read alerts reads them and nothing else, and says nothing; a gateway does not read them; only the server writes them.
func TestAlertReaders(t *testing.T) {
	b := newBench(t, func(c *broker.Config) { c.AlertReaders = []string{"home"} })
	const refused = 0x80
	reader := b.connect(t, "home")
	if reader.subscribe(alertTopic) == refused {
		t.Fatal("a reader may not read alerts")
	}
	for _, topic := range []string{"#", "monban/#", "monban/1/" + site + "/+", topic("home", "down", "command"), topic("gw-1", "up", "events"), "monban/1/other/alert"} {
		if code, open := b.connect(t, "home").trySubscribe(topic); open && code != refused {
			t.Errorf("a reader may read %s", topic)
		}
	}
	if code, open := b.connect(t, "gw-1").trySubscribe(alertTopic); open && code != refused {
		t.Error("a gateway may read alerts")
	}
	for _, who := range []string{"home", "gw-1"} {
		c := b.connect(t, who)
		c.publish(alertTopic, "forged", false, 0)
		_ = c.send(0xc0, nil) // the broker may end the connection of who publishes what it may not
	}
	server := b.connect(t, ca.ServerName)
	server.publish(alertTopic, "扉のこじ開け", false, 0)
	server.settle()
	var got []string
	for limit := time.Now().Add(time.Minute); len(got) == 0 && time.Now().Before(limit); time.Sleep(10 * time.Millisecond) {
		got = reader.drain()
	}
	if len(got) != 1 || got[0] != alertTopic+" 扉のこじ開け" {
		t.Errorf("read %q", got)
	}
}

// A real subscriber of another project reads an alert, the Japanese as it was written.
func TestMosquittoSubReadsAlerts(t *testing.T) {
	program, err := exec.LookPath("mosquitto_sub")
	if err != nil {
		skip(t, "mosquitto_sub is not installed (apt-get install mosquitto-clients); no subscriber has read our alerts")
	}
	dir := t.TempDir()
	authority, err := ca.Create(filepath.Join(dir, "authority"), ca.Options{Site: site, Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	root, err := os.ReadFile(filepath.Join(dir, "authority", "root.crt"))
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{ca: authority}
	b.cfg = broker.Config{Listen: "127.0.0.1:0", Site: site, Server: ca.ServerName, TLS: authority.ServerTLS(), RuntimeDir: filepath.Join(t.TempDir(), "run"), Log: slog.New(slog.DiscardHandler), AlertReaders: []string{"home"}}
	b.start(t)
	is, err := b.ca.IssueGateway("home", time.Hour, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"cert": is.CertPEM, "key": is.KeyPEM, "ca": root} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, port, err := net.SplitHostPort(b.addr)
	if err != nil {
		t.Fatal(err)
	}
	var out, said bytes.Buffer
	c := exec.Command(program, "-h", "localhost", "-p", port, "-V", "mqttv311", "--cafile", filepath.Join(dir, "ca"), "--cert", filepath.Join(dir, "cert"), "--key", filepath.Join(dir, "key"),
		"-i", clientID("home"), "-t", alertTopic, "-C", "1", "-W", "60")
	c.Stdout, c.Stderr = &out, &said
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- c.Wait() }()
	server := b.connect(t, ca.ServerName)
	tick := time.NewTicker(100 * time.Millisecond) // it subscribes at some moment
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			if err != nil || strings.TrimSpace(out.String()) != "扉のこじ開け 髙" {
				t.Errorf("%v, read %q, said %q", err, out.String(), said.String())
			}
			return
		case <-tick.C:
			server.publish(alertTopic, "扉のこじ開け 髙", false, 0)
		}
	}
}
