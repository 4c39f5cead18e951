// Package notify tells people of findings: it routes them (package route), keeps what is to be sent in the database, and
// sends it by mail, webhook, syslog and MQTT until it has arrived.
//
// It promises: what has a finding is told at least once, over kill -9 and restarts, and every copy of a message carries the
// same id. What leaves the house holds no name, no person, no card, and no word that says where a room is (AL-4, PR-6): a
// kind, a severity, a code of the door, a case number and a link.
package notify

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"monban/server/notify/route"
	"monban/server/review"
)

// Message is the facts that are told. It is stored as JSON and put into words when it is sent. Its fields are all that any
// channel ever sees.
type Message struct {
	What     route.What  `json:"what"`
	Case     int64       `json:"case,omitempty"` // leaf of the finding
	Kind     review.Kind `json:"kind,omitempty"`
	Severity string      `json:"severity,omitempty"`
	Door     string      `json:"door,omitempty"`    // a code, see Code
	Gateway  string      `json:"gateway,omitempty"` // a code
	Count    int         `json:"count,omitempty"`
	Step     int         `json:"step,omitempty"`  // of an escalation
	Which    string      `json:"which,omitempty"` // of a breach: which report, and whether it is late
	AtMS     int64       `json:"at_ms"`           // UTC ms
	Link     string      `json:"link,omitempty"`
	Millis   int64       `json:"millis,omitempty"` // of a canary: from the order to the record in the log
	Lines    []Line      `json:"lines,omitempty"`  // of a digest
	Waiting  []Line      `json:"waiting,omitempty"`
	Faults   []string    `json:"faults,omitempty"`   // items of the self-test
	GivenUp  int         `json:"given_up,omitempty"` // messages that never arrived
	Log      string      `json:"log,omitempty"`      // of a digest or a checkpoint: the newest signed checkpoint
	More     int         `json:"more,omitempty"`     // lines that are left out
}

// NotRun stands in Faults, alone, when no self-test has run for a day.
const NotRun = "not_run"

// Line is one alert of a digest.
type Line struct {
	Case     int64       `json:"case"`
	Kind     review.Kind `json:"kind"`
	Severity string      `json:"severity"`
	Door     string      `json:"door,omitempty"`
	Gateway  string      `json:"gateway,omitempty"`
	Count    int         `json:"count"`
	AtMS     int64       `json:"at_ms"`
	Held     route.Held  `json:"held,omitempty"`
}

// Code is what a door or gateway is called outside: its id might say where a room is. The same one is always called the
// same, another site's key gives another name, and the page of alerts lists which is which.
func Code(key [32]byte, kind, id string) string {
	if id == "" {
		return ""
	}
	m := hmac.New(sha256.New, key[:])
	m.Write([]byte(kind + "/" + id))
	return strings.ToUpper(kind[:1]) + "-" + strings.ToUpper(hex.EncodeToString(m.Sum(nil)[:2]))
}

func (w words) time(ms int64) string {
	return time.UnixMilli(ms).In(w.zone).Format("2006-01-02 15:04:05")
}

func (w words) place(door, gateway string) string {
	if door != "" {
		return w.t("door", "code", door)
	}
	if gateway != "" {
		return w.t("gateway", "code", gateway)
	}
	return w.t("site")
}

// subject is one line.
func (w words) subject(m *Message) string {
	switch m.What {
	case route.WhatDigest:
		return w.t("subject_digest", "n", strconv.Itoa(m.total()), "day", time.UnixMilli(m.AtMS).In(w.zone).Format(time.DateOnly))
	case route.WhatCanary:
		return w.t("subject_canary")
	case route.WhatCheckpoint:
		return w.t("subject_checkpoint", "day", time.UnixMilli(m.AtMS).In(w.zone).Format(time.DateOnly))
	case route.WhatTest:
		return w.t("subject_test")
	case route.WhatOverdue, route.WhatRisen, route.WhatInside:
		return w.t("subject_"+string(m.What), "n", strconv.Itoa(m.Count))
	case route.WhatBreach:
		return w.t("subject_breach", "which", w.t("breach_"+cmp.Or(m.Which, "final_late")))
	}
	key := "subject"
	switch m.What {
	case route.WhatMore:
		key = "subject_more"
	case route.WhatEscalation:
		key = "subject_escalation"
	}
	return w.t(key, "severity", w.severity(m.Severity), "kind", w.kind(m.Kind), "case", strconv.FormatInt(m.Case, 10), "n", strconv.Itoa(m.Count), "step", strconv.Itoa(m.Step))
}

func (m *Message) total() int {
	n := 0
	for _, l := range m.Lines {
		n += l.Count
	}
	return n
}

// body is the text of a mail.
func (w words) body(m *Message) string {
	var b strings.Builder
	line := func(s string) { b.WriteString(s + "\n") }
	switch m.What {
	case route.WhatDigest:
		w.digest(m, line)
	case route.WhatCanary:
		line(w.t("canary", "n", strconv.Itoa(m.Count)))
		line(w.t("canary_took", "seconds", strconv.FormatFloat(float64(m.Millis)/1000, 'f', 2, 64)))
		line(w.t("at", "time", w.time(m.AtMS)))
	case route.WhatCheckpoint:
		line(w.t("checkpoint"))
		line("")
		line(m.Log)
	case route.WhatBreach:
		line(w.t("breach_" + cmp.Or(m.Which, "final_late")))
		line(w.t("breach"))
		line(w.t("at", "time", w.time(m.AtMS)))
	case route.WhatOverdue, route.WhatRisen, route.WhatInside:
		line(w.t(string(m.What), "n", strconv.Itoa(m.Count)))
		line(w.t("at", "time", w.time(m.AtMS)))
	case route.WhatTest:
		line(w.t("test"))
		line(w.t("at", "time", w.time(m.AtMS)))
	default:
		line(w.kind(m.Kind))
		line(w.t("severity", "severity", w.severity(m.Severity)))
		line(w.t("case", "case", strconv.FormatInt(m.Case, 10)))
		line(w.place(m.Door, m.Gateway))
		line(w.t("at", "time", w.time(m.AtMS)))
		if m.Count > 1 {
			line(w.t("count", "n", strconv.Itoa(m.Count)))
		}
		if m.What == route.WhatEscalation {
			line(w.t("escalated"))
		}
	}
	if m.Link != "" {
		line("")
		line(m.Link)
	}
	line("")
	name, contact := w.whose(w.lang)
	if name == "" {
		name = w.site
	}
	line(w.t("footer", "site", name))
	if contact != "" {
		line(w.t("contact", "contact", contact))
	}
	return b.String()
}

func (w words) digest(m *Message, line func(string)) {
	if len(m.Lines) == 0 {
		line(w.t("digest_none"))
	} else {
		line(w.t("digest_held", "n", strconv.Itoa(m.total())))
		for i := range m.Lines {
			line(w.digestLine(&m.Lines[i]))
		}
	}
	if len(m.Waiting) > 0 {
		line("")
		line(w.t("digest_waiting", "n", strconv.Itoa(len(m.Waiting))))
		for i := range m.Waiting {
			line(w.digestLine(&m.Waiting[i]))
		}
	}
	if m.More > 0 {
		line(w.t("digest_more", "n", strconv.Itoa(m.More)))
	}
	for i, f := range m.Faults {
		if f == NotRun {
			line("")
			line(w.t("digest_no_self_test"))
			continue
		}
		if i == 0 {
			line("")
			line(w.t("digest_self_test"))
		}
		line("- " + w.t("self_test_"+f))
	}
	if m.GivenUp > 0 {
		line("")
		line(w.t("digest_given_up", "n", strconv.Itoa(m.GivenUp)))
	}
	if m.Log != "" {
		line("")
		line(w.t("digest_log"))
		line(m.Log)
	}
}

func (w words) digestLine(l *Line) string {
	return w.t("digest_line", "time", time.UnixMilli(l.AtMS).In(w.zone).Format("01-02 15:04"), "severity", w.severity(l.Severity), "kind", w.kind(l.Kind),
		"place", w.place(l.Door, l.Gateway), "case", strconv.FormatInt(l.Case, 10), "n", strconv.Itoa(l.Count))
}
