// Package oidc lets somebody else sign people in, by OpenID Connect: authorisation code with PKCE, state and nonce,
// issuer and audience pinned (RA-3).
//
// It only says who came back. It knows no accounts, makes none and gives no rights; what it cannot check lets nobody
// in. Tokens are looked at once and kept nowhere.
package oidc

import (
	"context"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// timeout bounds each question to the provider: a person waits at the page.
const timeout = 10 * time.Second

// Config names the provider and what it may say.
type Config struct {
	Issuer   string // https://…, exactly as in its tokens
	ClientID string
	Secret   string // "" = a public client
	Redirect string // our page the browser comes back to
	Claim    string // claim that holds the account's login name, e.g. preferred_username
	// StrongAMR are values of `amr` that mean a second factor, e.g. "mfa"; none = it is never believed.
	StrongAMR []string
	Roots     *x509.CertPool // nil = the system's
}

// Attempt ties an answer to its question.
type Attempt struct{ State, Nonce, Verifier string }

// Identity is who came back.
type Identity struct {
	Issuer, Subject, Login string
	Strong                 bool
	At                     time.Time // auth_time; zero = not said
}

// Provider is a provider that is asked when first needed: it may be away when we start. Safe for concurrent use.
type Provider struct {
	cfg    Config
	client *http.Client

	mu    sync.Mutex
	found *oidc.Provider
}

// New checks nothing but its arguments.
func New(cfg Config) (*Provider, error) {
	if cfg.Issuer == "" || cfg.ClientID == "" || cfg.Redirect == "" || cfg.Claim == "" {
		return nil, errors.New("sign-in provider: issuer, client, redirect and claim are all needed")
	}
	tr := &http.Transport{Proxy: http.ProxyFromEnvironment, TLSHandshakeTimeout: timeout, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: cfg.Roots}}
	return &Provider{cfg: cfg, client: &http.Client{Transport: tr, Timeout: timeout}}, nil
}

// provider finds the endpoints, once. go-oidc refuses a document that names another issuer.
func (p *Provider) provider(ctx context.Context) (*oidc.Provider, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.found != nil {
		return p.found, nil
	}
	// Its keys are fetched later with this context: it must not end with the request.
	x, err := oidc.NewProvider(oidc.ClientContext(context.WithoutCancel(ctx), p.client), p.cfg.Issuer)
	if err != nil {
		return nil, fmt.Errorf("sign-in provider %s: %w", p.cfg.Issuer, err)
	}
	p.found = x
	return x, nil
}

func (p *Provider) oauth(x *oidc.Provider) *oauth2.Config {
	scopes := []string{oidc.ScopeOpenID, "profile"}
	if p.cfg.Claim == "email" {
		scopes = append(scopes, "email")
	}
	return &oauth2.Config{ClientID: p.cfg.ClientID, ClientSecret: p.cfg.Secret, Endpoint: x.Endpoint(), RedirectURL: p.cfg.Redirect, Scopes: scopes}
}

// Start gives the address to send the browser to. fresh wants the person to be checked again, now.
func (p *Provider) Start(ctx context.Context, a Attempt, fresh bool) (string, error) {
	x, err := p.provider(ctx)
	if err != nil {
		return "", err
	}
	opts := []oauth2.AuthCodeOption{oidc.Nonce(a.Nonce), oauth2.S256ChallengeOption(a.Verifier)}
	if fresh {
		opts = append(opts, oauth2.SetAuthURLParam("prompt", "login"), oauth2.SetAuthURLParam("max_age", "0"))
	}
	return p.oauth(x).AuthCodeURL(a.State, opts...), nil
}

// Finish trades the code for a token and checks it: signature by the provider's keys, issuer, audience, times, nonce.
// The state was compared by whoever kept it.
func (p *Provider) Finish(ctx context.Context, code string, a Attempt) (Identity, error) {
	if code == "" || a.Nonce == "" || a.Verifier == "" {
		return Identity{}, errors.New("sign-in provider: nothing was asked")
	}
	x, err := p.provider(ctx)
	if err != nil {
		return Identity{}, err
	}
	ctx = oidc.ClientContext(ctx, p.client)
	token, err := p.oauth(x).Exchange(ctx, code, oauth2.VerifierOption(a.Verifier))
	if err != nil {
		var refused *oauth2.RetrieveError
		if errors.As(err, &refused) { // its text holds the provider's whole answer
			return Identity{}, fmt.Errorf("sign-in provider refuses the code: %q, status %d", refused.ErrorCode, refused.Response.StatusCode)
		}
		return Identity{}, fmt.Errorf("sign-in provider: %w", err)
	}
	raw, ok := token.Extra("id_token").(string)
	if !ok {
		return Identity{}, errors.New("sign-in provider sent no identity")
	}
	id, err := x.Verifier(&oidc.Config{ClientID: p.cfg.ClientID}).Verify(ctx, raw)
	if err != nil {
		return Identity{}, fmt.Errorf("sign-in provider's token: %w", err)
	}
	who, err := p.identity(id, a.Nonce)
	if err == nil && who.Login == "" {
		who.Login, err = p.ask(ctx, x, token, who.Subject)
	}
	if err != nil {
		return Identity{}, err
	}
	return who, nil
}

// ask looks for the claim where a provider may keep it instead of the token: at its page about the person, which has
// to be about the same one.
func (p *Provider) ask(ctx context.Context, x *oidc.Provider, token *oauth2.Token, subject string) (string, error) {
	if x.UserInfoEndpoint() == "" {
		return "", nil
	}
	info, err := x.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		return "", fmt.Errorf("sign-in provider's page about the person: %w", err)
	}
	if info.Subject != subject {
		return "", errors.New("sign-in provider's page is about another person")
	}
	var all map[string]any
	if err := info.Claims(&all); err != nil {
		return "", fmt.Errorf("sign-in provider's page about the person: %w", err)
	}
	login, _ := all[p.cfg.Claim].(string)
	if p.cfg.Claim == "email" && !info.EmailVerified {
		return "", nil // anybody can type an address that is not theirs
	}
	return login, nil
}

// identity reads a token whose signature, issuer, audience and times are good.
func (p *Provider) identity(id *oidc.IDToken, nonce string) (Identity, error) {
	if id.Nonce == "" || subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(nonce)) != 1 {
		return Identity{}, errors.New("sign-in provider's token answers another question (nonce)")
	}
	var all map[string]any
	var known struct {
		AMR      []string `json:"amr"`
		AuthTime int64    `json:"auth_time"`
		Party    string   `json:"azp"`
		Verified bool     `json:"email_verified"`
	}
	if err := errors.Join(id.Claims(&all), id.Claims(&known)); err != nil {
		return Identity{}, fmt.Errorf("sign-in provider's token: %w", err)
	}
	if len(id.Audience) > 1 && known.Party != p.cfg.ClientID || known.Party != "" && known.Party != p.cfg.ClientID {
		return Identity{}, errors.New("sign-in provider's token was made for another party (azp)")
	}
	who := Identity{Issuer: id.Issuer, Subject: id.Subject}
	who.Login, _ = all[p.cfg.Claim].(string)
	if p.cfg.Claim == "email" && !known.Verified {
		who.Login = "" // anybody can type an address that is not theirs
	}
	if who.Subject == "" {
		return Identity{}, errors.New("sign-in provider's token names nobody")
	}
	for _, m := range known.AMR {
		who.Strong = who.Strong || slices.Contains(p.cfg.StrongAMR, m)
	}
	if known.AuthTime > 0 {
		who.At = time.Unix(known.AuthTime, 0)
	}
	return who, nil
}
