package web

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/net/html"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/server/review"
	"monban/server/visit"
)

func templates(t *testing.T) map[string]string {
	t.Helper()
	names, err := fs.Glob(files, "templates/*.html")
	if err != nil || len(names) < 10 {
		t.Fatal(names, err)
	}
	out := map[string]string{}
	for _, n := range names {
		b, err := fs.ReadFile(files, n)
		if err != nil {
			t.Fatal(err)
		}
		out[n] = string(b)
	}
	return out
}

var action = regexp.MustCompile(`(?s)\{\{.*?\}\}`)

// lint lists what the content policy would drop or the catalogues do not know: inline style and
// script, event attributes, words outside the catalogues, foreign addresses.
func lint(text string) (faults []string) {
	z := html.NewTokenizer(strings.NewReader(action.ReplaceAllStringFunc(text, func(a string) string {
		return strings.Repeat("0", len(a)) // as long, no letters, no quotes
	})))
	script := false
	for {
		switch z.Next() {
		case html.ErrorToken:
			return faults
		case html.TextToken:
			// A tokenizer takes what is inside <noscript> for text.
			if s := string(z.Text()); !strings.HasPrefix(s, `<meta http-equiv="refresh"`) && strings.ContainsFunc(s, unicode.IsLetter) {
				faults = append(faults, "words outside the catalogues: "+strings.TrimSpace(s))
			}
			if script {
				faults = append(faults, "inline script")
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			tok := z.Token()
			script = false
			src := false
			for _, a := range tok.Attr {
				switch {
				case a.Key == "style", strings.HasPrefix(a.Key, "on"), strings.HasPrefix(a.Key, "hx-"):
					faults = append(faults, "attribute "+a.Key)
				case slices.Contains([]string{"alt", "title", "placeholder", "aria-label", "label", "summary"}, a.Key) && strings.ContainsFunc(a.Val, unicode.IsLetter):
					faults = append(faults, "words outside the catalogues: "+a.Key+"="+a.Val)
				case slices.Contains([]string{"src", "href", "action"}, a.Key) && strings.Contains(a.Val, ":"):
					faults = append(faults, "foreign address "+a.Val)
				}
				src = src || a.Key == "src"
			}
			switch tok.Data {
			case "style", "iframe", "object", "embed", "base":
				faults = append(faults, "element "+tok.Data)
			case "script":
				script = !src
				if script {
					faults = append(faults, "inline script")
				}
			}
		}
	}
}

func TestTemplateLint(t *testing.T) {
	for name, text := range templates(t) {
		for _, f := range lint(text) {
			t.Errorf("%s: %s", name, f)
		}
	}
	// The lint is alive: each planted fault is found.
	for _, bad := range []string{
		`<p style="color:red"></p>`, `<p onclick="x()"></p>`, `<script>x()</script>`, `<style>p{}</style>`, `<p>Hello</p>`, `<p>{{.X}} こんにちは</p>`,
		`<input placeholder="name">`, `<img src="https://example.com/x.png" alt="">`, `<a aria-label="next">{{.X}}</a>`,
	} {
		if len(lint(bad)) == 0 {
			t.Errorf("the lint does not see %s", bad)
		}
	}
}

// Both catalogues have the same keys and the same places to fill, no entry is empty, and the two
// languages differ where they should.
func TestCatalogues(t *testing.T) {
	words, err := loadCatalogues(files)
	if err != nil {
		t.Fatal(err)
	}
	place := regexp.MustCompile(`\{[a-z_]+\}`)
	places := func(s string) []string {
		p := place.FindAllString(s, -1)
		slices.Sort(p)
		return slices.Compact(p)
	}
	for key, ja := range words[Japanese] {
		en, ok := words[English][key]
		switch {
		case !ok:
			t.Errorf("%s is missing in English", key)
		case !slices.Equal(places(ja), places(en)):
			t.Errorf("%s: places %v and %v", key, places(ja), places(en))
		case strings.TrimSpace(ja) == "" || strings.TrimSpace(en) == "":
			t.Errorf("%s is empty", key)
		}
		if strings.HasPrefix(key, "reason.") && !strings.ContainsFunc(ja, func(r rune) bool { return unicode.In(r, unicode.Hiragana) }) {
			t.Errorf("%s is no Japanese sentence: %s", key, ja)
		}
		if strings.ContainsFunc(en, func(r rune) bool { return unicode.In(r, unicode.Hiragana, unicode.Katakana, unicode.Han) }) && !strings.HasPrefix(key, "lang.") {
			t.Errorf("%s: Japanese in the English catalogue: %s", key, en)
		}
	}
	// "1 stays": a number with a word that is always many.
	always := regexp.MustCompile(`\{(n|all|over|late|signed|answered|hours|minutes|seconds|days|min|most)\} ((more|new|unused|stopped|active) )?([a-z]+[^s ’]s|people|have|are|were|prove|wait)\b`)
	for key, en := range words[English] {
		if m := always.FindString(en); m != "" && !slices.Contains([]string{"temporary.month", "problem.nameless", "problem.too_long", "receive.outside"}, key) { // there the word is not the number's
			t.Errorf("%s: %q is wrong for 1; write {n|one|many}", key, m)
		}
		if !words[Japanese].has(key) {
			t.Errorf("%s is missing in Japanese", key)
		}
	}
}

// families are sections whose members are chosen by a value, with every value they must have.
func families(words map[Lang]catalogue) map[string][]string {
	f := map[string][]string{
		"event":     {"other"},
		"finding":   {"other", "times"},
		"assurance": {"unknown", "uid_only", "card_auth", "mutual_auth", "other"},
		"clock":     {"none", "floor", "rtc", "ntp", "server"},
		"mains":     {"title", "yes", "no", "none", "unknown"},
		"battery":   {"title", "ok", "low", "none", "unknown"},
		"lang":      {"ja", "en"},
		"done": {"token_revoked", "setup", "logout", "password", "revoked", "suspended", "resumed", "command_withdrawn", "command_confirmed", "purpose_registered", "purpose_ended", "day_signed", "day_opened", "case_moved",
			"passkey_added", "totp_set", "factor_removed", "role_asked", "role_granted", "role_removed", "factors_reset", "request_withdrawn", "source"},
		"command_why": {"other", "expired", "no_lock", "fire_release", "fire_on", "faulted", "busy", "strike_failed", "not_linked", "no_key", "not_approved"},
		"part": {
			"contact", "request", "tamper", "fire", "reader_enter", "reader_exit", "lock", "outbox", "clock", "policy", "more", "other",
		},
		"command_action": {"remote_unlock", "rearm", "self_test"},
		"command_state":  nil,
		"visit_state":    {"applied", "approved", "refused", "withdrawn", "running", "closed", "no_show"},
		"guest_state":    {"invited", "arrived", "escorted", "inside", "out", "left", "lost", "replaced", "no_show"},
		"visit_type":     {"work", "meeting", "tour", "delivery", "cleaning", "inspection"},
		"permit_state":   {"applied", "granted", "refused", "ended"},
		"guest_kind":     {"contractor", "supplier", "inspector", "school_employee", "public", "other"},
		"guest_category": {"staff", "contractor", "visitor"},
		"declared":       {"computer", "medium", "phone", "camera", "other"},
		"due_state":      {"waiting", "overdue"},
		"stopped_state":  {"suspended", "asked", "given_up", "resumed"}, "emergency_state": {"asked", "in_force", "ended", "reported", "given_up"},
		"carry_direction": {"in", "out", "move"}, "impact": {"none", "accepted"}, "key_state": {"here", "lent", "missing"},
		"badge_kind": {"visitor", "temporary"}, "badge_state": {"here", "lent", "lost", "retired"}, "forms": append(visit.Forms(), "title", "intro", "save"),
		"method": {"password", "directory", "provider", "passkey", "card", "totp", "recovery", "strong", "fresh"},
		"file_item": {
			"name", "body", "section", "purpose", "recorded", "scope", "collected", "sensitive", "provided", "desk", "correction", "kind", "kept", "count",
		},
		"judge_check": {
			"door", "read", "card", "person", "conditions", "training", "grant", "assurance", "pin", "mode", "footing", "zone",
		},
		"judge_result":  {"passed", "failed", "flagged", "asked", "not_looked"},
		"judge_outcome": {"granted", "denied", "need_pin", "need_second", "need_escort"},
		"flag":          {"offline", "late", "mismatch", "midnight"},
		"policy":        {"part", "held", "in_force", "rules", "modes", "state", "current", "behind"},
		"error":         {"home", "login", "reference"},
		"nav":           nil,
		"api_fault":     {"unknown", "twice", "malformed", "one_of", "day", "time", "purpose", "limit", "cursor", "json", "text", "reason", "identifier", "door", "past", "too_long"},
		"reason":        nil,
		"role":          {"none"},
		"result":        nil,
		"finding_help":  nil,
		"finding_state": {"open", "closed"},
		"review_status": {"open", "not_over", "returned", "waiting", "additional", "done"},
		"review_mark":   {"open", "not_over", "returned", "waiting", "additional", "done"},
		"review_act":    {"day_signed", "day_countersigned", "day_returned", "day_reopened", "day_added", "month_signed"},
		"review_do":     {"day_signed", "day_countersigned", "day_returned", "day_reopened", "day_added"},
		"review_help":   {"day_signed", "day_countersigned", "day_returned", "day_reopened", "day_added"},
		"review_fault":  {"not_over", "signed", "not_signed", "unseen", "same_person", "no_reason", "nothing", "not_quiet", "month", "month_before"},
		"case_status":   {"open", "in_review", "closed"},
		"case_verdict":  {"finding_justified", "finding_violation", "finding_mistake", "finding_incident"},
		"case_level":    {"manager", "ciso"},
		"case_act": {
			"finding_taken", "finding_assigned", "finding_noted", "finding_justified", "finding_violation", "finding_mistake", "finding_incident", "finding_reopened", "finding_to_manager", "finding_to_ciso", "other",
		},
		"case_fault":        {"closed", "not_taken", "not_open", "subject", "approver", "hidden", "alone", "no_text", "nobody", "too_long"},
		"register_category": {"staff", "contractor", "visitor", "other"},
		"register_identity": {
			"staff_card", "company_card", "driving_licence", "individual_number_card", "passport", "residence_card", "known_in_person", "other_document", "other",
		},
		"register_state": {
			"unknown", "inside", "complete", "exit_not_recorded", "entry_not_recorded", "exit_unattributed", "unexplained", "no_entry", "denied",
		},
	}
	for _, more := range moreFamilies {
		for section, words := range more {
			f[section] = append(f[section], words...)
		}
	}
	f["done"] = append(f["done"], "visit_approved", "visit_refused", "visit_withdrawn", "visit_extended", "worker_changed", "oral_confirmed", "oral_denied", "party_handed_over",
		"heads_counted", "exit_stated", "visit_closed", "received", "badge_returned", "badge_returned_closed", "badge_lost", "visit_applied", "visit_applied_warned", "visit_urgent",
		"permit_applied", "permit_applied_warned", "permit_granted", "permit_refused", "permit_ended",
		"temporary_lent", "temporary_lent_again", "temporary_returned", "temporary_lost", "stop_done", "resume_asked", "stop_resumed", "stop_revoked", "carry_opened", "carry_opened_warned",
		"carry_shut", "carry_items", "carry_items_warned", "carry_settled", "key_lent", "key_returned", "key_lost", "forms_saved", "purposes_saved", "badge_added", "badge_changed", "emergency_asked", "emergency_begun", "emergency_ended",
		"emergency_reported", "purpose_stated", "own_exit_stated", "entry_answered", "exit_confirmed")
	f["done"] = append(f["done"], "desk_added", "desk_removed", "desk_bound", "desk_unbound", "person_linked", "person_unlinked")
	for _, k := range visit.Identities() {
		f["identity"] = append(f["identity"], string(k))
	}
	for _, k := range visit.DueKinds() {
		f["due"], f["due_owner"] = append(f["due"], string(k)), append(f["due_owner"], string(k))
	}
	f["visit_error"] = []string{"which_person"}
	for _, e := range visit.Errors() {
		f["visit_error"] = append(f["visit_error"], e.Word)
	}
	for _, r := range access.Reasons() {
		f["reason"] = append(f["reason"], r.String())
	}
	for _, r := range Roles() {
		f["role"] = append(f["role"], r.String())
	}
	for st := range commandStateCount {
		f["command_state"] = append(f["command_state"], st.String())
	}
	for r := range resultCount {
		f["result"] = append(f["result"], r.String())
	}
	for _, n := range navigation {
		f["nav"] = append(f["nav"], strings.TrimPrefix(n.key, "nav."))
		for _, p := range n.pages {
			f["nav"] = append(f["nav"], strings.TrimPrefix(p.key, "nav."))
		}
	}
	for _, e := range review.Catalogue() {
		f["finding"] = append(f["finding"], string(e.Kind))
	}
	f["finding_help"] = append(f["finding_help"], f["finding"][2:]...)
	for _, e := range []string{"no_role", "sign_in", "forbidden", "cross_site", "not_found", "bad_input", "too_large", "throttled", "busy", "no_place", "internal"} {
		f["error"] = append(f["error"], e+"_title", e+"_text")
	}
	for _, e := range []string{"bad_input", "token", "account_pending", "no_orders", "forbidden", "media_type", "same_person", "too_late", "not_allowed", "revoked", "second_person", "wrong_state"} {
		f["api_error"] = append(f["api_error"], e+"_title", e+"_text")
	}
	ruleFamilies(words, f)
	reviewFamilies(f)
	findingFamilies(f)
	return f
}

// Every key that code or templates name exists, every member of a family too, and nothing in the
// catalogues is unused. RA-4 and the receptionist rely on each reason having its sentence.
func TestCatalogueIsUsed(t *testing.T) {
	words, err := loadCatalogues(files)
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]string{}
	inTemplate := regexp.MustCompile(`"([a-z_]+\.[a-z_]+)"`)
	for name, text := range templates(t) {
		for _, m := range inTemplate.FindAllStringSubmatch(text, -1) {
			used[m[1]] = name
		}
	}
	key := regexp.MustCompile(`^[a-z_]+\.[a-z_]+$`)
	sources, err := fs.Glob(os.DirFS("."), "*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range sources {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if s, _ := strconv.Unquote(lit.Value); key.MatchString(s) && words[Japanese][strings.SplitN(s, ".", 2)[0]+".x"] == "" {
					used[s] = name
				}
			}
			return true
		})
	}
	sections := map[string]bool{}
	for k := range words[Japanese] {
		section, _, _ := strings.Cut(k, ".")
		sections[section] = true
	}
	for section, members := range families(words) {
		for _, m := range members {
			used[section+"."+m] = "family " + section
		}
	}
	for k, where := range used {
		section, _, _ := strings.Cut(k, ".")
		if !sections[section] {
			if strings.HasPrefix(where, "templates/") {
				t.Errorf("%s names %s: no such section", where, k)
			}
			continue // a file name or the like
		}
		if !words[Japanese].has(k) && !strings.HasPrefix(k, "error.") && !strings.HasPrefix(k, "api_error.") {
			t.Errorf("%s names %s, which the catalogues do not have", where, k)
		}
	}
	events := eventWords(t)
	for _, e := range events {
		if !words[Japanese].has("event." + e) {
			t.Errorf("event %s has no word", e)
		}
		used["event."+e] = "family event"
	}
	for k := range words[Japanese] {
		if used[k] == "" {
			t.Errorf("%s is used nowhere", k)
		}
	}
}

// eventWords reads the events out of the door package's source: a new one must get its word.
func eventWords(t *testing.T) (out []string) {
	f, err := parser.ParseFile(token.NewFileSet(), "../../firmware/door/types.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok || len(v.Values) != 1 || !strings.HasPrefix(v.Names[0].Name, "Event") {
			return true
		}
		if lit, ok := v.Values[0].(*ast.BasicLit); ok {
			s, _ := strconv.Unquote(lit.Value)
			out = append(out, s)
		}
		return true
	})
	if len(out) < 30 {
		t.Fatalf("only %d events found", len(out))
	}
	return out
}

// Every icon that code names is drawn; the last branch, a dashed circle, is for none of them.
func TestIcons(t *testing.T) {
	icons := templates(t)["templates/_icons.html"]
	for _, look := range eventTones {
		if !strings.Contains(icons, `eq . "`+look.icon+`"`) {
			t.Errorf("no icon %q", look.icon)
		}
	}
	b := speaker{words: catalogue{}}
	for s := door.Secured; s <= door.Faulted; s++ {
		if tag := b.stateTag(s); !strings.Contains(icons, `eq . "`+tag.Icon+`"`) || tag.Tone == ToneLost {
			t.Errorf("state %d: %+v", s, tag)
		}
	}
	if tag := b.stateTag(door.Faulted + 1); tag.Tone != ToneLost {
		t.Errorf("a state nobody knows is shown as %+v", tag) // I9
	}
}

// The script stays small and has no eval.
func TestScript(t *testing.T) {
	b, err := fs.ReadFile(files, "static/live.js")
	if err != nil || len(b) > 5<<10 {
		t.Errorf("live.js: %d bytes, %v", len(b), err)
	}
	for _, bad := range []string{"eval(", "innerHTML", "document.write", "new Function"} {
		if strings.Contains(string(b), bad) {
			t.Errorf("live.js uses %s", bad)
		}
	}
}
