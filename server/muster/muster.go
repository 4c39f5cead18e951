// Package muster makes the copy of who is inside that reception keeps for the case that the server is gone (OP-7): one HTML file that opens
// itself in a browser with a code, needs nothing else, and ends by itself.
//
// The list is sealed with AES-256-GCM under a key that PBKDF2 makes of the code. Everything that stands outside the seal (when it was made,
// when it ends) is covered by it. After its end the file shows nothing more; that end is by the clock of whoever opens it, so it keeps honest
// people from old lists and no thief from a stolen one: against that stands the code alone, which changes with the month (ADR 0047).
package muster

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	_ "embed"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"strings"
	"time"
)

// Iterations of PBKDF2-HMAC-SHA256. The code has 80 bits of its own, so they are a second wall only.
const Iterations = 100_000

// List is who is inside.
type List struct {
	Site  string `json:"site"`
	Zones []Zone `json:"zones"`
	// Notes say what is not known: gateways that are not heard.
	Notes []string `json:"notes"`
}

// Zone is one zone with the people in it.
type Zone struct {
	Name   string   `json:"name"`
	Inside []Person `json:"inside"`
}

// Person is somebody inside.
type Person struct {
	Name      string `json:"name"`
	Of        string `json:"of"`       // section or company
	Category  string `json:"category"` // word
	Since     string `json:"since"`    // "" = the entry is not recorded
	Door      string `json:"door"`
	Uncertain bool   `json:"uncertain"` // they state that they left, and nobody has confirmed it
	// Numbers are the short numbers under which gateways print the person, "GATEWAY NUMBER" each.
	Numbers []string `json:"numbers"`
}

// sealed is what stands in the file.
type sealed struct {
	Format     int    `json:"v"`
	MadeMS     int64  `json:"made"`
	UntilMS    int64  `json:"until"`
	Iterations int    `json:"n"`
	Salt       []byte `json:"salt"`
	Nonce      []byte `json:"iv"`
	Data       []byte `json:"data"`
}

const format = 1

// head is what the seal covers besides the list.
func (s *sealed) head() []byte {
	return fmt.Appendf(nil, "monban muster %d %d %d", s.Format, s.MadeMS, s.UntilMS)
}

// Errors of Open.
var (
	ErrCode  = errors.New("the code is not that of this copy, or the file was changed")
	ErrEnded = errors.New("this copy has ended: take a newer one")
)

// CodeOf is the code of the month of t: 16 letters of base 32 in four groups. secret is at least 32 random bytes.
func CodeOf(secret []byte, t time.Time) string {
	mac := hmac.New(sha256.New, secret)
	_, _ = mac.Write([]byte("monban muster code " + t.Format("2006-01"))) // a hash never fails
	text := base32.StdEncoding.EncodeToString(mac.Sum(nil)[:10])
	return text[:4] + "-" + text[4:8] + "-" + text[8:12] + "-" + text[12:]
}

// tidy makes what somebody typed what CodeOf gave: case, blanks and strokes do not matter.
func tidy(code string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '2' && r <= '7':
			return r
		}
		return -1
	}, code)
}

func aead(code string, salt []byte, iterations int) (cipher.AEAD, error) {
	key, err := pbkdf2.Key(sha256.New, tidy(code), salt, iterations, 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

//go:embed open.js
var script string

//go:embed page.css
var style string

//go:embed page.html
var pageText string

var page = template.Must(template.New("muster").Parse(pageText))

func hashOf(s string) string {
	sum := sha256.Sum256([]byte(s))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// Make gives the file. made and until are shown outside the seal, too; until must be later.
func Make(l *List, code string, made, until time.Time) ([]byte, error) {
	if tidy(code) == "" || !made.Before(until) {
		return nil, errors.New("BUG: a muster copy without a code or an end")
	}
	s := sealed{Format: format, MadeMS: made.UnixMilli(), UntilMS: until.UnixMilli(), Iterations: Iterations, Salt: make([]byte, 16), Nonce: make([]byte, 12)}
	_, _ = rand.Read(s.Salt) // crypto/rand never fails
	_, _ = rand.Read(s.Nonce)
	plain, err := json.Marshal(l)
	if err != nil {
		return nil, err
	}
	a, err := aead(code, s.Salt, s.Iterations)
	if err != nil {
		return nil, err
	}
	s.Data = a.Seal(nil, s.Nonce, plain, s.head())
	data, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = page.Execute(&out, map[string]any{
		"Made": made.Format("2006-01-02 15:04"), "Until": until.Format("2006-01-02 15:04"),
		"Data":   template.HTML(`<script type="application/json" id="sealed">` + string(data) + `</script>`), // base 64 and numbers
		"Script": template.HTML("<script>" + script + "</script>"), "Style": template.HTML("<style>" + style + "</style>"),
		"Policy": "default-src 'none'; script-src 'sha256-" + hashOf(script) + "'; style-src 'sha256-" + hashOf(style) + "'; base-uri 'none'; form-action 'none'",
	})
	return out.Bytes(), err
}

// Open reads a file as its own script does. now is the time of whoever opens it.
func Open(file []byte, code string, now time.Time) (l List, made time.Time, err error) {
	_, rest, ok := bytes.Cut(file, []byte(`id="sealed">`))
	data, _, closed := bytes.Cut(rest, []byte("</script>"))
	var s sealed
	if !ok || !closed || json.Unmarshal(data, &s) != nil || s.Format != format || len(s.Nonce) != 12 || s.Iterations < 1 || s.Iterations > 10_000_000 {
		return l, made, errors.New("not a muster copy of this version")
	}
	if !now.Before(time.UnixMilli(s.UntilMS)) {
		return l, made, ErrEnded
	}
	a, err := aead(code, s.Salt, s.Iterations)
	if err != nil {
		return l, made, err
	}
	plain, err := a.Open(nil, s.Nonce, s.Data, s.head())
	if err != nil {
		return l, made, ErrCode
	}
	return l, time.UnixMilli(s.MadeMS), json.Unmarshal(plain, &l)
}
