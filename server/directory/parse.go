package directory

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/firmware/door"
)

// word is one value of an enumeration as files may write it.
type word[T any] struct {
	value T
	names string // space separated; English first, Japanese after
}

func oneOf[T any](r *row, column string, words []word[T], empty T) T {
	v := r.get(column)
	if v == "" {
		return empty
	}
	var known []string
	for _, w := range words {
		for i, n := range strings.Fields(w.names) {
			if strings.EqualFold(n, v) {
				return w.value
			}
			if i == 0 {
				known = append(known, n)
			}
		}
	}
	r.failValue(column, "is not known; write "+strings.Join(known, ", "))
	return empty
}

func categories() []word[Category] {
	return []word[Category]{
		{Staff, "staff 職員"}, {Contractor, "contractor 委託 外部委託 外部委託事業者"}, {Visitor, "visitor 来訪 来訪者 部外者"},
	}
}

// personKinds are the kinds of a category; of "" all of them.
func personKinds(c Category) []word[PersonKind] {
	staff := []word[PersonKind]{
		{Regular, "regular 正規 正規職員"}, {PartTime, "part_time 会計年度任用 会計年度任用職員"}, {Reappointed, "reappointed 再任用 再任用職員"}, {SpecialPost, "special_post 特別職"},
	}
	contractor := []word[PersonKind]{
		{Outsourcer, "outsourcer 外部委託 外部委託事業者"}, {DesignatedManager, "designated_manager 指定管理者"}, {HousingProxy, "housing_proxy 管理代行者"},
	}
	visitor := []word[PersonKind]{
		{Supplier, "supplier 納入業者 業者"}, {SchoolEmployee, "school_employee 学校職員 小中学校職員"}, {Inspector, "inspector 検査 監査"},
		{Public, "public 一般 市民"}, {OtherVisitor, "other その他"},
	}
	switch c {
	case Staff:
		return staff
	case Contractor:
		return contractor
	case Visitor:
		return visitor
	}
	return slices.Concat(staff, contractor, visitor)
}

func antiPassbacks() []word[AntiPassback] {
	return []word[AntiPassback]{{PassbackOff, "off なし"}, {PassbackSoft, "soft 警告"}, {PassbackHard, "hard 拒否"}, {PassbackTimed, "timed 時限"}}
}

func escorts() []word[Escort] {
	return []word[Escort]{{EscortNone, "none なし 不要"}, {EscortVisitors, "visitors 来訪者"}, {EscortOutsiders, "outsiders 部外者 来訪者と委託"}}
}

func trainings() []word[Training] {
	return []word[Training]{{TrainingOff, "off なし"}, {TrainingFlag, "flag 記録"}, {TrainingDeny, "deny 拒否"}}
}

func carryIns() []word[CarryIn] {
	return []word[CarryIn]{{CarryInFree, "free 自由"}, {CarryInDeclared, "declared 申告"}, {CarryInAttended, "attended 立会い"}}
}

func yesNo() []word[bool] {
	return []word[bool]{{true, "yes true 1 y はい 有 有効 ○ する"}, {false, "no false 0 n いいえ 無 無効 × しない"}}
}

func statuses() []word[access.CredentialStatus] {
	return []word[access.CredentialStatus]{
		{access.CredentialActive, "active 有効"}, {access.CredentialSuspended, "suspended 停止 一時停止"},
		{access.CredentialLost, "lost 紛失"}, {access.CredentialRevoked, "revoked 失効 抹消"},
	}
}

func assurances() []word[card.Assurance] {
	return []word[card.Assurance]{
		{card.UIDOnly, "uid_only 番号のみ"}, {card.CardAuth, "card_auth カード認証"}, {card.MutualAuth, "mutual_auth 相互認証"},
	}
}

func doorKinds() []word[door.Kind] {
	return []word[door.Kind]{{door.KindControlled, "controlled 制御"}, {door.KindObserve, "observe 記録のみ"}}
}

func sensings() []word[door.ExitSensing] {
	return []word[door.ExitSensing]{
		{door.ExitNone, "none なし"}, {door.ExitReader, "reader 読取機"}, {door.ExitButton, "button 釦 ボタン"}, {door.ExitHandle, "handle 内側ハンドル ハンドル"},
	}
}

func offlineModes() []word[access.OfflineMode] {
	return []word[access.OfflineMode]{
		{access.OfflineDeny, "deny 拒否"}, {access.OfflineCached, "cached 保存済み"}, {access.OfflineCachedPIN, "cached_pin 保存済みと暗証番号"},
	}
}

func remoteUnlocks() []word[RemoteUnlock] {
	return []word[RemoteUnlock]{{RemoteOff, "off 不可"}, {RemoteTwo, "two 二人"}, {RemoteOne, "one 一人"}}
}

func doorModes() []word[access.DoorMode] {
	return []word[access.DoorMode]{{access.ModeNormal, "normal 通常"}, {access.ModeLocked, "locked 閉鎖"}, {access.ModeLockdown, "lockdown 封鎖"}}
}

func keyModes() []word[KeyMode] {
	return []word[KeyMode]{{KeyFile, "A"}, {KeyBoard, "B"}, {KeyChip, "C"}, {KeyServer, "D"}}
}

// recovery reads "C-001 C-003", the whole list of a door; "none" empties it.
func (r *row) recovery(column string, empty RecoveryCards) RecoveryCards {
	v := r.get(column)
	switch v {
	case "":
		return empty
	case "none", "なし":
		return RecoveryCards{}
	}
	var ids []CardID
	for _, id := range strings.FieldsFunc(v, func(c rune) bool { return strings.ContainsRune(" \u3000・、;/", c) }) {
		ids = append(ids, CardID(id))
	}
	c, err := MakeRecoveryCards(ids)
	if err != nil {
		r.fail(column, err.Error())
	}
	return c
}

// date reads a date cell. Empty gives empty.
func (d *draft) date(r *row, column string, empty Date) Date {
	v := r.get(column)
	if v == "" {
		return empty
	}
	if d.cfg.Relative {
		if rel, ok := d.relative(v); ok {
			return rel
		}
	}
	got, err := ParseDate(v)
	if err != nil {
		r.failValue(column, "is "+strings.TrimPrefix(err.Error(), "is "))
		return empty
	}
	return got
}

// relative reads today, today+30, today-1 and fy_end.
func (d *draft) relative(v string) (Date, bool) {
	if v == "fy_end" {
		return d.today.FiscalYearEnd(), true
	}
	rest, ok := strings.CutPrefix(v, "today")
	if !ok {
		return Date{}, false
	}
	if rest == "" {
		return d.today, true
	}
	n, err := strconv.Atoi(rest)
	if err != nil || n < -10_000 || n > 10_000 {
		return Date{}, false
	}
	return d.today.AddDays(n), true
}

// number reads a decimal number; full-width digits, signs, blanks and separators are refused.
func (r *row) number(column string, low, high uint64) uint64 {
	v := r.need(column)
	if v == "" {
		return 0
	}
	n, err := strconv.ParseUint(v, 10, 64)
	if err != nil || v[0] == '+' {
		r.failValue(column, "is not a whole number in digits 0–9; set the cell's format to text so that no digit is lost")
		return 0
	}
	if n < low || n > high {
		r.failValue(column, fmt.Sprintf("is outside %d–%d", low, high))
		return 0
	}
	return n
}

// optional is number for a column that may be empty, which gives empty.
func (r *row) optional(column string, empty, low, high uint64) uint64 {
	if r.get(column) == "" {
		return empty
	}
	return r.number(column, low, high)
}

// duration reads 1h, 90m, 24h between low and high.
func (r *row) duration(column string, empty, low, high time.Duration) time.Duration {
	v := r.get(column)
	if v == "" {
		return empty
	}
	got, err := time.ParseDuration(v)
	if err != nil {
		r.failValue(column, "is not a length of time; write 1h or 30m")
		return empty
	}
	if got < low || got > high {
		r.failValue(column, fmt.Sprintf("is outside %v–%v", low, high))
		return empty
	}
	return got
}

// clock reads 8:30 or 22:00 as seconds since midnight; 24:00 only where end is set.
func (r *row) clock(column string, end bool) int {
	v := r.need(column)
	if v == "" {
		return 0
	}
	h, m, ok := strings.Cut(strings.ReplaceAll(v, ":", ":"), ":")
	hour, err1 := strconv.ParseUint(h, 10, 8)
	minute, err2 := strconv.ParseUint(m, 10, 8)
	sec := int(hour)*3600 + int(minute)*60
	if !ok || err1 != nil || err2 != nil || len(m) != 2 || minute > 59 || sec > 86400 || (sec == 86400 && !end) {
		r.failValue(column, "is not a time of day; write 8:30 or 22:00")
		return 0
	}
	return sec
}

// dayWords are the days as files may write them, lower case.
func dayWords() map[string]Day {
	return map[string]Day{
		"mon": DayMonday, "月": DayMonday, "tue": DayTuesday, "火": DayTuesday, "wed": DayWednesday, "水": DayWednesday,
		"thu": DayThursday, "木": DayThursday, "fri": DayFriday, "金": DayFriday, "sat": DaySaturday, "土": DaySaturday,
		"sun": DaySunday, "日": DaySunday, "closed": DayClosed, "祝": DayClosed, "閉庁日": DayClosed,
		"weekdays": DayWeekdays, "平日": DayWeekdays, "every": DayEvery, "毎日": DayEvery,
	}
}

// days reads "weekdays", "every", "mon tue", "mon-fri", "月-金", "土 日 閉庁日".
func (r *row) days(column string) Day {
	v := strings.ToLower(r.need(column))
	words := dayWords()
	var set Day
	for _, part := range strings.FieldsFunc(v, func(c rune) bool { return strings.ContainsRune(" \u3000・、;/", c) }) {
		from, to, span := strings.Cut(strings.NewReplacer("〜", "-", "~", "-", "–", "-").Replace(part), "-")
		a, okA := words[from]
		b, okB := words[to]
		switch {
		case okA && !span:
			set |= a
		case okA && okB && single(a) && single(b) && a <= b:
			for day := a; ; day <<= 1 {
				set |= day
				if day == b {
					break
				}
			}
		default:
			r.failValue(column, "is not a list of days; write weekdays, every, mon-fri, sat sun or closed")
			return 0
		}
	}
	if set == 0 && v != "" && !r.bad {
		r.failValue(column, "is not a list of days; write weekdays, every, mon-fri, sat sun or closed")
	}
	return set
}

// single reports whether d is exactly one day of the week.
func single(d Day) bool { return d != 0 && d&(d-1) == 0 && d != DayClosed }

// DoorKindName gives the stable name of a door kind; an unknown value is "".
func DoorKindName(k door.Kind) string { return wordOf(doorKinds(), k) }

// ParseDoorKind reads a stable name; any other text is KindObserve, which drives no lock, and an error.
func ParseDoorKind(name string) (door.Kind, error) {
	return parseWord(doorKinds(), name, door.KindObserve)
}

// ExitSensingName gives the stable name of a way to sense an exit; an unknown value is "".
func ExitSensingName(s door.ExitSensing) string { return wordOf(sensings(), s) }

// ParseExitSensing reads a stable name; any other text is ExitNone and an error.
func ParseExitSensing(name string) (door.ExitSensing, error) {
	return parseWord(sensings(), name, door.ExitNone)
}

// parseWord finds a value by its first, stable, name.
func parseWord[T comparable](words []word[T], name string, none T) (T, error) {
	for _, w := range words {
		if first, _, _ := strings.Cut(w.names, " "); first == name {
			return w.value, nil
		}
	}
	return none, fmt.Errorf("unknown name %q", clip(name))
}
