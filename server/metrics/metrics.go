// Package metrics shows figures of the running server to Prometheus, on a listener of its own that only this machine reaches.
//
// It must never show a name, a number of a person or a card, or a door's state: whoever reads it has no role here. Labels are ids of gateways and
// items of the self-test.
package metrics

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Gateway is what is shown of one gateway.
type Gateway struct {
	ID              string
	Linked          bool
	LastSeen        time.Time // zero: never
	Pending         uint64    // records that it has not got an ack for, as it told last
	CertificateEnds time.Time // zero: it has none
}

// Figures are those of one moment.
type Figures struct {
	At              time.Time
	Leaves          uint64
	OpenFindings    int
	InDoubt         bool // the database is not what was last signed
	SigningFails    bool // checkpoints are not signed, such as without the signer
	CertificateEnds time.Time
	DiskFree        uint64    // bytes, where the database lies
	Backup          time.Time // the newest; zero: none
	SelfTest        time.Time // the newest; zero: none
	Failed          map[string]bool
	Gateways        []Gateway
}

// Source makes the figures; it is asked once a scrape.
type Source func(ctx context.Context) (Figures, error)

// series are all that there is, with the words that Prometheus shows.
var series = map[string]*prometheus.Desc{}

func desc(name, help string, labels ...string) *prometheus.Desc {
	d := prometheus.NewDesc("monban_"+name, help, labels, nil)
	series["monban_"+name] = d
	return d
}

var (
	leaves      = desc("log_leaves", "Leaves of the entry log.")
	doubt       = desc("log_in_doubt", "1 while the database is not what was last signed.")
	signing     = desc("signing_failed", "1 while checkpoints cannot be signed.")
	findings    = desc("findings_open", "Findings that wait for a person.")
	certificate = desc("certificate_end_seconds", "When the server's certificate for gateways ends, seconds since 1970.")
	disk        = desc("disk_free_bytes", "Free room where the database lies.")
	backup      = desc("backup_time_seconds", "When the newest backup was made, seconds since 1970; no value without one.")
	selftest    = desc("selftest_time_seconds", "When the newest self-test was made, seconds since 1970; no value without one.")
	failed      = desc("selftest_failed", "1 for an item of the newest self-test that failed.", "item")
	linked      = desc("gateway_linked", "1 while the gateway is heard.", "gateway")
	heard       = desc("gateway_heard_seconds", "When the gateway was heard last, seconds since 1970; no value if never.", "gateway")
	pending     = desc("gateway_pending_records", "Records that wait at the gateway, as it told last.", "gateway")
	device      = desc("gateway_certificate_end_seconds", "When the gateway's certificate ends, seconds since 1970; no value without one.", "gateway")
)

// Handler serves /metrics. A source that fails answers 500: Prometheus then shows the target as down, which it is.
func Handler(source Source) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, rq *http.Request) {
		f, err := source(rq.Context())
		if err != nil {
			http.Error(w, "figures cannot be read: see the journal", http.StatusInternalServerError)
			return
		}
		reg := prometheus.NewRegistry()
		reg.MustRegister(figures(f), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
		promhttp.HandlerFor(reg, promhttp.HandlerOpts{}).ServeHTTP(w, rq)
	})
	return mux
}

// figures implements prometheus.Collector.
type figures Figures

// Describe names every series.
func (figures) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range series {
		ch <- d
	}
}

// Collect gives the values.
func (f figures) Collect(ch chan<- prometheus.Metric) {
	put := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	at := func(d *prometheus.Desc, t time.Time, labels ...string) {
		if !t.IsZero() {
			put(d, float64(t.Unix()), labels...)
		}
	}
	put(leaves, float64(f.Leaves))
	put(doubt, one(f.InDoubt))
	put(signing, one(f.SigningFails))
	put(findings, float64(f.OpenFindings))
	put(disk, float64(f.DiskFree))
	at(certificate, f.CertificateEnds)
	at(backup, f.Backup)
	at(selftest, f.SelfTest)
	for item, bad := range f.Failed {
		put(failed, one(bad), item)
	}
	for _, g := range f.Gateways {
		put(linked, one(g.Linked), g.ID)
		put(pending, float64(g.Pending), g.ID)
		at(heard, g.LastSeen, g.ID)
		at(device, g.CertificateEnds, g.ID)
	}
}

func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
