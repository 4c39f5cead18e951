// Package app wires the server process: site, broker, link, authority, ingest and pages. It decides
// nothing and is the only place that knows all of them.
//
// It cannot present a card to a reader and does not import server/world (D30): the only way to an
// unlock goes through a gateway's signed question.
package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	_ "time/tzdata" // a server without the system's table still counts days in the site's zone

	"monban/firmware/access"
	"monban/server/attempt"
	"monban/server/authority"
	"monban/server/broker"
	"monban/server/ca"
	"monban/server/config"
	"monban/server/directory"
	"monban/server/downlink"
	"monban/server/ingest"
	"monban/server/jobs"
	"monban/server/ldap"
	"monban/server/notify"
	"monban/server/policypub"
	"monban/server/review"
	"monban/server/signer"
	"monban/server/store"
	"monban/server/web"
)

// App is one running server.
type App struct {
	site       *Site
	log        *slog.Logger
	out        io.Writer
	pub        *policypub.Publisher
	broker     *broker.Broker // nil with an external one
	downlink   *downlink.Downlink
	ingest     *ingest.Pipeline
	authority  *authority.Authority
	stateAt    time.Time // of the goroutine of watchPlaces
	health     *health
	pages      *web.Handler
	orders     *commands
	visits     *Visits
	registry   *Registry
	rehearsals *rehearsePages
	alerts     *notify.Notifier
	reports    *reportPages
	proofs     *verificationPages
	packs      *packPages
	desks      *desks
	muster     *musterCopy // nil = none is made
	outside    *outside
	jobs       *jobs.Runner
	risen      *risenTeller
	breaches   *breachTeller
	retain     *Retainer
	http       *http.Server
	listener   net.Listener
	verifiers  *verifiers
	directory  *ldap.Directory // nil: there is none

	figures         *http.Server // nil: no /metrics
	figuresListener net.Listener

	enrol         *http.Server // nil: no gateway enrols or renews here
	enrolListener net.Listener
	granting      sync.Mutex // one identity at a time

	rollouts        *rollouts
	updates         *http.Server // nil: no gateway fetches releases here
	updatesListener net.Listener

	began time.Time                    // when this process began to listen
	told  map[access.GatewayID]silence // watchPlaces'
	// thresholds are what the rules over time count by until the next start.
	thresholds review.Settings
	// looks are looks at what other numbers would have found.
	looks *previews

	endSaid int // keepUp's: the limit, in days, of which a finding was made last

	findings sync.WaitGroup // writers of the link's findings
	writing  atomic.Int32   // how many there are
}

// New opens the site and takes its ports; it serves after Run. Errors are one line each; on an error
// nothing stays open.
func New(ctx context.Context, cfg *config.Config, log *slog.Logger, out io.Writer) (*App, error) {
	a := &App{log: log, out: out, began: time.Now(), told: map[access.GatewayID]silence{}}
	if err := a.open(ctx, cfg); err != nil {
		return nil, errors.Join(err, a.close())
	}
	return a, nil
}

// open takes everything that Run needs. What it has taken when it fails is given back by close.
func (a *App) open(ctx context.Context, cfg *config.Config) (err error) {
	// The pages' port first: it is the one that is most likely taken, and nothing has been touched yet.
	if a.listener, err = listen(ctx, cfg.HTTP.Listen); err != nil {
		return err
	}
	if a.site, err = OpenSite(cfg, time.Now(), a.log); err != nil {
		return err
	}
	a.retain = a.site.Retainer()
	later, err := a.retain.Resume(ctx)
	if err != nil {
		return fmt.Errorf("retention: %w", err)
	}
	if later != nil {
		a.log.LogAttrs(ctx, slog.LevelError, "a disposal was not brought to its end; it is tried again each night", slog.Any("err", later))
	}
	if err := a.retain.tellLost(ctx, a.log, cfg.Path(keyStoreFile)); err != nil {
		return err
	}
	if a.pub, err = a.site.publisher(); err != nil {
		return err
	}
	a.retain.dropped = a.pub.Reload
	if err := a.pub.Reload(ctx); err != nil {
		return fmt.Errorf("publish policy: %w", err)
	}
	if err := a.findDoubt(ctx); err != nil {
		return err
	}
	since, err := a.site.newest(ctx)
	if err != nil {
		return err
	}
	a.health = newHealth(since)
	if err := a.health.load(ctx, a.site.Store, a.pub.Site().Directory().Gateways); err != nil {
		return err
	}
	a.ingest = ingest.New(a.pub, cfg.Location())
	if err := a.openPlaces(ctx); err != nil {
		return err
	}
	address := cfg.MQTT.BrokerURL
	if address == "" {
		if a.broker, err = a.newBroker(cfg); err != nil {
			return err
		}
		address = "tls://" + a.broker.Addr()
	}
	if a.downlink, err = a.newDownlink(cfg, address); err != nil {
		return err
	}
	if err := a.openEnrolment(ctx, cfg); err != nil {
		return err
	}
	if a.rollouts, err = newRollouts(ctx, a); err != nil {
		return err
	}
	if err := a.openUpdates(ctx, cfg); err != nil {
		return err
	}
	if err := openRequests(cfg.Path(requestDir)); err != nil {
		return err
	}
	return a.newPages(ctx, cfg)
}

// findDoubt makes a finding of a database that is not what was last signed, once while it is open.
func (a *App) findDoubt(ctx context.Context) error {
	cause := inDoubt(a.site.Store)
	if cause == nil {
		return nil
	}
	a.log.LogAttrs(ctx, slog.LevelError, "the log is in doubt: nothing is signed, answered or acknowledged; see docs/operations.md, Restore", slog.Any("err", cause))
	return a.site.Store.Write(ctx, func(tx *store.Tx) error {
		f := review.New(review.LogDoubt, review.NoCause)
		open, err := tx.OpenFinding(string(f.Kind), "", "", "start")
		if err != nil || open {
			return err
		}
		_, err = tx.AppendFinding(attempt.Finding{
			Kind: string(f.Kind), Severity: f.Severity.String(), Cause: f.Cause, Detail: "start", AtMS: time.Now().UnixMilli(),
		}, nil)
		return err
	})
}

// listen takes a TCP port; an error names it.
func listen(ctx context.Context, address string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("pages cannot listen on %s: %w (is another server running? set [http] listen to a free port)", address, unwrapped(err))
	}
	return l, nil
}

func unwrapped(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}

func (a *App) newBroker(cfg *config.Config) (*broker.Broker, error) {
	dir := cfg.MQTT.RuntimeDir
	if dir == "" {
		dir = cfg.Path("run")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("broker's directory: %w", err)
	}
	return broker.New(broker.Config{
		Listen: cfg.MQTT.Listen, Site: cfg.Site, Server: ca.ServerName, TLS: a.site.CA.ServerTLS(), RuntimeDir: dir,
		MaxGateways: cfg.MQTT.MaxGateways, AlertReaders: cfg.MQTT.AlertReaders, Denied: a.site.CA.Denied, Log: a.log,
		Finding: func(kind broker.Finding, name string) {
			a.log.LogAttrs(context.Background(), slog.LevelWarn, "broker finding", slog.String("kind", string(kind)), slog.String("name", name))
		},
	})
}

func (a *App) newDownlink(cfg *config.Config, address string) (*downlink.Downlink, error) {
	a.verifiers = newVerifiers(a.site)
	sign, err := a.site.Signer.NoteSigner(signer.RoleLink)
	if err != nil {
		return nil, err
	}
	order, err := a.site.Signer.NoteSigner(signer.RoleCommand)
	if err != nil {
		return nil, err
	}
	seen, err := newWitnesses(a.site, a.log)
	if err != nil {
		return nil, err
	}
	return downlink.New(downlink.Config{
		Site: cfg.Site, Broker: address, TLS: a.site.CA.ClientTLS(""), Name: ca.ServerName,
		Signer: sign, Command: order, Keys: string(a.site.keysNote),
		Authority: &answers{store: a.site.Store, authority: a.authority},
		Ingest:    &batches{a.site.Store, a.ingest, a.health},
		Health:    listening{a}, Policies: policies{a.pub, a.site.Store}, Gateways: a.verifiers, Witnesses: seen,
		AskTimeout: cfg.Ask.Timeout.Std(), AskWorkers: cfg.Ask.Workers, MaxGateways: cfg.MQTT.MaxGateways, Log: a.log,
	})
}

func (a *App) newPages(ctx context.Context, cfg *config.Config) error {
	people := accounts{a.site.Store}
	a.visits = newVisits(a.pub, a.site.Store, time.Now, a.log)
	p := &pages{
		store: a.site.Store, health: a.health, now: time.Now, log: a.log, begins: newZoneBegins(),
		certificates: a.site.CA.GatewayEnds, validity: cfg.CA.DeviceValidity.Std(),
		directory: func() directory.Snapshot { return *a.pub.Site().Directory() },
		occupied:  a.authority.Places().Occupied,
		versions: func(gw access.GatewayID) web.Versions {
			v, _ := a.pub.Versions(gw) // a gateway without a policy has version 0 of all
			return web.Versions(v)
		},
	}
	if err := a.openMetrics(ctx, cfg, p); err != nil {
		return err
	}
	a.registry = newRegistry(a.site.Store, a.pub, func() directory.CardMaker { return a.site.Keys }, time.Now)
	a.orders = &commands{
		store: a.site.Store, health: a.health, directory: p.directory, link: a.downlink, now: time.Now, log: a.log, pages: p, wait: answerWait,
	}
	if cfg.Signer.Socket != "" {
		a.orders.approve = approver{a.site.Store, a.site.Signer}.show
	}
	second := factors{store: a.site.Store, key: a.site.Keys.Derive("monban one-time codes"), person: func(id string) bool {
		return slices.ContainsFunc(a.pub.Site().Directory().People, func(p directory.Person) bool { return string(p.ID) == id })
	}}
	public := a.publicURL(cfg)
	if err := a.warnPasskeys(ctx, public); err != nil {
		return err
	}
	if err := a.openAlerts(cfg, public); err != nil {
		return err
	}
	var err error
	if a.outside, err = newOutside(a.site, a.log, time.Now); err != nil {
		return err
	}
	a.risen = &risenTeller{store: a.site.Store, alerts: a.alerts, directory: func() *directory.Snapshot { return a.pub.Site().Directory() }, now: time.Now}
	a.breaches = &breachTeller{visits: a.visits, alerts: a.alerts}
	if err := a.openJobs(cfg); err != nil {
		return err
	}
	outside, err := openProvider(cfg.OIDC, public)
	if err != nil {
		return err
	}
	if a.directory, err = openDirectory(cfg.LDAP); err != nil {
		return err
	}
	var city web.Directory
	if a.directory != nil {
		city = a.directory
	}
	reg := &apiRegistry{p, a.registry, a.visits}
	files := &peoplePages{reg, &ZoneDesk{Store: a.site.Store, Places: a.authority.Places(), Site: a.pub.Site, Now: time.Now}}
	drafts := &importPages{registry: a.registry, now: time.Now}
	a.looks = newPreviews(a.site.Store, a.ingest, time.Now, a.log)
	a.rehearsals = newRehearsePages(a.registry, drafts, people, a.pub.Site, a.log)
	a.reports = openReports(ctx, cfg.Path(reportDir), p)
	if a.proofs, err = newVerificationPages(a.site, p); err != nil {
		return err
	}
	a.packs = openPacks(ctx, a.site, p, a.proofs.out)
	a.retain.gone = a.dropFiles
	if a.muster, err = openMuster(p, a.pub, cfg, a.site.Keys.Derive("monban muster code")); err != nil {
		return err
	}
	a.pages, err = web.New(web.Config{
		Site: cfg.Site, Zone: cfg.Location(), ZoneName: cfg.TimeZone, TLS: cfg.HTTP.TLSCert != "",
		Idle: cfg.Session.Idle.Std(), Absolute: cfg.Session.Absolute.Std(), Throttle: throttle(cfg.Login), Log: a.log,
		SecondFactor: rolesOf(cfg.Login.SecondFactorRoles), PasswordStepUp: cfg.Login.PasswordStepUp, StepUp: cfg.Session.StepUp.Std(), PublicURL: public,
		Provider: outside, Directory: city,
	}, web.Sources{
		Rules:   &rulePages{a.registry},
		Visits:  a.visits,
		Imports: drafts, Rehearsals: a.rehearsals, Recertifications: &rulePages{a.registry},
		Factors: second, Requests: second,
		Setup: people, Accounts: people, Sessions: people, Audit: people,
		Overviews: p, Log: p, Findings: p, Machines: p, Live: p, Commands: a.orders,
		Judge: &judge{current: a.pub.Site, pages: p}, Privacy: &privacyPages{a.registry, cfg.Site}, Retention: &retainPages{a.retain}, Tokens: people, Registry: reg, Registers: p, Reports: a.reports, Reviews: p, Corrections: a.visits, Incidents: &incidents{p, a.visits}, DataRequests: &dataRequests{a.visits, a.retain}, Outages: &outages{a.visits, p.health}, Cases: p,
		Startup: &startupPages{a, p}, Verification: a.proofs, Packs: a.packs, Rollouts: rolloutPages{a.rollouts},
		People: files, Rights: &rightsPages{files},
		Desks:      a.desks,
		Alerts:     &alertPages{store: a.site.Store, pages: p, alerts: a.alerts, cfg: &cfg.Alerts, now: time.Now, wait: testWait},
		Threats:    &threatPages{a.site.Store},
		Thresholds: &thresholdPages{a.site.Store, a.thresholds, cfg.Thresholds(), a.looks},
	})
	if err != nil {
		return err
	}
	a.http = web.NewServer(a.pages, a.log)
	if cfg.HTTP.TLSCert != "" {
		pair, err := tls.LoadX509KeyPair(cfg.HTTP.TLSCert, cfg.HTTP.TLSKey)
		if err != nil {
			return fmt.Errorf("%s: is not a certificate with its key %s: %w", cfg.HTTP.TLSCert, cfg.HTTP.TLSKey, err)
		}
		a.http.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}
	}
	return nil
}

// throttle is the configuration's limit as token buckets: an account has Tries, and gets them back over
// the longer of Window and Lockout. An address gets four times that, as several people share one
// behind a counter.
func throttle(l config.Login) web.Throttle {
	t := web.DefaultThrottle
	t.AccountBurst, t.AddressBurst = l.Tries, 4*l.Tries
	t.AccountEvery = max(l.Window.Std(), l.Lockout.Std()) / time.Duration(l.Tries)
	return t
}

// Registry gives the directory's service to pages.
func (a *App) Registry() *Registry { return a.registry }
