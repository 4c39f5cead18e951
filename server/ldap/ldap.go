// Package ldap asks the city's directory (LDAP, Active Directory) whether a password is right and whether somebody is
// still there (RA-3).
//
// It speaks over TLS only, writes nothing, and gives no rights: groups are compared and listed. A directory that
// cannot be asked lets nobody in and shuts nobody out. Passwords and names are never in its errors.
package ldap

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// timeout bounds each question: a person waits at the page.
const timeout = 10 * time.Second

// most bounds a connection with all that is asked on it.
const most = 3 * timeout

// NamePlace stands in Config.Filter where the login name goes.
const NamePlace = "{name}"

// nested is Active Directory's matching rule for "member of, through other groups too" (LDAP_MATCHING_RULE_IN_CHAIN).
const nested = "1.2.840.113556.1.4.1941"

// accountDisabled is the bit of userAccountControl.
const accountDisabled = 2

// Config says where the directory is and how people are found in it.
type Config struct {
	URL      string         // ldaps://host[:port], or ldap://host[:port], which begins with StartTLS always
	Roots    *x509.CertPool // nil = the system's
	BindDN   string         // account that may search
	Password string         // of BindDN; "" is refused: it would bind as nobody
	Base     string         // where people are looked for
	Filter   string         // with NamePlace once, e.g. (&(objectClass=user)(sAMAccountName={name}))
	Nested   bool           // groups in groups count (Active Directory)
	Groups   []GroupRole
}

// GroupRole says which role the members of a group should have.
type GroupRole struct{ Group, Role string }

// Directory asks. Each question has a connection of its own. Safe for concurrent use.
type Directory struct {
	cfg  Config
	host string
	port string
	tls  bool // from the first byte
}

// Entry is somebody as the directory knows them.
type Entry struct {
	DN       string
	Disabled bool
	Roles    []string // by Config.Groups, in their order
}

// ErrNotFound: nobody, or more than one, has that name.
var ErrNotFound = errors.New("not in the directory")

// New checks its arguments and connects to nothing.
func New(cfg Config) (*Directory, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil || u.Host == "" || u.Scheme != "ldaps" && u.Scheme != "ldap" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil {
		return nil, fmt.Errorf("directory address %q: want ldaps://host or ldap://host (with StartTLS)", cfg.URL)
	}
	if cfg.BindDN == "" || cfg.Password == "" || cfg.Base == "" {
		return nil, errors.New("directory: account to search with, its password, and the place to search are all needed")
	}
	if strings.Count(cfg.Filter, NamePlace) != 1 {
		return nil, fmt.Errorf("directory filter: want %s in it once", NamePlace)
	}
	if _, err := ldap.CompileFilter(strings.Replace(cfg.Filter, NamePlace, "x", 1)); err != nil {
		return nil, fmt.Errorf("directory filter: %w", err)
	}
	d := &Directory{cfg: cfg, host: u.Hostname(), port: u.Port(), tls: u.Scheme == "ldaps"}
	if d.port == "" {
		d.port = map[bool]string{true: "636", false: "389"}[d.tls]
	}
	return d, nil
}

// dial connects by TLS; without it nothing is ever said. When ctx ends the connection does, whatever it waits for; the caller ends ctx.
func (d *Directory) dial(whole context.Context) (*ldap.Conn, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: d.host, RootCAs: d.cfg.Roots}
	ctx, cancel := context.WithTimeout(whole, timeout)
	defer cancel()
	raw, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(d.host, d.port))
	if err != nil {
		return nil, fmt.Errorf("directory: %w", err)
	}
	socket := raw
	context.AfterFunc(whole, func() { _ = socket.Close() })
	if d.tls {
		t := tls.Client(raw, cfg)
		if err := t.HandshakeContext(ctx); err != nil {
			_ = raw.Close()
			return nil, fmt.Errorf("directory: %w", err)
		}
		raw = t
	}
	c := ldap.NewConn(raw, d.tls)
	c.Start()
	c.SetTimeout(timeout)
	if !d.tls {
		if err := c.StartTLS(cfg); err != nil {
			_ = c.Close()
			return nil, fmt.Errorf("directory: StartTLS: %w", err)
		}
	}
	return c, nil
}

// searcher connects as the account that may search.
func (d *Directory) searcher(ctx context.Context) (*ldap.Conn, error) {
	c, err := d.dial(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.Bind(d.cfg.BindDN, d.cfg.Password); err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("directory: the searching account is refused (code %d)", code(err))
	}
	return c, nil
}

// code is a result without its text, which may repeat what was sent.
func code(err error) uint16 {
	var e *ldap.Error
	if errors.As(err, &e) {
		return e.ResultCode
	}
	return ldap.LDAPResultOther
}

// find looks for the one entry of a name.
func (d *Directory) find(c *ldap.Conn, name string) (Entry, error) {
	if name == "" {
		return Entry{}, ErrNotFound
	}
	// What was typed is data, whatever signs are in it: "*", ")(", NUL.
	filter := strings.Replace(d.cfg.Filter, NamePlace, ldap.EscapeFilter(name), 1)
	res, err := c.Search(ldap.NewSearchRequest(d.cfg.Base, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 2, int(timeout/time.Second), false,
		filter, []string{"memberOf", "userAccountControl"}, nil))
	if ldap.IsErrorWithCode(err, ldap.LDAPResultSizeLimitExceeded) || ldap.IsErrorWithCode(err, ldap.LDAPResultNoSuchObject) {
		return Entry{}, ErrNotFound
	}
	if err != nil {
		return Entry{}, fmt.Errorf("directory: the search failed (code %d)", code(err))
	}
	if len(res.Entries) != 1 {
		return Entry{}, ErrNotFound // two of one name: it could be either
	}
	e := res.Entries[0]
	out := Entry{DN: e.DN}
	if s := e.GetAttributeValue("userAccountControl"); s != "" {
		n, err := strconv.ParseInt(s, 10, 64)
		out.Disabled = err != nil || n&accountDisabled != 0
	}
	for _, g := range d.cfg.Groups {
		in, err := d.member(c, e, g.Group)
		if err != nil {
			return Entry{}, err
		}
		if in {
			out.Roles = append(out.Roles, g.Role)
		}
	}
	return out, nil
}

// member reports whether an entry is in a group; through other groups where that is configured.
func (d *Directory) member(c *ldap.Conn, e *ldap.Entry, group string) (bool, error) {
	if !d.cfg.Nested {
		want, err := ldap.ParseDN(group)
		if err != nil {
			return false, fmt.Errorf("directory: group %q: %w", group, err)
		}
		for _, s := range e.GetAttributeValues("memberOf") {
			if dn, err := ldap.ParseDN(s); err == nil && dn.EqualFold(want) {
				return true, nil
			}
		}
		return false, nil
	}
	filter := "(memberOf:" + nested + ":=" + ldap.EscapeFilter(group) + ")"
	res, err := c.Search(ldap.NewSearchRequest(e.DN, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 1, int(timeout/time.Second), false, filter, []string{"1.1"}, nil))
	if err != nil {
		return false, fmt.Errorf("directory: the search for a group failed (code %d)", code(err))
	}
	return len(res.Entries) == 1, nil
}

// Find looks somebody up: ErrNotFound.
func (d *Directory) Find(ctx context.Context, name string) (Entry, error) {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	c, err := d.searcher(ctx)
	if err != nil {
		return Entry{}, err
	}
	defer c.Close() //nolint:errcheck // only read
	return d.find(c, name)
}

// Verify reports whether the directory takes this password for this name. A disabled account's is not taken. An
// error means that it could not be asked.
func (d *Directory) Verify(ctx context.Context, name, password string) (bool, error) {
	if name == "" || password == "" {
		return false, nil // an empty password is RFC 4513's unauthenticated bind, which succeeds and proves nothing
	}
	e, err := d.Find(ctx, name)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if e.Disabled || e.DN == "" {
		return false, nil // with an empty DN the bind would be anonymous
	}
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	c, err := d.dial(ctx)
	if err != nil {
		return false, err
	}
	defer c.Close() //nolint:errcheck // only read
	err = c.Bind(e.DN, password)
	switch {
	case err == nil:
		return true, nil
	case ldap.IsErrorAnyOf(err, ldap.LDAPResultInvalidCredentials, ldap.LDAPResultInappropriateAuthentication, ldap.LDAPResultConstraintViolation,
		ldap.LDAPResultUnwillingToPerform, ldap.LDAPResultNoSuchObject):
		return false, nil
	}
	return false, fmt.Errorf("directory: the sign-in failed (code %d)", code(err))
}
