package outbox

import (
	"context"
	"path/filepath"
	"testing"
)

// One record at a time, as a lone badge: append to durable.
func BenchmarkAppendSingle(b *testing.B) {
	o, err := Open(testConfig(filepath.Join(b.TempDir(), "outbox.db")))
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan struct{})
	go func() { o.Run(ctx); close(ended) }()
	done := make(chan Result, 1)
	private := make([]byte, 300)
	for b.Loop() {
		o.Append(Entry{Record: record("bench"), Private: private, Done: func(r Result) { done <- r }})
		if r := <-done; r.Err != nil {
			b.Fatal(r.Err)
		}
	}
	cancel()
	<-ended
	if err := o.Close(); err != nil {
		b.Fatal(err)
	}
}

// Opening walks the whole chain: 50,000 records.
func BenchmarkOpen50k(b *testing.B) {
	cfg := testConfig(filepath.Join(b.TempDir(), "outbox.db"))
	o, err := Open(cfg)
	if err != nil {
		b.Fatal(err)
	}
	for range 50 {
		for range batchLimit {
			o.Append(Entry{Record: record("bench"), Private: make([]byte, 300), Done: func(r Result) {
				if r.Err != nil {
					b.Error(r.Err)
				}
			}})
		}
		o.drain()
	}
	for b.Loop() {
		if err := o.Close(); err != nil {
			b.Fatal(err)
		}
		if o, err = Open(cfg); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(o.Stat().Used)/50_001, "file-B/record")
	if err := o.Close(); err != nil {
		b.Fatal(err)
	}
}
