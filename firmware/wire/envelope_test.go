package wire

import (
	"bytes"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"monban/firmware/access"
)

func sealSample(t testing.TB, s sample) []byte {
	t.Helper()
	signer, _, _ := roleKey(t, RoleOf(s.kind))
	msg, err := Seal(signer, testSite, testGW, s.kind, s.body)
	if err != nil {
		t.Fatalf("seal %s/%s: %v", s.kind, s.name, err)
	}
	return msg
}

func TestSealOpen(t *testing.T) { // OP-3
	t.Parallel()
	all := allVerifiers(t)
	for _, s := range samples(t) {
		if s.kind == "record" {
			continue
		}
		msg := sealSample(t, s)
		body, err := Open(all, testSite, testGW, s.kind, msg)
		if err != nil || !bytes.Equal(body, s.body) {
			t.Errorf("%s/%s: %v", s.kind, s.name, err)
		}
		if line, _, _ := bytes.Cut(msg, []byte("\n")); !bytes.Contains(line, s.body) {
			t.Errorf("%s/%s: the body cannot be read in the note's first line", s.kind, s.name)
		}
		// Another gateway, site or kind; the wrong role's key; a flipped bit anywhere.
		if _, err := Open(all, testSite, "gw-2", s.kind, msg); FaultOf(err) != FaultTopic {
			t.Errorf("%s: as another gateway's: %v", s.kind, err)
		}
		if _, err := Open(all, "other", testGW, s.kind, msg); FaultOf(err) != FaultTopic {
			t.Errorf("%s: as another site's: %v", s.kind, err)
		}
		for i := 0; i < len(msg); i += 7 {
			m := bytes.Clone(msg)
			m[i] ^= 1
			if _, err := Open(all, testSite, testGW, s.kind, m); err == nil {
				t.Fatalf("%s: accepted with byte %d flipped", s.kind, i)
			}
		}
	}
}

// Each kind accepts exactly one role and is no other kind.
func TestOneRolePerKind(t *testing.T) {
	t.Parallel()
	all := allVerifiers(t)
	kinds := append(UpKinds(), DownKinds()...)
	for _, kind := range kinds {
		want := RoleOf(kind)
		for role := RoleGateway; role < roleCount; role++ {
			signer, _, _ := roleKey(t, role)
			msg, err := Seal(signer, testSite, testGW, kind, []byte("{}"))
			if info, _ := infoOf(kind); info.reserved || want == RoleNone {
				if err == nil {
					t.Errorf("%s can be sealed", kind)
				}
				if _, err := Open(all, testSite, testGW, kind, []byte("x")); info.reserved != (FaultOf(err) == FaultReserved) || err == nil {
					t.Errorf("%s: open gives %v", kind, err)
				}
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Open(all, testSite, testGW, kind, msg); (err == nil) != (role == want) {
				t.Errorf("%s signed by %v: %v", kind, role, err)
			} else if err != nil && FaultOf(err) != FaultSignature {
				t.Errorf("%s signed by %v: fault %v", kind, role, FaultOf(err))
			}
			for _, other := range kinds {
				if other == kind || role != want || RoleOf(other) != want {
					continue
				}
				if info, _ := infoOf(other); info.reserved {
					continue
				}
				if _, err := Open(all, testSite, testGW, other, msg); FaultOf(err) != FaultKind {
					t.Errorf("%s opened as %s: %v", kind, other, err)
				}
			}
		}
	}
}

func TestOpenFaults(t *testing.T) {
	t.Parallel()
	signer, verifier, _ := roleKey(t, RoleLink)
	second, _, _ := roleKey(t, RolePolicy)
	v := Verifiers{}.With(RoleLink, verifier)
	sign := func(text string, signers ...note.Signer) []byte {
		msg, err := note.Sign(&note.Note{Text: text}, signers...)
		if err != nil {
			t.Fatal(err)
		}
		return msg
	}
	good := `{"monban":1,"kind":"ack","topic":"monban/1/tagajo-demo/gw-1/down/ack","body":{}}` + "\n"
	cases := []struct {
		what string
		msg  []byte
		want Fault
	}{
		{"good", sign(good, signer), FaultNone},
		{"version 2", sign(strings.Replace(good, ":1,", ":2,", 1), signer), FaultVersion},
		{"no envelope", sign("{}\n", signer), FaultVersion},
		{"kind", sign(strings.Replace(good, `"ack"`, `"acks"`, 1), signer), FaultKind},
		{"topic", sign(strings.Replace(good, "gw-1", "gw-2", 1), signer), FaultTopic},
		{"up topic", sign(strings.Replace(good, "down", "up", 1), signer), FaultTopic},
		{"body array", sign(strings.Replace(good, "{}", "[]", 1), signer), FaultBody},
		{"more after body", sign(strings.Replace(good, "{}}", `{}} `, 1), signer), FaultBody},
		{"two lines", sign(good+good, signer), FaultBody},
		{"two signatures", sign(good, signer, second), FaultSignature},
		{"wrong role", sign(good, second), FaultSignature},
		{"not a note", []byte(good), FaultSignature},
		{"empty", nil, FaultSignature},
		{"too large", make([]byte, MaxMessage+1), FaultTooLarge},
	}
	for _, c := range cases {
		if _, err := Open(v, testSite, testGW, KindAck, c.msg); FaultOf(err) != c.want {
			t.Errorf("%s: got %v, want %v", c.what, err, c.want)
		}
	}
	if _, err := Open(Verifiers{}, testSite, testGW, KindAck, sign(good, signer)); FaultOf(err) != FaultSignature {
		t.Errorf("the zero Verifiers: %v", err) // I9
	}
	if _, err := Open(v, testSite, testGW, "nonsense", sign(good, signer)); FaultOf(err) != FaultKind {
		t.Errorf("unknown kind: %v", err)
	}
}

func TestSealRefuses(t *testing.T) {
	t.Parallel()
	signer, _, _ := roleKey(t, RoleGateway)
	for what, c := range map[string]struct {
		site, body string
		gw         access.GatewayID
		want       Fault
	}{
		"control character": {testSite, "{\"a\":\"\x01\"}", testGW, FaultBody},
		"newline":           {testSite, "{\n}", testGW, FaultBody},
		"invalid UTF-8":     {testSite, "{\xff}", testGW, FaultBody},
		"no object":         {testSite, "1", testGW, FaultBody},
		"site":              {"a/b", "{}", testGW, FaultTopic},
		"gateway":           {testSite, "{}", "", FaultTopic},
		"too large":         {testSite, "{" + strings.Repeat(" ", MaxMessage) + "}", testGW, FaultTooLarge},
	} {
		if _, err := Seal(signer, c.site, c.gw, KindAsk, []byte(c.body)); FaultOf(err) != c.want {
			t.Errorf("%s: got %v, want %v", what, err, c.want)
		}
	}
}

func TestTopics(t *testing.T) {
	t.Parallel()
	for _, kind := range append(UpKinds(), DownKinds()...) {
		topic := Topic(testSite, testGW, kind)
		site, gw, got, err := ParseTopic(topic)
		if err != nil || site != testSite || gw != testGW || got != kind {
			t.Errorf("%s: %v %v %v %v", topic, site, gw, got, err)
		}
	}
	if got := Topic(testSite, testGW, "nonsense"); got != "" {
		t.Errorf("unknown kind has topic %q", got)
	}
	for _, topic := range []string{
		"", "monban/1/", "monban/2/s/g/up/ask", "monban/1/s/g/down/ask", "monban/1/s/g/up/ack", "monban/1/s/g/up/ask/",
		"monban/1/s/g/up", "monban/1//g/up/ask", "monban/1/s//up/ask", "monban/1/s/+/up/ask", "monban/1/s/#", "x/1/s/g/up/ask",
		"monban/1/s/g/UP/ask", "monban/1/s/g//ask",
	} {
		if _, _, _, err := ParseTopic(topic); FaultOf(err) != FaultTopic {
			t.Errorf("%q accepted: %v", topic, err)
		}
	}
}

func TestKeysNote(t *testing.T) { // D18
	t.Parallel()
	root, rootVerifier, _ := roleKey(t, RoleRoot)
	keys := testKeys(t)
	msg, err := SealKeys(root, keys)
	if err != nil {
		t.Fatal(err)
	}
	got, err := OpenKeys(rootVerifier, testSite, msg)
	if err != nil || got != keys {
		t.Fatalf("OpenKeys: %+v %v", got, err)
	}
	v, err := got.Verifiers()
	if err != nil {
		t.Fatal(err)
	}
	for role := RoleNone; role < roleCount; role++ {
		has := role == RoleLink || role == RolePolicy || role == RoleCommand || role == RoleLog
		if (v.For(role) != nil) != has {
			t.Errorf("role %v: verifier %v", role, v.For(role))
		}
	}
	if _, err := OpenKeys(rootVerifier, "other", msg); FaultOf(err) != FaultTopic {
		t.Errorf("another site's: %v", err)
	}
	_, link, _ := roleKey(t, RoleLink)
	if _, err := OpenKeys(link, testSite, msg); FaultOf(err) != FaultSignature {
		t.Errorf("not by the root: %v", err)
	}
	swapped := keys
	swapped.Link, swapped.Policy = keys.Policy, keys.Link
	if _, err := SealKeys(root, swapped); FaultOf(err) != FaultBody {
		t.Errorf("keys of other roles: %v", err)
	}
	for what, text := range map[string]string{
		"other head":    strings.Replace(keysText(&keys), "keys 1", "keys 2", 1),
		"leading zero":  strings.Replace(keysText(&keys), "version 3", "version 03", 1),
		"version 0":     strings.Replace(keysText(&keys), "version 3", "version 0", 1),
		"extra line":    keysText(&keys) + "x y\n",
		"missing lines": keysHead + "site " + testSite + "\n",
	} {
		signed, err := note.Sign(&note.Note{Text: text}, root)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := OpenKeys(rootVerifier, testSite, string(signed)); err == nil {
			t.Errorf("%s accepted", what)
		}
	}
}

// D18: a change of the root is announced whole or not at all.
func TestKeysNoteOfARoll(t *testing.T) {
	t.Parallel()
	root, rootVerifier, _ := roleKey(t, RoleRoot)
	good := changingKeys(t)
	done := good
	done.CA, done.NextCA, done.NextRoot = good.NextCA, "", ""
	for what, k := range map[string]Keys{"changing": good, "changed": done} {
		msg, err := SealKeys(root, k)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := OpenKeys(rootVerifier, testSite, msg); err != nil || got != k {
			t.Errorf("%s: %+v %v", what, got, err)
		}
	}
	if n, m := len(good.Roots()), len(done.Roots()); n != 2 || m != 1 || len(testKeys(t).Roots()) != 0 {
		t.Errorf("%d and %d TLS roots", n, m)
	}
	for what, spoil := range map[string]func(*Keys){
		"no certificate of now":  func(k *Keys) { k.CA = "" },
		"no next certificate":    func(k *Keys) { k.NextCA = "" },
		"no next root":           func(k *Keys) { k.NextRoot = "" },
		"a role's key as root":   func(k *Keys) { k.NextRoot = k.Link },
		"not base64":             func(k *Keys) { k.NextCA = "*" },
		"base64 of another form": func(k *Keys) { k.NextCA = "AB==" },
		"too long":               func(k *Keys) { k.NextCA = strings.Repeat("AAAA", maxCert/4+1) },
		"two lines":              func(k *Keys) { k.NextCA = "AAAA\nAAAA" },
	} {
		k := good
		spoil(&k)
		if _, err := SealKeys(root, k); FaultOf(err) != FaultBody {
			t.Errorf("%s: %v", what, err)
		}
		signed, err := note.Sign(&note.Note{Text: keysText(&k)}, root)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := OpenKeys(rootVerifier, testSite, string(signed)); err == nil {
			t.Errorf("%s is accepted", what)
		}
	}
	lines := strings.SplitAfter(keysText(&good), "\n")
	n := len(lines) - 1
	lines[n-1], lines[n-2] = lines[n-2], lines[n-1]
	signed, err := note.Sign(&note.Note{Text: strings.Join(lines, "")}, root)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OpenKeys(rootVerifier, testSite, string(signed)); err == nil {
		t.Error("lines of another order are accepted")
	}
}

func BenchmarkSealAsk(b *testing.B) {
	s := samples(b)[5]
	signer, _, _ := roleKey(b, RoleGateway)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Seal(signer, testSite, testGW, s.kind, s.body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpenAsk(b *testing.B) {
	s := samples(b)[5]
	msg := sealSample(b, s)
	v := allVerifiers(b)
	b.ReportAllocs()
	for b.Loop() {
		body, err := Open(v, testSite, testGW, s.kind, msg)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := ParseAsk(body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseEvents(b *testing.B) {
	m := testEvents(40)
	body := AppendEvents(nil, &m)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseEvents(body); err != nil {
			b.Fatal(err)
		}
	}
}
