package config

import (
	"net/url"
	"strings"
	"time"
)

func (o *OIDC) validate(f *faults, h HTTP) {
	if o.Issuer == "" {
		if o.ClientID != "" || o.SecretFile != "" {
			f.add("oidc.issuer", "is missing")
		}
		return
	}
	u, err := url.Parse(o.Issuer)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		f.add("oidc.issuer", "%q is no address", o.Issuer)
	} else if u.Scheme != "https" && u.Hostname() != "localhost" {
		f.add("oidc.issuer", "%q must begin with https", o.Issuer) // its tokens let people in
	}
	if o.ClientID == "" {
		f.add("oidc.client_id", "is missing")
	}
	if o.Claim == "" {
		f.add("oidc.claim", "is missing, for example \"preferred_username\"")
	}
	if h.TLSCert != "" && h.PublicURL == "" {
		f.add("http.public_url", "is missing: the sign-in provider sends people back to it")
	}
}

func (l *LDAP) validate(f *faults) {
	if l.URL == "" {
		if l.BindDN != "" || l.Base != "" || len(l.Group) > 0 {
			f.add("ldap.url", "is missing")
		}
		return
	}
	u, err := url.Parse(l.URL)
	if err != nil || u.Host == "" || u.Scheme != "ldaps" && u.Scheme != "ldap" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		f.add("ldap.url", "%q is neither ldaps://host nor ldap://host (with StartTLS)", l.URL)
	}
	for key, s := range map[string]string{"ldap.bind_dn": l.BindDN, "ldap.password_file": l.PasswordFile, "ldap.base": l.Base} {
		if s == "" {
			f.add(key, "is missing")
		}
	}
	if strings.Count(l.Filter, "{name}") != 1 || !strings.HasPrefix(l.Filter, "(") {
		f.add("ldap.filter", "%q must be a filter in brackets with {name} once", l.Filter)
	}
	if l.SyncEvery.Std() != 0 {
		f.between("ldap.sync_every", l.SyncEvery, 5*time.Minute, 24*time.Hour)
	}
	for _, g := range l.Group {
		if g.DN == "" {
			f.add("ldap.group.dn", "is missing")
		}
		f.oneOf("ldap.group.role", g.Role, roles...)
	}
}
