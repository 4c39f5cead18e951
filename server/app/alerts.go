package app

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	"monban/firmware/access"
	"monban/firmware/calendar"
	"monban/server/config"
	"monban/server/directory"
	"monban/server/notify"
	"monban/server/notify/route"
	"monban/server/review"
	"monban/server/web"
)

// openAlerts makes what tells people of findings. Secrets and certificates are read now: a channel that cannot work is an
// error at start and not at three in the morning.
func (a *App) openAlerts(cfg *config.Config, public string) error {
	title, err := web.FindingTitles()
	if err != nil {
		return err
	}
	words, err := notify.NewWords(func(lang string, k review.Kind) string { return title(web.Lang(lang), k) }, cfg.Location(), cfg.Site, a.whose)
	if err != nil {
		return err
	}
	channels, err := openChannels(&cfg.Alerts, words, a.downlink)
	if err != nil {
		return err
	}
	a.alerts = notify.New(notify.Config{
		Store: a.site.Store, Tree: treeOf(&cfg.Alerts, cfg.Location()), Channels: channels, Site: cfg.Site, Link: public,
		CodeKey: a.site.Keys.Derive("monban alert codes"), Now: time.Now, Log: a.log,
		Faults: a.selfTestFaults,
		Closed: func() calendar.Calendar { return closedOf(a.pub.Site().Directory()) },
		ZoneOf: func(door string) string {
			for _, d := range a.pub.Site().Directory().Doors {
				if d.ID == access.DoorID(door) {
					return string(d.Enter)
				}
			}
			return ""
		},
	})
	return nil
}

// whose says whose site this is and whom to ask. A message goes out all the same when the database cannot say it.
func (a *App) whose(lang string) (name, contact string) {
	o, err := organisation(context.Background(), a.site.Store)
	if err != nil {
		a.log.Warn("an alert goes out without whom to ask", slog.Any("err", err))
	}
	return o.In(lang), o.Contact()
}

// closedOf is the business calendar.
func closedOf(dir *directory.Snapshot) calendar.Calendar {
	days := make([]calendar.ClosedDay, len(dir.ClosedDays))
	for i, c := range dir.ClosedDays {
		days[i] = calendar.ClosedDay{Date: calendar.Date{Year: c.Day.Year, Month: c.Day.Month, Day: c.Day.Day}, Kind: calendar.OwnClosed, Name: c.Name}
	}
	return calendar.NewCalendar(days...)
}

// treeOf is the configuration's routes.
func treeOf(c *config.Alerts, zone *time.Location) route.Tree {
	open, _ := config.TimeOfDay(c.Open) // Validate has read both
	end, _ := config.TimeOfDay(c.Close)
	t := route.Tree{
		Root: route.Route{Hours: c.Hours, OffHours: c.OffHours, Then: c.Then}, Every: c.Every, Digest: c.Digest,
		Limits: route.Limits{Group: c.Group.Std(), Acknowledge: c.Acknowledge.Std(), Inhibit: route.Defaults.Inhibit, Burst: c.Burst},
		Hours:  calendar.Hours{Open: open, Close: end}, Zone: zone,
	}
	for i := range c.Route {
		r := &c.Route[i]
		x := route.Route{Name: r.Name, Zones: r.Zones, Hours: r.Hours, OffHours: r.OffHours, Then: r.Then}
		if r.Severity != "" {
			x.Least, _ = review.ParseSeverity(r.Severity)
		}
		for _, k := range r.Kinds {
			x.Kinds = append(x.Kinds, review.Kind(k))
		}
		t.Routes = append(t.Routes, x)
	}
	for i := range c.Channel {
		if c.Channel[i].Duress {
			t.Secret = append(t.Secret, c.Channel[i].Name)
		}
	}
	return t
}

// openChannels makes the channels of the configuration; link publishes to the broker.
func openChannels(c *config.Alerts, words *notify.Words, link notify.Publisher) ([]notify.Named, error) {
	var out []notify.Named
	for i := range c.Channel {
		x := &c.Channel[i]
		ch, err := openChannel(x, words, link)
		if err != nil {
			return nil, fmt.Errorf("alerts.channel %s: %w", x.Name, err)
		}
		out = append(out, notify.Named{Name: x.Name, Kind: x.Type, Channel: ch})
	}
	return out, nil
}

func openChannel(c *config.AlertChannel, words *notify.Words, link notify.Publisher) (notify.Channel, error) {
	switch c.Type {
	case "webhook":
		return openWebhook(c, words)
	case "syslog":
		tlsCfg, err := clientTLS(c.Server, c.CAFile)
		if err != nil {
			return nil, err
		}
		if c.Cert != "" {
			pair, err := tls.LoadX509KeyPair(c.Cert, c.Key)
			if err != nil {
				return nil, fmt.Errorf("%s: is not a certificate with its key %s: %w", c.Cert, c.Key, err)
			}
			tlsCfg.Certificates = []tls.Certificate{pair}
		}
		return notify.NewSyslog(notify.SyslogConfig{Server: c.Server, TLS: tlsCfg, Body: c.Body, Lang: c.Language}, words), nil
	case "mqtt":
		return notify.NewMQTT(link, c.Language, words), nil
	}
	secret := ""
	if c.Password != "" {
		var err error
		if secret, err = secretFile(c.Password); err != nil {
			return nil, err
		}
	}
	tlsCfg, err := clientTLS(c.Server, c.CAFile)
	if err != nil {
		return nil, err
	}
	return notify.NewMail(notify.MailConfig{
		Server: c.Server, TLS: tlsCfg, Security: c.Security, User: c.User, Password: secret, From: c.From, To: c.To, Lang: c.Language,
	}, words), nil
}

func openWebhook(c *config.AlertChannel, words *notify.Words) (notify.Channel, error) {
	secret, err := secretFile(c.Secret)
	if err != nil {
		return nil, err
	}
	roots, err := rootsOf(c.CAFile)
	if err != nil {
		return nil, err
	}
	var text []byte
	if c.Template != "" {
		if text, err = os.ReadFile(c.Template); err != nil {
			return nil, fmt.Errorf("template: %w", err)
		}
	}
	return notify.NewWebhook(notify.WebhookConfig{URL: c.URL, TLS: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, Secret: secret, Template: string(text), Lang: c.Language}, words)
}

// clientTLS is how a server is checked: by the system's authorities or by those of a file.
func clientTLS(server, caFile string) (*tls.Config, error) {
	host, _, err := net.SplitHostPort(server)
	if err != nil {
		return nil, err
	}
	roots, err := rootsOf(caFile)
	if err != nil {
		return nil, err
	}
	return &tls.Config{ServerName: host, RootCAs: roots, MinVersion: tls.VersionTLS12}, nil
}
