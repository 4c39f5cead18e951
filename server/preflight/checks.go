package preflight

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"monban/server/config"
)

// Limits. A durable write of less than liar is faster than the fastest disk with a protected cache, which takes about 15 µs by its own
// data sheet and as long again through the kernel; of more than late, an answer of 400 ms is at risk when ten people come at once.
const (
	liar       = 15 * time.Microsecond
	late       = 50 * time.Millisecond
	slowest    = 20               // MB/s
	smallest   = uint64(20 << 30) // bytes free
	leastMiB   = 1900             // what "2 GB" leaves after the firmware took its part
	goodMiB    = 3800
	soonEnding = 90 * 24 * time.Hour
)

func system(m Machine) Line {
	release, err := m.OSRelease()
	if err != nil {
		return Line{Note, text("os.other", err), text("os.do")}
	}
	field := map[string]string{}
	for line := range strings.Lines(release) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			field[k] = strings.Trim(v, `"'`)
		}
	}
	major, _ := strconv.Atoi(strings.SplitN(field["VERSION_ID"], ".", 2)[0])
	least, known := map[string]int{"debian": 12, "raspbian": 12, "ubuntu": 24}[field["ID"]]
	name := field["PRETTY_NAME"]
	if name == "" {
		name = field["ID"]
	}
	if !known || major < least {
		return Line{Note, text("os.other", name), text("os.do")}
	}
	return Line{OK, text("os.ok", name), Text{}}
}

func library(m Machine) Line {
	have, needs, err := m.Library()
	switch {
	case err != nil:
		return Line{Note, text("libc.unknown", err), text("libc.do")}
	case needs == "":
		return Line{OK, text("libc.static"), Text{}}
	case newer(needs, have):
		return Line{Bad, text("libc.old", have, needs), text("libc.do")}
	}
	return Line{OK, text("libc.ok", have, needs), Text{}}
}

func clock(m Machine) Line {
	synced, err := m.Synced()
	now := m.Now().UTC().Format(time.DateTime)
	switch {
	case err != nil:
		return Line{Note, text("clock.unknown", err), text("clock.do")}
	case !synced:
		return Line{Bad, text("clock.off", now), text("clock.do")}
	}
	return Line{OK, text("clock.ok", now), Text{}}
}

func memory(m Machine) Line {
	total, err := m.Memory()
	mib := total >> 20
	switch {
	case err != nil:
		return Line{Note, text("memory.unknown", err), text("memory.do")}
	case mib < leastMiB:
		return Line{Bad, text("memory.few", mib), text("memory.do")}
	case mib < goodMiB:
		return Line{Note, text("memory.pdf", mib), text("memory.print")}
	}
	return Line{OK, text("memory.ok", mib), Text{}}
}

func disk(m Machine, dir string) []Line {
	at := m.Exists(dir)
	d, err := m.Disk(at)
	if err != nil {
		return []Line{{Bad, text("disk.bad", dir, err), text("disk.baddo")}}
	}
	lines := []Line{{OK, text("disk.where", dir, at, d.FileSystem), Text{}}}
	gib := d.Free >> 30
	if d.Free < smallest {
		lines = append(lines, Line{Bad, text("disk.full", gib), text("disk.fulldo")})
	} else {
		lines = append(lines, Line{OK, text("disk.free", gib), Text{}})
	}
	if d.MBps < slowest {
		lines = append(lines, Line{Bad, text("disk.slow", d.MBps), text("disk.slowdo")})
	} else {
		lines = append(lines, Line{OK, text("disk.speed", d.MBps), Text{}})
	}
	return append(lines, durable(d))
}

// durable judges whether a write that was reported done outlives a power cut. Software can only find signs that it does not.
func durable(d Disk) Line {
	for _, o := range strings.Split(d.Options, ",") {
		if slices.Contains([]string{"nobarrier", "barrier=0", "barrier=none", "data=writeback"}, o) {
			return Line{Bad, text("sync.barrier", o), text("sync.do")}
		}
	}
	took := d.Sync.Round(time.Microsecond).String()
	switch {
	case d.InMemory:
		return Line{Bad, text("sync.memory", d.FileSystem), text("sync.do")}
	case d.Sync < liar:
		return Line{Bad, text("sync.lie", took), text("sync.do")}
	case d.Sync > late:
		return Line{Bad, text("sync.late", took), text("disk.slowdo")}
	case d.FileSystem == "": // in a chroot or container: a mount option that breaks the promise would not be seen
		return Line{Note, text("sync.unseen", took), text("sync.note")}
	}
	return Line{OK, text("sync.ok", took), text("sync.note")}
}

func ports(m Machine, cfg *config.Config) (lines []Line) {
	for _, p := range []struct{ key, address string }{
		{"mqtt.listen", cfg.MQTT.Listen}, {"enrol.listen", cfg.Enrol.Listen}, {"updates.listen", cfg.Updates.Listen}, {"http.listen", cfg.HTTP.Listen}, {"metrics.listen", cfg.Metrics.Listen},
	} {
		if p.address == "" {
			continue
		}
		err := m.Listen(p.address)
		do := text("port.used", p.key)
		switch {
		case err == nil:
			lines = append(lines, Line{OK, text("port.ok", p.address, p.key), Text{}})
			continue
		case errors.Is(err, fs.ErrPermission):
			do = text("port.denied")
		case errors.Is(err, syscall.EADDRNOTAVAIL):
			do = text("port.addr", p.key)
		}
		lines = append(lines, Line{Bad, text("port.bad", p.address, err, p.key), do})
	}
	return lines
}

func names(cfg *config.Config) Line {
	if len(cfg.CA.Names) == 0 {
		return Line{Bad, text("names.no"), text("names.do")}
	}
	return Line{OK, text("names.ok", strings.Join(cfg.CA.Names, ", ")), Text{}}
}

func certificate(cfg *config.Config, now time.Time) Line {
	if cfg.HTTP.TLSCert == "" {
		return Line{Note, text("cert.none"), text("cert.nodo")}
	}
	pair, err := tls.LoadX509KeyPair(cfg.HTTP.TLSCert, cfg.HTTP.TLSKey)
	var leaf *x509.Certificate
	if err == nil {
		leaf, err = x509.ParseCertificate(pair.Certificate[0])
	}
	if err != nil {
		return Line{Bad, text("cert.read", err), text("cert.do")}
	}
	host := hostOf(cfg)
	if err := leaf.VerifyHostname(host); host != "" && err != nil {
		return Line{Bad, text("cert.name", host, err), text("cert.do")}
	}
	from, until := leaf.NotBefore.UTC().Format(time.DateOnly), leaf.NotAfter.UTC().Format(time.DateOnly)
	switch {
	case now.Before(leaf.NotBefore) || now.After(leaf.NotAfter):
		return Line{Bad, text("cert.dates", from, until, now.UTC().Format(time.DateOnly)), text("cert.do")}
	case leaf.NotAfter.Sub(now) < soonEnding:
		return Line{Note, text("cert.soon", until), text("cert.do")}
	}
	return Line{OK, text("cert.ok", strings.Join(leaf.DNSNames, ", "), until), Text{}}
}

// hostOf is the name in http.public_url; empty without one.
func hostOf(cfg *config.Config) string {
	u, err := url.Parse(cfg.HTTP.PublicURL)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

func browser(ctx context.Context, m Machine, cfg *config.Config) Line {
	host := hostOf(cfg)
	switch {
	case host != "" && host != "localhost" && !m.Resolve(ctx, host):
		return Line{Note, text("browser.name", cfg.HTTP.PublicURL), text("browser.do")}
	case host != "" && host != "localhost":
		return Line{OK, text("browser.open", cfg.HTTP.PublicURL), Text{}}
	case cfg.HTTP.TLSCert != "":
		return Line{Note, text("browser.open", "https://"+cfg.HTTP.Listen+"/"), text("cert.nodo")}
	}
	_, port, err := net.SplitHostPort(cfg.HTTP.Listen)
	if err != nil {
		port = "?" // the configuration was checked
	}
	return Line{OK, text("browser.local", "http://localhost:"+port+"/"), Text{}}
}

// printing: a chromium is not needed, and neither is this.
func printing(ctx context.Context, m Machine) Line {
	if err := m.Print(ctx); err != nil {
		return Line{Note, text("print.no", err), text("print.do")}
	}
	return Line{OK, text("print.ok"), Text{}}
}

// newer compares 2.34 and 2.4 number by number.
func newer(a, b string) bool {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	for i := range as {
		x, _ := strconv.Atoi(as[i])
		y := 0
		if i < len(bs) {
			y, _ = strconv.Atoi(bs[i])
		}
		if x != y {
			return x > y
		}
	}
	return false
}
