package web_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"

	"monban/server/factor"
	"monban/server/web"
)

// cdpCall runs one command of the browser.
func cdpCall[P, R any](b *browser, c cdp.Command[P, R], params P) (out R) {
	b.Helper()
	b.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) (err error) {
		out, err = cdp.Call(ctx, t, c, params)
		return err
	}))
	return out
}

// authenticator plugs in a virtual one that asks nobody.
func (b *browser) authenticator() webauthn.AuthenticatorID {
	b.Helper()
	return cdpCall(b, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
		Protocol: "ctap2", Transport: "internal", HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
	}}).AuthenticatorID
}

func (b *browser) click(selector string) {
	b.Helper()
	run(b, chromedp.Evaluate[bool](`(document.querySelector(`+"`"+selector+"`"+`).click(), true)`))
}

func (b *browser) fill(selector, text string) {
	b.Helper()
	run(b, chromedp.Evaluate[bool](fmt.Sprintf(`(document.querySelector(%q).value = %q, true)`, selector, text)))
}

func (b *browser) at(path string) {
	b.Helper()
	b.until(path, fmt.Sprintf(`location.pathname === %q && document.readyState === "complete"`, path))
}

// RA-3, D28: passkeys in a real browser with a virtual authenticator: set up, sign in, step up, several, removed; not
// another account's, not a copy whose counter goes back, not without user verification. Screens of all of it.
func TestBrowserPasskeys(t *testing.T) {
	if testing.Short() {
		t.Skip("short")
	}
	b := newBrowser(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b.base = fmt.Sprintf("http://localhost:%d", l.Addr().(*net.TCPAddr).Port)
	s := newSite(t, func(c *web.Config) {
		c.PublicURL, c.PasswordStepUp, c.SecondFactor = b.base, false, 1<<web.RoleCSIRT
		c.Provider = &fakeProvider{}
		c.Throttle = web.Throttle{AccountBurst: 1e6, AccountEvery: time.Second, AddressBurst: 1e6, AddressEvery: time.Second}
	})
	srv := httptest.NewUnstartedServer(s.h)
	_ = srv.Listener.Close()
	srv.Listener = l
	srv.Start()
	t.Cleanup(func() { s.h.Close(); srv.Close() })
	csirt, auditor := accountID(web.RoleCSIRT), accountID(web.RoleAuditor)

	cdpCall(b, webauthn.Enable, webauthn.EnableParams{})
	key := b.authenticator()
	signOut := func() {
		t.Helper()
		b.do(chromedp.Navigate(b.base + "/me/factors"))
		b.click("form[action='/logout'] button")
		b.at("/login")
	}
	look := func(name, path string) {
		t.Helper()
		for _, lang := range []string{"ja", "en"} {
			for _, width := range []int64{1280, 390} {
				b.do(chromedp.EmulateViewport(width, 844))
				run(b, chromedp.Evaluate[bool](`(document.cookie = "monban_language=`+lang+`; path=/", true)`))
				if path != "" {
					b.do(chromedp.Navigate(b.base + path))
				}
				b.shot(fmt.Sprintf("%s-%s-%d", name, lang, width))
				if over := run(b, chromedp.Evaluate[int](overflow)); over > 0 {
					t.Errorf("%s %s is %d px too wide at %d px", name, lang, over, width)
				}
				for _, v := range b.violations() {
					t.Errorf("%s %s %d px: %s", name, lang, width, v)
				}
				if path == "" {
					return // a page that is shown once
				}
			}
		}
	}

	b.do(chromedp.Navigate(b.base + "/login"))
	look("signin", "/login")
	b.do(chromedp.EmulateViewport(1280, 844), chromedp.Navigate(b.base+"/login"))
	b.fill("#name", "csirt")
	b.fill("#password", goodPassword)
	b.click("form[action='/login'] button")
	b.at("/me/factors") // nothing else is open
	look("factors-must", "/me/factors")

	add := func(name string) {
		t.Helper()
		b.do(chromedp.EmulateViewport(1280, 844), chromedp.Navigate(b.base+"/me/factors"))
		b.fill("#passkey-name", name)
		b.click("form[data-passkey=create] button")
	}
	add("窓口PC 髙橋")
	b.until("recovery codes", `document.querySelectorAll("ul.codes li").length === 10`)
	look("codes", "")
	keys, _ := s.mem.Passkeys(t.Context(), csirt)
	if len(keys) != 1 || keys[0].Name != "窓口PC 髙橋" || keys[0].RP != "localhost" {
		t.Fatalf("passkeys %+v", keys)
	}
	add("again")
	b.until("the fault: it is there already", `!document.querySelector("form[data-passkey=create] [data-fault]").hidden`)
	b.shot("factors-fault")
	second := cdpCall(b, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
		Protocol: "ctap2", Transport: "usb", HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
	}}).AuthenticatorID
	add("予備キー")
	b.until("two passkeys", `location.search === "?done=passkey_added" && document.querySelectorAll("tbody tr").length === 2`)
	look("factors", "/me/factors")
	cdpCall(b, webauthn.RemoveVirtualAuthenticator, webauthn.RemoveVirtualAuthenticatorParams{AuthenticatorID: second})

	// One press signs in, without a name or a password.
	signOut()
	n := len(s.mem.Actions())
	b.do(chromedp.Navigate(b.base + "/login?next=/log"))
	b.click("form[data-passkey=get] button")
	b.at("/log")
	if got := s.kinds(n); !slices.Equal(got[:1], []web.ActionKind{web.ActionLogin}) || s.mem.Actions()[n].Filter != "method=passkey" {
		t.Errorf("leaves %v", got)
	}
	look("sessions", "/me")
	look("stepup", "/step-up?next=/commands")
	b.do(chromedp.EmulateViewport(1280, 844), chromedp.Navigate(b.base+"/step-up?next=/commands"))
	n = len(s.mem.Actions())
	b.click("form[data-passkey=get] button")
	b.at("/commands")
	if got := s.kinds(n); len(got) == 0 || got[0] != web.ActionStepUp {
		t.Errorf("leaves %v", got)
	}

	refused := func(what string, kinds ...web.ActionKind) {
		t.Helper()
		n := len(s.mem.Actions())
		b.do(chromedp.Navigate(b.base + "/login"))
		b.click("form[data-passkey=get] button")
		if len(kinds) == 0 {
			b.until("the fault", `!document.querySelector("form[data-passkey=get] [data-fault]").hidden`)
		} else {
			b.until("the refusal", `document.getElementById("login-error") !== null && document.readyState === "complete"`)
		}
		if got := s.kinds(n); !slices.Equal(got, kinds) {
			t.Errorf("%s: leaves %v, want %v", what, got, kinds)
		}
	}
	signOut()
	// Without user verification it is one factor, and not taken: neither by the authenticator nor, when it lies, here.
	yes := true
	cdpCall(b, webauthn.SetResponseOverrideBits, webauthn.SetResponseOverrideBitsParams{AuthenticatorID: key, IsBadUV: &yes})
	refused("no user verification", web.ActionLoginFailed)
	cdpCall(b, webauthn.SetResponseOverrideBits, webauthn.SetResponseOverrideBitsParams{AuthenticatorID: key, IsBogusSignature: &yes})
	refused("a bogus signature", web.ActionLoginFailed)
	cdpCall(b, webauthn.SetResponseOverrideBits, webauthn.SetResponseOverrideBitsParams{AuthenticatorID: key})

	// Under another public name it is dead.
	p, _ := s.mem.PasskeyByCredential(t.Context(), keys[0].Credential)
	other := p
	other.RP = "old-name.example"
	s.mem.PutPasskey(other)
	refused("made for another name", web.ActionLoginFailed)
	// A passkey whose row points to another account opens neither: it names its owner itself.
	other = p
	other.Account = auditor
	s.mem.PutPasskey(other)
	refused("another account's", web.ActionLoginFailed)
	// A copy: the counter here is ahead of the authenticator's. It is stopped for good.
	other = p
	other.SignCount = p.SignCount + 1000
	s.mem.PutPasskey(other)
	refused("a counter that went back", web.ActionPasskeyStopped, web.ActionLoginFailed)
	other.Stopped = true
	if got, _ := s.mem.PasskeyByCredential(t.Context(), p.Credential); !got.Stopped {
		t.Error("the passkey is not stopped")
	}
	refused("a stopped passkey", web.ActionLoginFailed)
	s.mem.PutPasskey(p)

	t.Run("without script", func(t *testing.T) {
		b.scripts(false)
		defer b.scripts(true)
		b.do(chromedp.Navigate(b.base + "/login"))
		if !run(b, chromedp.Evaluate[bool](`getComputedStyle(document.querySelector("form[data-passkey]")).display === "none" && document.querySelector("#password").offsetParent !== null`)) {
			t.Error("without script the page offers what cannot work, or hides what can")
		}
	})

	t.Run("codes", func(t *testing.T) {
		b.do(chromedp.EmulateViewport(1280, 844), chromedp.Navigate(b.base+"/login"))
		b.fill("#name", "reception")
		b.fill("#password", goodPassword)
		b.click("form[action='/login'] button")
		b.at("/visits") // where reception begins
		b.do(chromedp.Navigate(b.base + "/step-up?next=/commands"))
		b.shot("stepup-enrol")
		b.do(chromedp.Navigate(b.base + "/me/factors"))
		b.click("form[action='/me/factors/totp'] button")
		b.at("/me/factors/totp")
		b.until("the picture", `document.querySelector("img.qr").naturalWidth > 0`)
		look("totp", "/me/factors/totp")
		secret, err := decodeSecret(run(b, chromedp.Evaluate[string](`document.querySelector(".secret").textContent`)))
		if err != nil {
			t.Fatal(err)
		}
		b.fill("#code", factor.Code(secret, factor.Step(time.Now())))
		b.click("form[action='/me/factors/totp/confirm'] button")
		b.until("recovery codes", `document.querySelectorAll("ul.codes li").length === 10`)
		signOut()
		b.fill("#name", "reception")
		b.fill("#password", goodPassword)
		b.click("form[action='/login'] button")
		b.at("/login/second")
		look("second", "/login/second")
		b.fill("#code", factor.Code(secret, factor.Step(time.Now())+1)) // a fast phone; the one before was used at set-up
		b.click("form[action='/login/second'] button")
		b.at("/visits") // where reception begins
	})

	t.Run("another's passkey steps up nobody", func(t *testing.T) {
		// The reception's session, the security officer's passkey: the browser is told which keys count, and has none.
		s.mem.PutPasskey(web.Passkey{Credential: []byte("not in this authenticator"), Account: accountID(web.RoleReception), Name: "x", RP: "localhost", Data: p.Data, Created: time.Now()})
		b.do(chromedp.Navigate(b.base + "/step-up?next=/commands"))
		// A page that lies about it: the challenge of the step-up, answered by the other's key.
		got := run(b, chromedp.Evaluate[string](`(async () => {
			const o = (await (await fetch("/step-up/passkey/options", {method: "POST"})).json()).publicKey;
			o.allowCredentials = [{type: "public-key", id: "`+base64.RawURLEncoding.EncodeToString(p.Credential)+`"}];
			const c = await navigator.credentials.get({publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(o)});
			const r = await fetch("/step-up/passkey", {method: "POST", redirect: "manual", body: new URLSearchParams({credential: JSON.stringify(c.toJSON()), next: "/commands"})});
			return String(r.status);
		})()`, chromedp.EvalAwaitPromise))
		if got != "422" {
			t.Errorf("answered %s, want 422", got)
		}
	})

	t.Run("accounts", func(t *testing.T) {
		signOut()
		if strings.Contains(fmt.Sprint(s.log), goodPassword) {
			t.Error("the journal holds a password")
		}
		s.mem.PutAccount(web.Account{ID: "BOSS", Name: "boss", FullName: "渡邉 さくら", PasswordHash: mustHash(t), Roles: []web.Assignment{{Role: web.RoleCISO}}})
		if _, err := s.mem.AskRequest(t.Context(), web.AccountRequest{ID: "Q", Kind: web.RequestRole, Account: auditor, AskedBy: accountID(web.RoleSystemAdmin), Asked: time.Now(),
			Why: "4月1日付の異動", Role: web.Assignment{Role: web.RoleZoneManager, Zone: "server-room"}}, web.Action{}, web.Action{}); err != nil {
			t.Fatal(err)
		}
		b.do(chromedp.EmulateViewport(1280, 844), chromedp.Navigate(b.base+"/login"))
		b.fill("#name", "boss")
		b.fill("#password", goodPassword)
		b.click("form[action='/login'] button")
		b.at("/live")
		look("accounts-stepup", "/accounts")
	})
}

func mustHash(t *testing.T) string {
	t.Helper()
	phc, err := web.HashPassword(goodPassword, cheap)
	if err != nil {
		t.Fatal(err)
	}
	return phc
}
