package notify

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/emersion/go-smtp"

	"monban/server/store"
)

// towns is a mail channel to three recipients over a server in clear text.
func towns(t *testing.T) (*mailbox, *Mail) {
	box, addr := startSMTP(t, nil, "")
	return box, NewMail(MailConfig{Server: addr, Security: "none", From: "monban@city.example", To: []string{"a@city.example", "b@city.example", "c@city.example"}, Lang: "ja"}, testWords(t))
}

// got counts the mails that each recipient has, by the first letter of the address, and looks that all have one id.
func (b *mailbox) got(t *testing.T) string {
	t.Helper()
	n := map[string]int{}
	for _, l := range b.list() {
		if l.id != b.list()[0].id {
			t.Errorf("another id: %s", l.id)
		}
		for _, to := range l.to {
			n[to[:1]]++
		}
	}
	return fmt.Sprint(n)
}

// AL-1: a recipient that the server refuses keeps no other from being told. What is refused for good is not tried again, and said;
// what is refused for now is tried again, for that one alone. No error holds an address (AL-4).
func TestRefusedRecipients(t *testing.T) {
	gone, full := &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no b@city.example here"}, &smtp.SMTPError{Code: 452, EnhancedCode: smtp.EnhancedCode{4, 2, 2}, Message: "b@city.example is full"}
	silent := func(err error) {
		t.Helper()
		if err == nil || strings.Contains(err.Error(), "@") || !strings.Contains(err.Error(), "5") {
			t.Errorf("error %v", err)
		}
	}
	partly := func(err error) bool { p := (*Partly)(nil); return errors.As(err, &p) }

	box, c := towns(t)
	box.refuse = map[string]*smtp.SMTPError{"b@city.example": gone}
	err := c.Send(t.Context(), "x", forced())
	if silent(err); !partly(err) || !strings.Contains(err.Error(), "550") || box.got(t) != "map[a:1 c:1]" {
		t.Errorf("refused for good: %v, %s", err, box.got(t))
	}

	box, c = towns(t)
	box.refuse = map[string]*smtp.SMTPError{"b@city.example": full}
	for range 2 {
		err = c.Send(t.Context(), "x", forced())
		if silent(err); partly(err) || box.got(t) != "map[a:1 c:1]" {
			t.Errorf("refused for now: %v, %s", err, box.got(t))
		}
	}
	box.mu.Lock()
	box.refuse = nil
	box.mu.Unlock()
	if err := c.Send(t.Context(), "x", forced()); err != nil || box.got(t) != "map[a:1 b:1 c:1]" || len(c.part) != 0 {
		t.Errorf("taken at last: %v, %s, %d in memory", err, box.got(t), len(c.part))
	}

	box, c = towns(t)
	box.refuse = map[string]*smtp.SMTPError{"a@city.example": gone, "b@city.example": gone, "c@city.example": gone}
	err = c.Send(t.Context(), "x", forced())
	if silent(err); partly(err) {
		t.Error("nobody has it, and it is not tried again")
	}
	box.mu.Lock()
	box.refuse = nil
	box.mu.Unlock()
	if err := c.Send(t.Context(), "x", forced()); err != nil || box.got(t) != "map[a:1 b:1 c:1]" {
		t.Errorf("after all were refused: %v, %s", err, box.got(t))
	}
}

// AL-4: what the server says in words before a mail is in no error: neither to a greeting nor to a sign-in. Its number is.
func TestServersWordsAreLeftOut(t *testing.T) {
	const said = "b@city.example is locked out, ask Takahashi"
	for name, answers := range map[string]map[string]string{
		"greeting": {"": "554 " + said},
		"sign-in":  {"": "220 mail.test", "EHLO": "250-mail.test\r\n250 AUTH CRAM-MD5", "AUTH": "535 5.7.8 " + said},
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		go func() {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			fmt.Fprint(conn, answers[""]+"\r\n")
			for r := bufio.NewScanner(conn); r.Scan(); {
				word, _, _ := strings.Cut(strings.ToUpper(r.Text()), " ")
				answer, ok := answers[word]
				if !ok {
					answer = "221 bye"
				}
				fmt.Fprint(conn, answer+"\r\n")
			}
		}()
		cfg := MailConfig{Server: l.Addr().String(), Security: "none", From: "m@city.example", To: []string{"b@city.example"}, User: "monban", Password: "x"}
		err = NewMail(cfg, testWords(t)).Send(t.Context(), "x", forced())
		if err == nil || strings.Contains(err.Error(), "@") || strings.Contains(err.Error(), "Takahashi") || !strings.Contains(err.Error(), " 5") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := (&unreached{errors.New("dial a@b.example: no route")}); err.Error() != "mail: no session: dial … no route" {
		t.Errorf("of this machine: %v", err)
	}
}

// A message that arrived at some is sent, not tried for three days; the page says why not at all.
func TestPartlyIsSent(t *testing.T) {
	b := newBench(t)
	q, d := b.n.queues["poc"], store.Delivery{Made: b.now}
	q.settle(&d, fmt.Errorf("x: %w", &Partly{"1 of 2 recipients are refused"}))
	if d.State != store.DeliverySent || !strings.Contains(d.Error, "1 of 2") {
		t.Errorf("%+v", d)
	}
}

// A server that takes the mail and then drops the line has taken it: it is not sent again.
func TestDropAfterTheMailIsTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	var taken atomic.Int32
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			r := bufio.NewScanner(conn)
			fmt.Fprint(conn, "220 mail.test\r\n")
			data := false
			for r.Scan() {
				word, _, _ := strings.Cut(strings.ToUpper(r.Text()), " ")
				switch {
				case data && r.Text() == ".":
					data = false
					taken.Add(1)
					fmt.Fprint(conn, "250 taken\r\n")
				case data:
				case word == "DATA":
					data = true
					fmt.Fprint(conn, "354 go on\r\n")
				case slices.Contains([]string{"EHLO", "HELO", "MAIL", "RCPT", "NOOP"}, word):
					fmt.Fprint(conn, "250 8BITMIME\r\n")
				default: // RSET, QUIT
					conn.Close()
				}
			}
			conn.Close()
		}
	}()
	c := NewMail(MailConfig{Server: l.Addr().String(), Security: "none", From: "monban@city.example", To: []string{"a@city.example"}, Lang: "ja"}, testWords(t))
	if err := c.Send(t.Context(), "x", forced()); err != nil || taken.Load() != 1 {
		t.Errorf("%v, taken %d times", err, taken.Load())
	}
}
