// Package witness has a witness of another house cosign this log's checkpoints: C2SP tlog-witness (add-checkpoint), over HTTP or
// by files that somebody carries. The rule by which a witness cosigns is firmware/witness; what comes back is checked here and
// kept by the caller.
//
// It believes nothing that is not signed by the witness's key, but for the sizes in refusals, which TLS vouches for: they only ever
// make the log prove more, or stop.
package witness

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	cosign "monban/firmware/witness"
)

// What a witness says no with.
var (
	// ErrUnknownLog is 404: the witness does not know this log's origin.
	ErrUnknownLog = errors.New("the witness does not know this log: give its operator the line of keys/log.vkey")
	// ErrForbidden is 403: it knows the origin, and not this key.
	ErrForbidden = errors.New("the witness does not know this log's key: give its operator the line of keys/log.vkey")
	// ErrProof is 422, or another root of the same size: the witness holds another log than this one. It is the finding log_fork.
	ErrProof = errors.New("the witness holds a checkpoint that this log does not extend")
	// ErrRefused is every other answer that trying again does not mend.
	ErrRefused = errors.New("the witness refuses the request")
	// ErrUnavailable says that nothing is known to be wrong: no answer, or one that says "later".
	ErrUnavailable = errors.New("the witness does not answer")
	// ErrCosignature says that the witness answered, and not with a valid cosignature of its key.
	ErrCosignature = errors.New("the answer holds no valid cosignature of the witness's key")
)

// Conflict is 409: the witness holds a checkpoint of this many leaves, and the proof must begin there.
type Conflict struct{ Size int64 }

func (c *Conflict) Error() string {
	return fmt.Sprintf("the witness holds a checkpoint of %d leaves", c.Size)
}

const (
	// timeout of one request: a witness has one row to write.
	timeout = 20 * time.Second
	// mostAnswer bytes are read of an answer; cosignatures are some 150 bytes each.
	mostAnswer = 16 << 10
	// mostProof hashes are in a proof (tlog-witness): enough for 2^63 leaves.
	mostProof = 63
	// sizeType is the content type of a 409.
	sizeType = "text/x.tlog.size"
)

// Config is one witness.
type Config struct {
	VKey   string // verifier key, cosignature/v1
	URL    string // submission prefix, https://…; "" = by files only
	CAFile string // PEM file of who signs its certificate; "" = the system's
	Pin    string // SHA-256, hex, of its certificate's public key; "" = any that the CA signed
}

// Client asks one witness.
type Client struct {
	url  string
	key  *cosign.Verifier
	vkey string
	http *http.Client
}

// New checks the configuration of a witness.
func New(c Config) (*Client, error) {
	key, err := cosign.NewVerifier(c.VKey)
	if err != nil {
		return nil, err
	}
	out := &Client{url: strings.TrimSuffix(c.URL, "/"), key: key, vkey: c.VKey}
	if c.URL == "" {
		return out, nil
	}
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("witness %s: ca_file: %w", key.Name(), err)
		}
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("witness %s: ca_file %s holds no certificate", key.Name(), c.CAFile)
		}
	}
	if c.Pin != "" {
		want, err := hex.DecodeString(c.Pin)
		if err != nil || len(want) != sha256.Size {
			return nil, fmt.Errorf("witness %s: pin: want 64 hex digits", key.Name())
		}
		conf.VerifyConnection = func(s tls.ConnectionState) error { // after the chain was checked
			sum := sha256.Sum256(s.PeerCertificates[0].RawSubjectPublicKeyInfo)
			if !bytes.Equal(sum[:], want) {
				return fmt.Errorf("the certificate has the public key %x, not the one that pin names", sum)
			}
			return nil
		}
	}
	out.http = &http.Client{
		Timeout:   timeout,
		Transport: &http.Transport{TLSClientConfig: conf, Proxy: http.ProxyFromEnvironment, TLSHandshakeTimeout: timeout, ForceAttemptHTTP2: true},
		// A witness is where it was said to be: what answers elsewhere is another one.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return out, nil
}

// Name is that of the witness's key.
func (c *Client) Name() string { return c.key.Name() }

// VKey is its verifier key.
func (c *Client) VKey() string { return c.vkey }

// Online reports whether it is asked over HTTP.
func (c *Client) Online() bool { return c.http != nil }

// Request is the body of an add-checkpoint: the checkpoint with the log's own signature and the proof that it extends the tree of
// old leaves; nil when old is 0 or the checkpoint's own size.
func Request(old int64, proof tlog.TreeProof, signed string) ([]byte, error) {
	if len(proof) > mostProof {
		return nil, fmt.Errorf("a proof of %d hashes, at most %d fit", len(proof), mostProof)
	}
	b := append([]byte("old "), strconv.FormatInt(old, 10)...)
	b = append(b, '\n')
	for _, h := range proof {
		b = base64.StdEncoding.AppendEncode(b, h[:])
		b = append(b, '\n')
	}
	return append(append(b, '\n'), signed...), nil
}

// Add asks for a cosignature and gives the checkpoint with it behind the log's signature. Errors are those above, or a *Conflict.
func (c *Client) Add(ctx context.Context, old int64, proof tlog.TreeProof, signed string) (string, error) {
	if c.http == nil {
		return "", fmt.Errorf("%w: it has no url", ErrUnavailable)
	}
	body, err := Request(old, proof, signed)
	if err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+"/add-checkpoint", bytes.NewReader(body))
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrRefused, err)
	}
	req.Header.Set("Content-Type", "text/plain; charset=utf-8")
	res, err := c.http.Do(req)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, mostAnswer))
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	switch {
	case res.StatusCode == http.StatusOK:
		return c.Cosigned(signed, string(answer))
	case res.StatusCode == http.StatusNotFound:
		return "", ErrUnknownLog
	case res.StatusCode == http.StatusForbidden:
		return "", ErrForbidden
	case res.StatusCode == http.StatusUnprocessableEntity:
		return "", ErrProof
	case res.StatusCode == http.StatusConflict:
		return "", conflict(res.Header.Get("Content-Type"), string(answer), old)
	case res.StatusCode == http.StatusTooManyRequests || res.StatusCode >= 500:
		return "", fmt.Errorf("%w: it answers %d", ErrUnavailable, res.StatusCode)
	}
	return "", fmt.Errorf("%w: it answers %d", ErrRefused, res.StatusCode)
}

// conflict reads a 409.
func conflict(kind, body string, old int64) error {
	text, whole := strings.CutSuffix(body, "\n")
	size, err := strconv.ParseInt(text, 10, 64)
	if kind, _, _ := strings.Cut(kind, ";"); strings.TrimSpace(kind) != sizeType || !whole || err != nil || size < 0 || strconv.FormatInt(size, 10) != text {
		return fmt.Errorf("%w: it answers 409 without a size", ErrRefused)
	}
	if size == old { // it holds what the request began at, and another root of it
		return ErrProof
	}
	return &Conflict{Size: size}
}

// Cosigned gives the checkpoint with this witness's line out of an answer: signature lines alone, or a whole note with them. Lines
// of others are left out.
func (c *Client) Cosigned(signed, answer string) (string, error) {
	if text, sigs, ok := strings.Cut(answer, "\n\n"); ok {
		own, _, _ := strings.Cut(signed, "\n\n")
		if text != own {
			return "", fmt.Errorf("%w: it is of another checkpoint", ErrCosignature)
		}
		answer = sigs
	}
	for line := range strings.Lines(answer) {
		if !strings.HasPrefix(line, "— "+c.key.Name()+" ") || !strings.HasSuffix(line, "\n") {
			continue
		}
		whole := signed + line
		n, err := note.Open([]byte(whole), note.VerifierList(c.key))
		if err != nil || len(n.Sigs) != 1 {
			continue
		}
		if seconds, ok := c.key.Seconds(whole); ok && seconds > 0 { // a log's cosignature has a time
			return whole, nil
		}
	}
	return "", ErrCosignature
}
