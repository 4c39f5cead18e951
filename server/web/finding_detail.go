package web

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"monban/firmware/access"
	"monban/server/datarequest"
	"monban/server/review"
)

// findingDetail puts the detail of a finding into sentences: which day, area, badge or gateway it is about, and how many more there were. A
// detail that has none is said as it is, never left out (VR-1).
func (b speaker) findingDetail(f *Finding) string {
	d := review.Kind(f.Kind).Read(f.Detail)
	var say []string
	if d.Text != "" {
		text := ""
		if d.OK {
			text = b.detailWords(f, &d)
		}
		if text == "" {
			text = b.T("finding_detail.other", "word", d.Text)
		}
		say = append(say, text)
	}
	if f.About != "" {
		say = append(say, b.T("finding_detail.about", "label", f.About))
	}
	if d.More > 0 {
		say = append(say, b.T("finding_detail.more", "n", strconv.Itoa(d.More)))
	}
	return strings.Join(say, " ")
}

// detailWords is the sentence of one detail, "" when there is none.
func (b speaker) detailWords(f *Finding, d *review.Detail) string {
	n := strconv.Itoa(d.N)
	switch d.Form {
	case review.NoDetail:
	case review.Word, review.Quantity, review.Witness:
		return b.wordOf(f.Kind, d.Word, "n", n, "name", d.Name)
	case review.YearKey:
		if d.Name == "" {
			return b.wordOf(f.Kind, d.Word)
		}
		if b.words.has("retention_class." + d.Name) {
			return b.wordOf(f.Kind, d.Word, "class", b.className(d.Name), "year", b.fiscal(d.N))
		}
	case review.Reasons:
		return b.reasonsWords(d.Text)
	case review.Missing:
		return b.missingWords(d.Text)
	case review.Differs:
		return b.mismatch(d.Text)
	case review.Device:
		return b.deviceWords(d.Text)
	case review.InZone:
		return b.T("finding_detail.zone", "zone", f.zoneName(d.Zone))
	case review.ZoneDay:
		return b.T("finding_detail.zone_day", "zone", f.zoneName(d.Zone), "day", b.dayWords(d.Day))
	case review.ArrivalDay:
		return b.T("finding_detail.arrived", "day", b.dayWords(d.Day))
	case review.OtherDoor:
		name := f.OtherName
		if name == "" {
			name = string(d.Door)
		}
		return b.T("finding_detail.door", "door", name)
	case review.GuestNumber:
		return b.T("finding_detail.guest", "n", n)
	case review.EntryNumber:
		return b.T("finding_detail.entry", "n", n)
	case review.BadgeID:
		return b.T("finding_detail.badge", "badge", d.Word)
	case review.Chain:
		return b.T("finding_detail.chain", "epoch", clip(d.Word, 8), "n", n)
	case review.LostLeaves:
		if d.N == d.To {
			return b.T("finding_detail.none_lost", "n", n)
		}
		return b.T("finding_detail.lost", "from", n, "to", strconv.Itoa(d.To-1))
	case review.Order:
		if b.words.has("command_action." + d.Word) {
			return b.T("finding_detail.order", "action", b.T("command_action."+d.Word))
		}
	case review.Channel:
		if d.Name != "" {
			return b.T("finding_detail.channel", "name", d.Name, "day", b.dayWords(d.Day))
		}
		return b.T("finding_detail.silent", "day", b.dayWords(d.Day))
	case review.Release:
		if b.words.has("updates_cause." + d.Word) {
			return b.T("finding_detail.release", "version", d.Name) + " " + b.T("updates_cause."+d.Word, "gateway", string(f.Gateway))
		}
	case review.Data:
		if b.words.has("import_kind." + d.Word) {
			return b.T("finding_detail.data", "what", b.T("import_kind."+d.Word))
		}
		return b.wordOf(f.Kind, d.Word)
	}
	return ""
}

func (b speaker) wordOf(kind, word string, pairs ...string) string {
	if key := "finding_word." + kind + "_" + word; b.words.has(key) {
		return b.T(key, pairs...)
	}
	return ""
}

func (b speaker) reasonsWords(text string) string {
	var list []string
	for _, r := range strings.FieldsFunc(text, func(c rune) bool { return c == '/' || c == '+' }) {
		if !b.words.has("reason." + r) {
			return ""
		}
		list = append(list, b.T("reason."+r))
	}
	return b.T("finding_detail.reasons", "reason", strings.Join(list, " "))
}

func (b speaker) missingWords(text string) string {
	var list []string
	for k := range strings.SplitSeq(text, "+") {
		if !b.words.has("finding_missing." + k) {
			return ""
		}
		list = append(list, b.T("finding_missing."+k))
	}
	return b.T("finding_detail.missing", "what", strings.Join(list, b.T("finding_detail.and")))
}

// deviceWords says what a gateway adds to its record: how far a clock was set, or a word of its own.
func (b speaker) deviceWords(text string) string {
	ms, ok := strings.CutPrefix(text, "ms.")
	if n, err := strconv.ParseInt(ms, 10, 64); ok && err == nil {
		if n < 0 {
			return b.T("finding_detail.clock_back", "time", b.span(time.Duration(-n)*time.Millisecond))
		}
		return b.T("finding_detail.clock_on", "time", b.span(time.Duration(n)*time.Millisecond))
	}
	return b.T("finding_detail.device", "word", text)
}

// zoneName is the name of a zone that the finding's detail names.
func (f *Finding) zoneName(id access.ZoneID) string {
	if f.ZoneName != "" {
		return f.ZoneName
	}
	return string(id)
}

// link sets where what the finding is about is found, for those who may open it: a visit, a card, a key, the day of a zone. in is what the
// account sees on this page.
func (l *findingLine) link(rq *request, in *Reach, f *Finding) {
	to, pattern := pageOfMatter(f.Matter)
	switch d := review.Kind(f.Kind).Read(f.Detail); {
	case to != "":
		if rq.roles&rolesOf(pattern) == 0 || f.Zone != "" && !in.Zone(f.Zone) {
			to = ""
		}
		l.Subject = navItem{Href: to, Label: f.Matter}
	case d.Form == review.ZoneDay && d.OK && rq.may(reviewRoles, d.Zone) && in.Zone(d.Zone):
		l.Subject = navItem{Href: reviewHref(d.Zone, d.Day), Label: d.Day}
	}
}

// pageOfMatter is the page of a matter and the route that leads to it.
func pageOfMatter(id string) (path, pattern string) {
	kind, _, _ := strings.Cut(id, "-")
	if kind == datarequest.Kind {
		return "/data-requests/" + url.PathEscape(id), "GET /data-requests/{id}"
	}
	if path = matterPath(id); path == "" {
		return "", ""
	}
	if strings.HasPrefix(path, "/visits/") {
		return path, "GET /visits/{id}"
	}
	return path, "GET " + path
}
