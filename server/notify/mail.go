package notify

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strconv"
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
}

// NewMail makes a mail channel.
func NewMail(cfg MailConfig, w *Words) *Mail {
	return &Mail{cfg, w.in(cfg.Lang)}
}

// Send implements Channel: it returns nil after the server has taken the mail for every recipient.
func (c *Mail) Send(ctx context.Context, id string, m *Message) error {
	host, port, err := net.SplitHostPort(c.cfg.Server)
	if err != nil {
		return fmt.Errorf("mail server: %w", err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return fmt.Errorf("mail server: %w", err)
	}
	msg, err := c.message(id, m)
	if err != nil {
		return err
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
		return fmt.Errorf("mail: %w", err)
	}
	if err := client.DialAndSendWithContext(ctx, msg); err != nil {
		return fmt.Errorf("mail: %w", err)
	}
	return nil
}

func (c *Mail) message(id string, m *Message) (*mail.Msg, error) {
	msg := mail.NewMsg()
	if err := msg.From(c.cfg.From); err != nil {
		return nil, fmt.Errorf("mail: %w", err)
	}
	if err := msg.To(c.cfg.To...); err != nil {
		return nil, fmt.Errorf("mail: %w", err)
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
