package notify

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	mail "github.com/wneessen/go-mail"
)

// MailConfig is one mail channel.
type MailConfig struct {
	Server   string      // host:port
	TLS      *tls.Config // roots and name of the server
	Security string      // "starttls" (refused without), "tls", or "none" for this machine only
	User     string      // "" = no sign-in
	Password string
	From     string
	To       []string
	Lang     string // ja, en
}

// Mail sends mails through one SMTP server.
type Mail struct {
	cfg   MailConfig
	words words

	mu   sync.Mutex
	part map[string]*partial // by id: messages that have arrived at some of the recipients
}

// partial is what is known of a message whose recipients are tried one by one. It is kept in memory: after a restart those who
// have it get a copy under the same id.
type partial struct {
	have    []string // recipients for whom the server has taken it
	refused []string // whom the server refuses for good
	why     error    // the newest refusal
}

// mostPart bounds part: messages that were given up are never asked for again.
const mostPart = 1000

// NewMail makes a mail channel.
func NewMail(cfg MailConfig, w *Words) *Mail {
	return &Mail{cfg: cfg, words: w.in(cfg.Lang), part: map[string]*partial{}}
}

// Send implements Channel: it returns nil after the server has taken the mail for every recipient, and *Partly when it refuses
// some for good and has taken it for all others. One recipient keeps no other from being told. Errors hold no address: they
// stand in logs and on a page.
func (c *Mail) Send(ctx context.Context, id string, m *Message) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	conn, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return &unreached{err}
	}
	defer func() { _ = client.CloseWithSMTPClient(conn) }() // what was taken stays taken, however the server says goodbye
	post := func(to ...string) error {
		msg, err := c.message(id, m, to)
		if err != nil {
			return err
		}
		// After its yes to the mail, what it says to RSET is of no interest.
		if err := client.SendWithSMTPClient(conn, msg); err != nil && !msg.IsDelivered() {
			return &refusal{err}
		}
		return nil
	}
	c.mu.Lock()
	p := c.part[id]
	c.mu.Unlock()
	if p == nil {
		err := post(c.cfg.To...)
		if err == nil || len(c.cfg.To) == 1 || !refused(err) {
			return err
		}
		p = &partial{}
	}
	return c.oneByOne(id, p, post)
}

// oneByOne posts a message to those who do not have it yet, each by itself.
func (c *Mail) oneByOne(id string, p *partial, post func(...string) error) error {
	var again error
	for _, to := range c.cfg.To {
		if slices.Contains(p.have, to) || slices.Contains(p.refused, to) {
			continue
		}
		err := post(to)
		switch {
		case err == nil:
			p.have = append(p.have, to)
		case refused(err) && forGood(err):
			p.refused, p.why = append(p.refused, to), err
		default:
			again = err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.part, id)
	switch {
	case again != nil && len(p.have)+len(p.refused) > 0:
		if len(c.part) >= mostPart {
			clear(c.part)
		}
		c.part[id] = p
		return fmt.Errorf("%d of %d recipients have it: %w", len(p.have), len(c.cfg.To), again)
	case again != nil:
		return again
	case len(p.have) == 0: // nobody has it: all are tried again
		return p.why
	case len(p.refused) > 0:
		return &Partly{fmt.Sprintf("%d of %d recipients are refused: %v", len(p.refused), len(c.cfg.To), p.why)}
	}
	return nil
}

// refusal is an error of the library without its text, which names recipients.
type refusal struct{ err error }

func (r *refusal) Error() string {
	var e *mail.SendError
	if !errors.As(r.err, &e) {
		return "mail: not sent"
	}
	text := "mail: failed at: " + e.Reason.String()
	if e.ErrorCode() != 0 {
		text += fmt.Sprintf(", the server answers %d", e.ErrorCode())
	}
	if e.EnhancedStatusCode() != "" {
		text += " " + e.EnhancedStatusCode()
	}
	return text
}

// unreached is an error before any mail: no connection, no TLS, no sign-in. What the server says in words is left out: it may repeat
// an address or the account. What this machine says stays, since somebody has to mend it by that.
type unreached struct{ err error }

func (u *unreached) Error() string {
	var answer *textproto.Error
	if errors.As(u.err, &answer) {
		return fmt.Sprintf("mail: no session: the server answers %d", answer.Code)
	}
	words := strings.Fields(u.err.Error())
	for i, w := range words {
		if strings.Contains(w, "@") {
			words[i] = "…"
		}
	}
	return "mail: no session: " + strings.Join(words, " ")
}

func (u *unreached) Unwrap() error { return u.err }

// refused reports whether the server does not take a recipient; it may take others.
func refused(err error) bool {
	var r *refusal
	var e *mail.SendError
	return errors.As(err, &r) && errors.As(r.err, &e) && e.Reason == mail.ErrSMTPRcptTo
}

// forGood reports whether the server says that trying again does not help.
func forGood(err error) bool {
	var r *refusal
	var e *mail.SendError
	return errors.As(err, &r) && errors.As(r.err, &e) && e.ErrorCode() >= 500
}

// client is one that is not connected yet.
func (c *Mail) client() (*mail.Client, error) {
	host, port, err := net.SplitHostPort(c.cfg.Server)
	if err != nil {
		return nil, fmt.Errorf("mail server: %w", err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return nil, fmt.Errorf("mail server: %w", err)
	}
	opts := []mail.Option{mail.WithPort(number), mail.WithTimeout(sendTime / 2), mail.WithHELO(c.words.site + ".monban.invalid")}
	if c.cfg.TLS != nil {
		opts = append(opts, mail.WithTLSConfig(c.cfg.TLS.Clone()))
	}
	switch c.cfg.Security {
	case "tls":
		opts = append(opts, mail.WithSSL())
	case "none":
		opts = append(opts, mail.WithTLSPolicy(mail.NoTLS))
	default: // what was not said is encrypted
		opts = append(opts, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	if c.cfg.User != "" {
		opts = append(opts, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(c.cfg.User), mail.WithPassword(c.cfg.Password))
	}
	client, err := mail.NewClient(host, opts...)
	if err != nil {
		return nil, fmt.Errorf("mail: %w", err)
	}
	return client, nil
}

func (c *Mail) message(id string, m *Message, to []string) (*mail.Msg, error) {
	msg := mail.NewMsg()
	if err := msg.From(c.cfg.From); err != nil {
		return nil, errors.New("mail: the sender is no mail address")
	}
	if err := msg.To(to...); err != nil {
		return nil, errors.New("mail: a recipient is no mail address")
	}
	msg.SetMessageIDWithValue(id + "@" + c.words.site + ".monban.invalid")
	msg.SetDateWithValue(time.UnixMilli(m.AtMS))
	msg.Subject(c.words.subject(m))
	msg.SetBodyString(mail.TypeTextPlain, c.words.body(m))
	if m.What == "alert" && m.Severity == "high" || m.What == "escalation" {
		msg.SetImportance(mail.ImportanceHigh)
	}
	return msg, nil
}
