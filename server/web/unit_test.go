package web

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/firmware/door"
)

var small = Cost{Time: 1, Memory: 64, Threads: 1}

func base(t *testing.T, l Lang) Base {
	t.Helper()
	words, err := loadCatalogues(files)
	if err != nil {
		t.Fatal(err)
	}
	return Base{say: speaker{lang: l, words: words[l], zone: time.UTC, now: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC), mask: make([]byte, 32)}}
}

// D17, PR-3: a name whose key is missing is not called erased, in the register neither.
func TestUnreadableIsNotErased(t *testing.T) {
	b := base(t, Japanese)
	v := &registerView{Base: b}
	for _, c := range []struct {
		row  RegisterRow
		want string
	}{
		{RegisterRow{Who: Who{Ref: "0a"}, Erased: true}, "消去済"},
		{RegisterRow{Who: Who{Ref: "0a", Unreadable: true}}, "判読不可"},
		{RegisterRow{Who: Who{Unreadable: true}}, "判読不可"},
	} {
		if got := v.registerLine(&c.row).Who; got.Name != c.want || !got.Token {
			t.Errorf("%+v: %+v", c.row, got)
		}
	}
	if got := b.say.person(Who{Ref: "0a", Unreadable: true}).Name; got != "判読不可" {
		t.Error(got)
	}
}

// A page never says "nothing to report" when a link is down, data is old, a door alarms or is
// unknown, or something is open.
func TestBanner(t *testing.T) {
	b := base(t, English)
	calm := func() Overview {
		return Overview{UpTo: b.say.now, Gateways: []Gateway{{Name: "g", Linked: true, LastSeen: b.say.now}},
			Doors: []DoorState{{Name: "d", Known: true, Linked: true, State: door.Secured, Reader: "ok", Contact: "closed"}}}
	}
	for _, c := range []struct {
		name   string
		change func(*Overview)
		tone   Tone
	}{
		{"calm", func(*Overview) {}, ToneGood},
		{"link down", func(o *Overview) { o.Gateways[0].Linked = false }, ToneLost},
		{"one of two links down", func(o *Overview) { o.Gateways = append(o.Gateways, Gateway{Name: "h"}) }, ToneLost},
		{"no gateway", func(o *Overview) { o.Gateways = nil }, ToneLost},
		{"zero overview", func(o *Overview) { *o = Overview{} }, ToneLost},
		{"old data", func(o *Overview) { o.UpTo = b.say.now.Add(-staleAfter - time.Second) }, ToneLost},
		{"door never told", func(o *Overview) { o.Doors[0].Known = false }, ToneLost},
		{"reader lost", func(o *Overview) { o.Doors[0].Reader = "lost" }, ToneAlarm},
		{"forced", func(o *Overview) { o.Doors[0].State = door.Forced }, ToneAlarm},
		{"held open", func(o *Overview) { o.Doors[0].State = door.HeldOpen }, ToneAlarm},
		{"released by fire", func(o *Overview) { o.Doors[0].State = door.Released }, ToneAlarm},
		{"faulted", func(o *Overview) { o.Doors[0].State = door.Faulted }, ToneAlarm},
		{"a finding", func(o *Overview) { o.OpenAll = 1 }, ToneWarn},
		{"finding and link down", func(o *Overview) { o.OpenAll = 1; o.Gateways[0].Linked = false }, ToneLost},
		{"forced and link down", func(o *Overview) { o.Doors[0].State = door.Forced; o.Gateways[0].Linked = false }, ToneAlarm},
	} {
		o := calm()
		c.change(&o)
		got := b.say.bannerOf(o, b.say.now)
		if got.Tone != c.tone || (got.Word == b.T("banner.calm")) != (c.tone == ToneGood) {
			t.Errorf("%s: %+v, want %s", c.name, got, c.tone)
		}
		if c.tone != ToneGood && len(got.Lines) == 0 {
			t.Errorf("%s: no reason given", c.name)
		}
	}
}

// A door whose gateway is silent is not shown as locked, whatever it said last.
func TestDoorCardWithoutLink(t *testing.T) {
	b := base(t, Japanese)
	for s := door.Secured; s <= door.Faulted; s++ {
		c := b.say.doorCard(DoorState{Kind: door.KindControlled, Known: true, State: s, Linked: false, Since: b.say.now})
		if c.Tone != ToneLost || c.Word != b.T("state.unknown") || !strings.Contains(c.Last, b.say.stateTag(s).Word) {
			t.Errorf("state %d: %+v", s, c)
		}
	}
	if c := b.say.doorCard(DoorState{Linked: true}); c.Tone != ToneLost || c.Last != "" {
		t.Errorf("never told: %+v", c)
	}
}

func TestPassword(t *testing.T) {
	phc, err := HashPassword("ｐａｓｓ漢字パスワード", small)
	if err != nil || !strings.HasPrefix(phc, "$argon2id$v=19$m=64,t=1,p=1$") {
		t.Fatal(phc, err)
	}
	for password, want := range map[string]bool{
		"ｐａｓｓ漢字パスワード": true, "pass漢字パスワード": true, // NFKC: full-width and half-width are one
		"pass漢字パスワート": false, "": false,
	} {
		if got := VerifyPassword(phc, password); got != want {
			t.Errorf("%q: %v, want %v", password, got, want)
		}
	}
	for _, bad := range []string{"", "x", "$argon2i$v=19$m=64,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAA", strings.Replace(phc, "v=19", "v=16", 1),
		strings.Replace(phc, "m=64", "m=9999999", 1), strings.Replace(phc, "t=1", "t=0", 1), phc[:len(phc)-30], phc + "$"} {
		if VerifyPassword(bad, "ｐａｓｓ漢字パスワード") {
			t.Errorf("%q verifies", bad)
		}
	}
	if _, err := HashPassword("x", Cost{}); err == nil {
		t.Error("a zero cost is accepted")
	}
	if c, _, _, err := parsePHC(mustHash(t, DefaultCost)); err != nil || c != DefaultCost {
		t.Errorf("default cost comes back as %+v, %v", c, err)
	}
	for _, c := range []struct{ password, repeat, want string }{
		{"short", "short", "password.short"}, {strings.Repeat("ab", 10), strings.Repeat("ab", 10), "password.simple"},
		{"Sakiyama-2026-abc", "Sakiyama-2026-abc", "password.has_name"}, {"correct horse battery", "correct horse batter", "password.differs"},
		{strings.Repeat("長いパスワード", 40), "", "password.long"}, {"correct horse battery", "correct horse battery", ""},
		{"漢字だけの十二文字です。はい", "漢字だけの十二文字です。はい", ""},
	} {
		if got := passwordFault(c.password, c.repeat, "sakiyama"); got != c.want {
			t.Errorf("%q: %q, want %q", c.password, got, c.want)
		}
	}
}

func mustHash(t *testing.T, c Cost) string {
	t.Helper()
	s, err := HashPassword("x", c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSetupCode(t *testing.T) {
	code, hash := NewSetupCode()
	other, otherHash := NewSetupCode()
	if code == other || hash == otherHash || len(code) != 14 {
		t.Fatal(code, other)
	}
	for _, same := range []string{strings.ToLower(code), strings.ReplaceAll(code, "-", " "), strings.ReplaceAll(code, "O", "0"), strings.ReplaceAll(code, "-", "")} {
		if HashSetupCode(same) != hash {
			t.Errorf("%q and %q are one code", code, same)
		}
	}
}

func TestBuckets(t *testing.T) {
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	b := newBuckets(3, time.Minute)
	for range 3 {
		if w := b.take("a", now); w != 0 {
			t.Fatal("wait", w)
		}
	}
	if w := b.take("a", now); w != time.Minute {
		t.Errorf("fourth try waits %v, want 1m", w)
	}
	if w := b.take("a", now.Add(30*time.Second)); w != 30*time.Second {
		t.Errorf("after half a minute it waits %v, want 30s", w)
	}
	if w := b.take("b", now); w != 0 {
		t.Error("another key waits")
	}
	if w := b.take("a", now.Add(time.Minute)); w != 0 {
		t.Errorf("after a minute it waits %v", w)
	}
	b.forget("a")
	if w := b.take("a", now.Add(time.Minute)); w != 0 {
		t.Errorf("after a success it waits %v", w)
	}
	// Made-up names cannot fill the memory, and cannot buy tries either.
	free := 0
	for i := range maxBuckets + 1000 {
		if b.take(fmt.Sprint("x", i), now) == 0 {
			free++
		}
	}
	if len(b.by) > maxBuckets || free > maxBuckets+3 {
		t.Errorf("%d buckets, %d tries", len(b.by), free)
	}
}

func TestLocalPath(t *testing.T) {
	for to, want := range map[string]string{
		"/log?day=2026-11-23": "/log?day=2026-11-23", "/": "/", "": "/", "log": "/", "//evil.example": "/", "/\\evil.example": "/",
		"https://evil.example/": "/", "/\t/evil.example": "/", "javascript:x": "/", "/x\r\nSet-Cookie: a=b": "/", "/" + strings.Repeat("x", 2000): "/",
	} {
		if got := localPath(to); got != want {
			t.Errorf("%q → %q, want %q", to, got, want)
		}
	}
}

func TestLanguageChoice(t *testing.T) {
	h := &Handler{}
	for _, c := range []struct {
		account Lang
		cookie  string
		accept  string
		want    Lang
	}{
		{"", "", "", Japanese}, {"", "", "en-GB,en;q=0.8", English}, {"", "", "ja,en;q=0.5", Japanese}, {"", "", "fr,en;q=0.3", English},
		{"", "", "zh-CN", Japanese}, {"", "", "%%%", Japanese}, {"", "en", "ja", English}, {"", "xx", "ja", Japanese},
		{Japanese, "en", "en", Japanese}, {English, "ja", "ja", English}, {"xx", "", "en", English},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Accept-Language", c.accept)
		if c.cookie != "" {
			r.AddCookie(&http.Cookie{Name: languageCookie, Value: c.cookie})
		}
		if got := h.chooseLanguage(r, &Account{Language: c.account}); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

func TestDates(t *testing.T) {
	at := time.Date(2026, 11, 23, 0, 5, 9, 0, time.UTC)
	if got := showDayTime(at, Japanese); got != "2026年11月23日(月) 00:05:09" {
		t.Error(got)
	}
	if got := showDayTime(at, English); got != "2026-11-23 Mon 00:05:09" {
		t.Error(got)
	}
}

func TestRoles(t *testing.T) {
	if len(Roles()) != 11 {
		t.Fatalf("%d roles, want RA-1's 11", len(Roles()))
	}
	now := time.Now()
	a := Account{Roles: []Assignment{{Role: RoleAuditor, From: now.Add(time.Second)}, {Role: RoleCISO, Until: now},
		{Role: RoleReception, From: now, Until: now.Add(time.Second)}, {}, {Role: 200}}}
	if got := a.rolesAt(now); got != roleSet(RoleReception) {
		t.Errorf("in force: %v", got.list())
	}
	for _, r := range Roles() {
		if got, ok := ParseRole(r.String()); !ok || got != r {
			t.Errorf("%s does not come back", r)
		}
	}
	if _, ok := ParseRole("none"); ok {
		t.Error("none is a role")
	}
	if seesNames(desk, roleSet(RoleSystemAdmin)) || !seesNames(desk, roleSet(RoleSystemAdmin, RoleAuditor)) || seesNames(groupS, roleSet(RoleSystemAdmin, RoleAuditor)) {
		t.Error("who sees names is wrong")
	}
}

// An exit in spite of failed checks says which (D11); a denial says its primary reason.
func TestReasonOf(t *testing.T) {
	b := base(t, English)
	failed := access.ReasonSet(0).With(access.ReasonContractExpired)
	if got := b.say.reasonOf(Attempt{Result: ResultExited, Reason: access.ReasonGranted, Failed: failed}); !strings.Contains(got, b.T("reason.contract_expired")) {
		t.Error(got)
	}
	if got := b.say.reasonOf(Attempt{Result: ResultEntered, Reason: access.ReasonGranted}); got != "" {
		t.Error(got)
	}
	if got := b.say.reasonOf(Attempt{Result: ResultDenied}); got != b.T("reason.undecided") {
		t.Error(got)
	}
}

func TestServerLimits(t *testing.T) {
	s := NewServer(http.NotFoundHandler(), nil)
	if s.ReadHeaderTimeout <= 0 || s.ReadTimeout <= 0 || s.WriteTimeout <= 0 || s.IdleTimeout <= 0 || s.MaxHeaderBytes <= 0 {
		t.Errorf("a limit is missing: %+v", s)
	}
}

func TestConfig(t *testing.T) {
	if _, err := New(Config{}, Sources{}); err == nil || !strings.Contains(err.Error(), "zone") || !strings.Contains(err.Error(), "source missing: audit") {
		t.Errorf("empty config: %v", err)
	}
	if _, err := New(Config{Zone: time.UTC, Idle: time.Hour, Absolute: time.Minute}, Sources{}); err == nil || !strings.Contains(err.Error(), "idle") {
		t.Errorf("idle above absolute: %v", err)
	}
}

// DS-11: an observed door has no lock, and no page says that it is locked.
func TestObservedDoorIsNeverLocked(t *testing.T) {
	b := base(t, Japanese)
	for _, s := range []door.StateName{door.Secured, door.Unlocked, door.InLockdown} {
		c := b.say.doorCard(DoorState{Kind: door.KindObserve, Known: true, Linked: true, State: s})
		if c.Word == b.T("state.secured") || c.Word == b.T("state.unlocked") || c.Word == b.T("state.lockdown") {
			t.Errorf("state %v of an observed door reads %q", s, c.Word)
		}
	}
}

// AD-7, AD-18: a mismatch says what the server thinks now, what changed and how late the record came;
// every part of the detail has words in both languages, and a grant by recovery card says so.
func TestMismatchInWords(t *testing.T) {
	for detail, want := range map[string][]string{
		"credential_revoked:rules-41-43:late-5400s": {"reason.credential_revoked", "41", "43", "1 h"},
		"lockdown:mode:late-0s":                     {"reason.lockdown", "mismatch.mode"},
		"grant_expired:same:late-61s":               {"reason.grant_expired", "mismatch.same", "1 min"},
		"granted:held-no_grant:late-0s":             {"mismatch.agrees", "reason.no_grant"},
		"no_grant:unknown-99-43:late-0s":            {"reason.no_grant", "mismatch.unknown"},
		"no_grant":                                  {"reason.no_grant"},
		"":                                          nil,
		"<script>:nonsense:late-xs":                 nil,
	} {
		b := base(t, English)
		got := b.say.mismatch(detail)
		for _, w := range want {
			if b.say.words.has(w) {
				w = b.T(w)
			}
			if !strings.Contains(got, w) {
				t.Errorf("%s: %q lacks %q", detail, got, w)
			}
		}
		if want == nil && got != "" {
			t.Errorf("%q: %q", detail, got)
		}
		if ja := base(t, Japanese).say.mismatch(detail); (ja == "") != (got == "") {
			t.Errorf("%s in Japanese: %q", detail, ja)
		}
	}
	b := base(t, English)
	failed := access.ReasonSet(0).With(access.ReasonClockUntrusted).With(access.ReasonRecoveryCard)
	if got := b.say.reasonOf(Attempt{Result: ResultEntered, Reason: access.ReasonGranted, Failed: failed}); got != b.T("reason.recovery_card") {
		t.Error(got)
	}
}
