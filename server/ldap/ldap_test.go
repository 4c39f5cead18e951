package ldap

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	ber "github.com/go-ldap/ldap/v3"
	"github.com/hashicorp/go-hclog"
	"github.com/jimlambrt/gldap"
	"github.com/jimlambrt/gldap/testdirectory"
)

// directory is an LDAP server in this process: it notes what it was asked, and says yes to an empty password, as
// real ones do.
type directory struct {
	mu      sync.Mutex
	filters []string
	binds   []string
	people  map[string]person
	addr    string
	client  *tls.Config
}

type person struct {
	dn, password, control string
	groups                []string
	nested                []string
}

const (
	searchDN = "cn=monban,dc=city"
	searchPW = "search-password"
)

func start(t *testing.T, useTLS bool) *directory {
	t.Helper()
	serverTLS, clientTLS := testdirectory.GetTLSConfig(t, testdirectory.WithHost(t, "localhost"))
	d := &directory{client: clientTLS, people: map[string]person{
		"sakiyama":  {dn: "cn=sakiyama,ou=people,dc=city", password: "pw-sakiyama", control: "512", groups: []string{"CN=Guards, ou=groups,dc=city"}},
		"takahashi": {dn: "cn=takahashi,ou=people,dc=city", password: "pw-takahashi", control: "514"},
		"yoshida":   {dn: "cn=yoshida,ou=people,dc=city", password: "pw-yoshida", nested: []string{"cn=officers,ou=groups,dc=city"}},
	}}
	srv, err := gldap.NewServer(gldap.WithLogger(hclog.NewNullLogger()))
	if err != nil {
		t.Fatal(err)
	}
	mux, err := gldap.NewMux()
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(mux.Bind(d.bind), mux.Search(d.search), mux.ExtendedOperation(func(w *gldap.ResponseWriter, r *gldap.Request) {
		res := r.NewExtendedResponse(gldap.WithResponseCode(gldap.ResultSuccess))
		res.SetResponseName(gldap.ExtendedOperationStartTLS)
		_ = w.Write(res)
		if err := r.StartTLS(serverTLS); err != nil {
			t.Log(err)
		}
	}, gldap.ExtendedOperationStartTLS), srv.Router(mux)); err != nil {
		t.Fatal(err)
	}
	port := testdirectory.FreePort(t)
	d.addr = fmt.Sprintf("localhost:%d", port)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if useTLS {
			_ = srv.Run(d.addr, gldap.WithTLSConfig(serverTLS))
		} else {
			_ = srv.Run(d.addr)
		}
	}()
	t.Cleanup(func() { _ = srv.Stop(); <-done })
	for end := time.Now().Add(time.Minute); !srv.Ready(); {
		if time.Now().After(end) {
			t.Fatal("the directory does not start")
		}
		time.Sleep(time.Millisecond)
	}
	return d
}

func (d *directory) bind(w *gldap.ResponseWriter, r *gldap.Request) {
	res := r.NewBindResponse(gldap.WithResponseCode(gldap.ResultInvalidCredentials))
	defer func() { _ = w.Write(res) }()
	m, err := r.GetSimpleBindMessage()
	if err != nil {
		return
	}
	d.mu.Lock()
	d.binds = append(d.binds, m.UserName)
	d.mu.Unlock()
	if m.Password == "" || m.UserName == searchDN && m.Password == searchPW {
		res.SetResultCode(gldap.ResultSuccess)
		return
	}
	for _, p := range d.people {
		if p.dn == m.UserName && string(m.Password) == p.password {
			res.SetResultCode(gldap.ResultSuccess)
		}
	}
}

func (d *directory) search(w *gldap.ResponseWriter, r *gldap.Request) {
	res := r.NewSearchDoneResponse(gldap.WithResponseCode(gldap.ResultSuccess))
	defer func() { _ = w.Write(res) }()
	m, err := r.GetSearchMessage()
	if err != nil {
		return
	}
	d.mu.Lock()
	d.filters = append(d.filters, m.Filter)
	d.mu.Unlock()
	for name, p := range d.people {
		if strings.Contains(m.Filter, nested) {
			for _, g := range p.nested {
				if p.dn == m.BaseDN && m.Filter == "(memberOf:"+nested+":="+g+")" {
					_ = w.Write(r.NewSearchResponseEntry(p.dn))
				}
			}
			continue
		}
		// What an injected star or bracket would match.
		if strings.Contains(m.Filter, "(uid="+name+")") || strings.Contains(m.Filter, "(uid=*)") || strings.Contains(m.Filter, "(uid=s*)") {
			attrs := map[string][]string{"memberOf": p.groups}
			if p.control != "" {
				attrs["userAccountControl"] = []string{p.control}
			}
			_ = w.Write(r.NewSearchResponseEntry(p.dn, gldap.WithAttributes(attrs)))
		}
	}
}

func (d *directory) config(scheme string) Config {
	return Config{URL: scheme + "://" + d.addr, Roots: d.client.RootCAs, BindDN: searchDN, Password: searchPW, Base: "dc=city", Filter: "(&(objectClass=person)(uid={name}))",
		Groups: []GroupRole{{"cn=guards,ou=groups,dc=city", "reception"}, {"cn=officers,ou=groups,dc=city", "csirt"}}}
}

func open(t *testing.T, cfg Config) *Directory {
	t.Helper()
	x, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// RA-3: over LDAPS and over StartTLS; what is not the one right password of one active person lets nobody in.
func TestVerify(t *testing.T) {
	for scheme, useTLS := range map[string]bool{"ldaps": true, "ldap": false} {
		t.Run(scheme, func(t *testing.T) {
			d := start(t, useTLS)
			x := open(t, d.config(scheme))
			for _, c := range []struct {
				what, name, password string
				want                 bool
			}{
				{"right", "sakiyama", "pw-sakiyama", true},
				{"wrong", "sakiyama", "pw-takahashi", false},
				{"an empty password, which the directory takes", "sakiyama", "", false},
				{"a disabled account", "takahashi", "pw-takahashi", false},
				{"nobody", "nobody", "pw-sakiyama", false},
				{"no name", "", "pw-sakiyama", false},
				{"a star", "*", "pw-sakiyama", false},
				{"part and star", "s*", "pw-sakiyama", false},
				{"another filter", "x)(uid=sakiyama", "pw-sakiyama", false},
				{"an or", "x)(|(uid=*", "pw-sakiyama", false},
				{"NUL", "sakiyama\x00", "pw-sakiyama", false},
				{"a backslash", `sakiyama\`, "pw-sakiyama", false},
				{"the place itself", "{name}", "pw-sakiyama", false},
			} {
				got, err := x.Verify(t.Context(), c.name, c.password)
				if err != nil || got != c.want {
					t.Errorf("%s: %v, %v; want %v", c.what, got, err, c.want)
				}
			}
			d.mu.Lock()
			defer d.mu.Unlock()
			for _, f := range d.filters {
				if strings.Count(f, "(") != 3 || !strings.HasPrefix(f, "(&(objectClass=person)(uid=") {
					t.Errorf("what was typed became a filter: %s", f)
				}
			}
			for _, b := range d.binds {
				if b == "" {
					t.Error("a bind as nobody")
				}
			}
		})
	}
}

// Groups of the table give the names of roles; groups in groups only where that is configured.
func TestGroups(t *testing.T) {
	d := start(t, true)
	cfg := d.config("ldaps")
	x := open(t, cfg)
	for name, want := range map[string][]string{"sakiyama": {"reception"}, "yoshida": nil} {
		if e, err := x.Find(t.Context(), name); err != nil || !slices.Equal(e.Roles, want) {
			t.Errorf("%s: %+v, %v; want %v", name, e, err, want)
		}
	}
	cfg.Nested = true
	if e, err := open(t, cfg).Find(t.Context(), "yoshida"); err != nil || !slices.Equal(e.Roles, []string{"csirt"}) {
		t.Errorf("through other groups: %+v, %v", e, err)
	}
	if e, err := x.Find(t.Context(), "takahashi"); err != nil || !e.Disabled {
		t.Errorf("disabled: %+v, %v", e, err)
	}
	if _, err := x.Find(t.Context(), "*"); !errors.Is(err, ErrNotFound) {
		t.Errorf("several: %v, want ErrNotFound", err)
	}
}

// A directory that cannot be trusted or asked is an error, and no password goes to it: a certificate of somebody
// else, no TLS at all, a wrong searching account, nothing there.
func TestNotAsked(t *testing.T) {
	d := start(t, true)
	for name, change := range map[string]func(*Config){
		"a certificate of somebody else": func(c *Config) { c.Roots = x509.NewCertPool() },
		"a wrong searching account":      func(c *Config) { c.Password = "wrong" },
	} {
		cfg := d.config("ldaps")
		change(&cfg)
		good, err := open(t, cfg).Verify(t.Context(), "sakiyama", "pw-sakiyama")
		if good || err == nil || strings.Contains(err.Error(), "pw-") || strings.Contains(err.Error(), "sakiyama") {
			t.Errorf("%s: %v, %v", name, good, err)
		}
	}
	// A server that refuses StartTLS, or speaks something else: nothing of ours is sent in the clear.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan string, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			got <- ""
			return
		}
		buf := make([]byte, 4096)
		n, _ := c.Read(buf)
		_ = c.Close()
		got <- string(buf[:n])
	}()
	cfg := d.config("ldap")
	cfg.URL = "ldap://" + l.Addr().String()
	if good, err := open(t, cfg).Verify(t.Context(), "sakiyama", "pw-sakiyama"); good || err == nil {
		t.Errorf("without TLS: %v, %v", good, err)
	}
	_ = l.Close()
	if sent := <-got; strings.Contains(sent, searchPW) || strings.Contains(sent, searchDN) || sent == "" {
		t.Errorf("sent in the clear: %q", sent)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if slices.Contains(d.binds, "cn=sakiyama,ou=people,dc=city") {
		t.Error("a person's password went to it")
	}
}

func TestNewRefuses(t *testing.T) {
	good := Config{URL: "ldaps://dc1.city.example", BindDN: "a", Password: "b", Base: "c", Filter: "(uid={name})"}
	if _, err := New(good); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Config){
		"another scheme":        func(c *Config) { c.URL = "http://x" },
		"no host":               func(c *Config) { c.URL = "ldaps://" },
		"no searching password": func(c *Config) { c.Password = "" },
		"no base":               func(c *Config) { c.Base = "" },
		"no place for the name": func(c *Config) { c.Filter = "(uid=x)" },
		"two places":            func(c *Config) { c.Filter = "(|(uid={name})(cn={name}))" },
		"no filter":             func(c *Config) { c.Filter = "uid={name}" },
	} {
		c := good
		change(&c)
		if _, err := New(c); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	if got := ber.EscapeFilter("*()\\\x00"); strings.ContainsAny(got, "*()") {
		t.Errorf("the library escapes to %q", got)
	}
}
