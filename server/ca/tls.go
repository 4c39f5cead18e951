package ca

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
)

// ErrDenied is the handshake's error for a certificate on the deny list.
var ErrDenied = errors.New("certificate is on the deny list")

// ServerTLS is for the broker's listener: TLS 1.3, a client certificate of this site is required,
// and one on the deny list is refused inside the handshake, before any parser sees a byte.
func (c *CA) ServerTLS() *tls.Config {
	return c.newest(func(s *certs) *tls.Config {
		return &tls.Config{
			Certificates: []tls.Certificate{s.server},
			MinVersion:   tls.VersionTLS13,
			ClientAuth:   tls.RequireAndVerifyClientCert,
			ClientCAs:    s.pool(),
			// VerifyConnection and not VerifyPeerCertificate: it runs on resumed sessions too.
			VerifyConnection: c.checkPeer,
			// No tickets: a resumed session would outlive the certificate check for days.
			SessionTicketsDisabled: true,
		}
	})
}

// newest gives a configuration that each connection makes again from the certificates of its moment.
func (c *CA) newest(build func(*certs) *tls.Config) *tls.Config {
	cfg := build(c.held())
	cfg.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return build(c.held()), nil }
	return cfg
}

// ClientTLS is for the server's own MQTT client. serverName is the name or address that the
// broker's certificate must bear; empty means the server's own.
func (c *CA) ClientTLS(serverName string) *tls.Config {
	if serverName == "" {
		serverName = ServerName
	}
	return &tls.Config{
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &c.held().server, nil },
		MinVersion:           tls.VersionTLS13,
		RootCAs:              c.held().pool(),
		ServerName:           serverName,
	}
}

func (s *certs) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(s.root)
	if s.next != nil {
		p.AddCert(s.next.root)
	}
	return p
}

func (c *CA) checkPeer(cs tls.ConnectionState) error {
	if len(cs.PeerCertificates) == 0 {
		return errors.New("no client certificate")
	}
	leaf := cs.PeerCertificates[0]
	return c.admits(leaf.Subject.CommonName, leaf.SerialNumber.Text(16))
}
