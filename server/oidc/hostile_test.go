package oidc

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// fake is a provider that says what a test tells it to.
type fake struct {
	*httptest.Server
	key    *ecdsa.PrivateKey
	signer *ecdsa.PrivateKey // what it really signs with
	alg    jose.SignatureAlgorithm
	issuer string // what its document says
	claims func(map[string]any)
	nonce  string
	person map[string]any // what its page about the person says; nil = it has none
	// challenge is what the browser brought; it is held against the verifier.
	challenge string
}

func newFake(t *testing.T) *fake {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{key: key, signer: key, alg: jose.ES256}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		userinfo := ""
		if f.person != nil {
			userinfo = f.URL + "/userinfo"
		}
		_ = json.NewEncoder(w).Encode(map[string]any{
			"issuer": f.issuer, "userinfo_endpoint": userinfo, "authorization_endpoint": f.URL + "/auth", "token_endpoint": f.URL + "/token", "jwks_uri": f.URL + "/keys",
			"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"}, "id_token_signing_alg_values_supported": []string{"ES256"},
		})
	})
	mux.HandleFunc("GET /userinfo", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(f.person)
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: f.key.Public(), KeyID: "k", Algorithm: "ES256", Use: "sig"}}})
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		sum := sha256.Sum256([]byte(r.PostForm.Get("code_verifier")))
		w.Header().Set("Content-Type", "application/json")
		if base64.RawURLEncoding.EncodeToString(sum[:]) != f.challenge {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(`{"error":"invalid_grant"}`))
			return
		}
		claims := map[string]any{"iss": f.URL, "sub": "subject-1", "aud": "monban", "exp": time.Now().Add(time.Minute).Unix(), "iat": time.Now().Unix(),
			"nonce": f.nonce, "preferred_username": "sakiyama", "amr": []string{"pwd"}}
		if f.claims != nil {
			f.claims(claims)
		}
		payload, _ := json.Marshal(claims)
		sig, err := jose.NewSigner(jose.SigningKey{Algorithm: f.alg, Key: jose.JSONWebKey{Key: f.signingKey(), KeyID: "k"}}, nil)
		if err != nil {
			t.Error(err)
			return
		}
		obj, err := sig.Sign(payload)
		if err != nil {
			t.Error(err)
			return
		}
		raw, _ := obj.CompactSerialize()
		_ = json.NewEncoder(w).Encode(map[string]any{"access_token": "a", "token_type": "Bearer", "id_token": raw})
	})
	f.Server = httptest.NewServer(mux)
	f.issuer = f.URL
	t.Cleanup(f.Close)
	return f
}

func (f *fake) signingKey() any {
	if f.alg == jose.HS256 {
		return []byte("a secret of thirty-two characters")
	}
	return f.signer
}

func (f *fake) provider(t *testing.T, change func(*Config)) *Provider {
	t.Helper()
	cfg := Config{Issuer: f.URL, ClientID: "monban", Secret: "s", Redirect: "https://monban.test/login/provider/back", Claim: "preferred_username", StrongAMR: []string{"mfa"}}
	if change != nil {
		change(&cfg)
	}
	p, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var attempt = Attempt{State: "state-1", Nonce: "nonce-1", Verifier: strings.Repeat("v", 52)}

// round goes to the provider and back, as a browser would.
func (f *fake) round(t *testing.T, p *Provider, fresh bool) (Identity, error) {
	t.Helper()
	to, err := p.Start(t.Context(), attempt, fresh)
	if err != nil {
		return Identity{}, err
	}
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	f.challenge, f.nonce = q.Get("code_challenge"), q.Get("nonce")
	if q.Get("state") != attempt.State || q.Get("code_challenge_method") != "S256" || q.Get("response_type") != "code" || !strings.Contains(q.Get("scope"), "openid") {
		t.Errorf("question %v", q)
	}
	if fresh != (q.Get("prompt") == "login" && q.Get("max_age") == "0") {
		t.Errorf("fresh %v: question %v", fresh, q)
	}
	return p.Finish(t.Context(), "code", attempt)
}

// RA-3: whatever a token is that was not made for this question, by this provider, for us, now, lets nobody in.
func TestHostileTokens(t *testing.T) {
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*fake)
		want   string
	}{
		"another nonce":                     {func(f *fake) { f.claims = func(m map[string]any) { m["nonce"] = "other" } }, "nonce"},
		"no nonce":                          {func(f *fake) { f.claims = func(m map[string]any) { delete(m, "nonce") } }, "nonce"},
		"another issuer":                    {func(f *fake) { f.claims = func(m map[string]any) { m["iss"] = "https://evil.example" } }, "issued by a different provider"},
		"another audience":                  {func(f *fake) { f.claims = func(m map[string]any) { m["aud"] = "other" } }, "audience"},
		"two audiences, no azp":             {func(f *fake) { f.claims = func(m map[string]any) { m["aud"] = []string{"monban", "other"} } }, "azp"},
		"another party":                     {func(f *fake) { f.claims = func(m map[string]any) { m["azp"] = "other" } }, "azp"},
		"expired":                           {func(f *fake) { f.claims = func(m map[string]any) { m["exp"] = time.Now().Add(-time.Minute).Unix() } }, "expired"},
		"no subject":                        {func(f *fake) { f.claims = func(m map[string]any) { m["sub"] = "" } }, "nobody"},
		"another key":                       {func(f *fake) { f.signer = stranger }, "signature"},
		"an algorithm with a shared secret": {func(f *fake) { f.alg = jose.HS256 }, "token"},
		"a document of another issuer":      {func(f *fake) { f.issuer = "https://evil.example" }, "issuer"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			c.change(f)
			who, err := f.round(t, f.provider(t, nil), false)
			if err == nil || !strings.Contains(err.Error(), c.want) || who != (Identity{}) {
				t.Errorf("%+v, %v; want an error with %q", who, err, c.want)
			}
		})
	}
}

// RA-3: PKCE: a code that was stolen on its way is worth nothing without what only we know.
func TestStolenCode(t *testing.T) {
	f := newFake(t)
	p := f.provider(t, nil)
	if _, err := f.round(t, p, false); err != nil {
		t.Fatal(err)
	}
	other := attempt
	other.Verifier = strings.Repeat("w", 52)
	if _, err := p.Finish(t.Context(), "code", other); err == nil || !strings.Contains(err.Error(), "invalid_grant") {
		t.Errorf("with another verifier: %v", err)
	}
	for _, bad := range []Attempt{{}, {Nonce: "nonce-1"}, {Verifier: attempt.Verifier}} {
		if _, err := p.Finish(t.Context(), "code", bad); err == nil {
			t.Errorf("%+v lets somebody in", bad)
		}
	}
}

// What a good token says, and what is not believed.
func TestIdentity(t *testing.T) {
	f := newFake(t)
	who, err := f.round(t, f.provider(t, nil), false)
	if err != nil || who.Subject != "subject-1" || who.Login != "sakiyama" || who.Strong || !who.At.IsZero() || who.Issuer != f.URL {
		t.Errorf("%+v, %v", who, err)
	}
	at := time.Now().Add(-time.Minute).Unix()
	f.claims = func(m map[string]any) { m["amr"], m["auth_time"] = []string{"pwd", "mfa"}, at }
	if who, err = f.round(t, f.provider(t, nil), true); err != nil || !who.Strong || who.At.Unix() != at {
		t.Errorf("%+v, %v", who, err)
	}
	if who, err = f.round(t, f.provider(t, func(c *Config) { c.StrongAMR = nil }), true); err != nil || who.Strong {
		t.Errorf("believed without having been told to: %+v, %v", who, err)
	}
	byMail := func(c *Config) { c.Claim = "email" }
	f.claims = func(m map[string]any) { m["email"] = "sakiyama@city.example" }
	if who, err = f.round(t, f.provider(t, byMail), false); err != nil || who.Login != "" {
		t.Errorf("an address nobody checked: %+v, %v", who, err)
	}
	f.claims = func(m map[string]any) { m["email"], m["email_verified"] = "sakiyama@city.example", true }
	if who, err = f.round(t, f.provider(t, byMail), false); err != nil || who.Login != "sakiyama@city.example" {
		t.Errorf("%+v, %v", who, err)
	}
	without := func(m map[string]any) { delete(m, "preferred_username") }
	f.claims = without
	f.person = map[string]any{"sub": "subject-1", "preferred_username": "by-page"}
	if who, err = f.round(t, f.provider(t, nil), false); err != nil || who.Login != "by-page" {
		t.Errorf("by the page about the person: %+v, %v", who, err)
	}
	f.person["sub"] = "subject-2"
	if who, err = f.round(t, f.provider(t, nil), false); err == nil || who != (Identity{}) {
		t.Errorf("a page about another person: %+v, %v", who, err)
	}
	f.person["sub"] = "subject-1"
	f.person["email"] = "x@city.example"
	if who, err = f.round(t, f.provider(t, byMail), false); err != nil || who.Login != "" {
		t.Errorf("an address nobody checked, by the page: %+v, %v", who, err)
	}
	if _, err := New(Config{}); err == nil {
		t.Error("an empty configuration is accepted")
	}
	f.Close()
	if _, err := f.provider(t, nil).Start(t.Context(), attempt, false); err == nil {
		t.Error("a provider that is away has an address")
	}
}
