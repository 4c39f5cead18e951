package app

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"
)

// certificateFile holds certificate and key in one file, so that a power cut cannot leave one of another
// pair: it is swapped by rename. Older identities have tls.crt and tls.key instead.
const certificateFile = "tls.pem"

const (
	// renewCheck is how often it is looked whether half of the certificate's life is over.
	renewCheck = time.Hour
	// renewRetry is the pause after a failed try; a certificate of 14 days has a week of tries.
	renewRetry = 10 * time.Minute
)

// renewal keeps the certificate of a running gateway alive. Doors do not depend on it: without a valid
// certificate the gateway is offline, and decides by its doors' offline mode.
type renewal struct {
	dir, server, gateway string
	base                 *tls.Config // roots, server name, time
	now                  func() time.Time
	log                  *slog.Logger
	roots                func() *x509.CertPool // the roots believed now; nil = base's
	behind               func() bool           // the certificate is of a root that ends (trust); nil = never
	renewed              func()                // called after each renewal; may be nil
	kick                 chan struct{}         // capacity 1
	current              atomic.Pointer[tls.Certificate]
}

// soon has the certificate renewed at once when it is of a root that ends.
func (r *renewal) soon() {
	select {
	case r.kick <- struct{}{}:
	default:
	}
}

// certificate implements tls.Config.GetClientCertificate: the next connection uses the newest one.
func (r *renewal) certificate(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	return r.current.Load(), nil
}

// due reports whether half of its life is over.
func (r *renewal) due() bool {
	leaf := r.current.Load().Leaf
	if leaf == nil {
		return false
	}
	return r.now().After(leaf.NotBefore.Add(leaf.NotAfter.Sub(leaf.NotBefore) / 2))
}

// run renews from half-life on until ctx ends.
func (r *renewal) run(ctx context.Context) {
	var b [1]byte
	_, _ = rand.Read(b[:])                                          // crypto/rand never fails
	wait := time.Duration(b[0]) * time.Minute / (1 << (8 * len(b))) // gateways that start together do not ask together
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.kick:
		case <-time.After(wait):
		}
		wait = renewCheck
		if !r.due() && (r.behind == nil || !r.behind()) {
			continue
		}
		if err := r.renew(ctx); err != nil && ctx.Err() == nil {
			wait = renewRetry
			r.log.LogAttrs(ctx, slog.LevelWarn, "certificate not renewed, trying again",
				slog.Time("ends", r.current.Load().Leaf.NotAfter), slog.Duration("in", wait), slog.Any("err", err))
		}
	}
}

// renew gets a certificate for a new key. The file is swapped before the certificate is used:
//
//	crash point 1: issued, not stored → the old pair is there, and renews again
//	crash point 2: stored, not used   → used at the next start
func (r *renewal) renew(ctx context.Context) error {
	key, csr, err := newTLSKey(r.gateway)
	if err != nil {
		return err
	}
	cfg := r.base.Clone()
	if r.roots != nil {
		cfg.RootCAs = r.roots()
	}
	cfg.Certificates, cfg.GetClientCertificate = nil, r.certificate
	client := enrolClient(cfg)
	defer client.CloseIdleConnections()
	reply, err := post(ctx, client, r.server, "/1/renew", &keyRequest{CSR: csr})
	if err != nil {
		return err
	}
	pair, err := tls.X509KeyPair([]byte(reply.Cert), key)
	if err != nil {
		return fmt.Errorf("server %s: its certificate is not for the key that was sent: %w", r.server, err)
	}
	if pair.Leaf.Subject.CommonName != r.gateway {
		return fmt.Errorf("server %s: its certificate is for %q", r.server, pair.Leaf.Subject.CommonName)
	}
	if err := replaceFile(r.dir, certificateFile, append([]byte(reply.Cert), key...)); err != nil {
		return fmt.Errorf("store certificate: %w", err)
	}
	r.current.Store(&pair)
	r.log.LogAttrs(ctx, slog.LevelInfo, "certificate renewed", slog.Time("ends", pair.Leaf.NotAfter))
	if r.renewed != nil {
		r.renewed()
	}
	return nil
}
