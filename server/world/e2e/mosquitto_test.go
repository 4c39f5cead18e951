package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// withMosquitto makes Debian's mosquitto, with the sample configuration of docs/mosquitto, the site's
// broker. It is called before the server is started; the broker is then started with startMosquitto.
func (s *site) withMosquitto(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("mosquitto"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("mosquitto is not installed (apt-get install mosquitto)")
		}
		t.Skip("SKIPPED, NOT PASSED: mosquitto is not installed (apt-get install mosquitto)")
	}
	address := fmt.Sprintf("127.0.0.1:%d", s.mqtt)
	change := func(from, to string, pairs ...string) {
		data, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		text := string(data)
		for i := 0; i < len(pairs); i += 2 {
			if !strings.Contains(text, pairs[i]) {
				t.Fatalf("%s has no %q", from, pairs[i])
			}
			text = strings.ReplaceAll(text, pairs[i], pairs[i+1])
		}
		s.write(to, text)
	}
	change(s.path("server.toml"), "server.toml", fmt.Sprintf("listen = %q", address), fmt.Sprintf("broker_url = %q", "tls://"+address))
	change("../../../docs/mosquitto/monban.acl", "monban.acl", "monban/1/SITE/", "monban/1/e2e/")
	change("../../../docs/mosquitto/mosquitto.conf", "mosquitto.conf",
		"listener 8883\n", fmt.Sprintf("user root\nlistener %d 127.0.0.1\n", s.mqtt), // as root it would change to a user who cannot read our folder
		"/etc/mosquitto/monban/monban.acl", s.path("monban.acl"), "/etc/mosquitto/monban/", s.path("server/ca")+"/")
}

// startMosquitto starts the broker, also again after it was killed.
func (s *site) startMosquitto() *process {
	s.t.Helper()
	return s.launch(exec.Command("mosquitto", "-c", s.path("mosquitto.conf")))
}
