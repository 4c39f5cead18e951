package app

import (
	"fmt"
	"io"
	"strings"
	"time"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/gateway/commission"
	"monban/gateway/config"
)

const (
	linkPatience = time.Minute      // a link that is away for less mends itself
	sendPatience = 10 * time.Minute // records that wait longer while the server is heard are stuck
	clockAside   = time.Minute      // a machine's clock that differs more from the server's is not kept by anything
)

// PrintStatus writes how the gateway of cfg stands, by what it keeps in its data folder, in "ja" or else in English. The error says
// that there is nothing to print, or how many things need a person.
func PrintStatus(w io.Writer, cfg config.Config, lang string) error {
	s, err := loadStanding(cfg.DataDir)
	if err != nil {
		return err
	}
	m, err := thisMachine()
	if err != nil {
		return err
	}
	text, calls := s.text(m, lang == "ja")
	if _, err := io.WriteString(w, text); err != nil {
		return err
	}
	if calls > 0 {
		return fmt.Errorf("%d things need a person, the lines marked ! say which", calls)
	}
	return nil
}

// statusText is the report of this process in both languages.
func (a *App) statusText() commission.Text {
	s := a.standing()
	m := witnessed{s.Machine, time.Duration(s.RanNS), func(int) bool { return true }}
	ja, _ := s.text(m, true)
	en, _ := s.text(m, false)
	return commission.Text{JA: ja, EN: en}
}

// report gathers lines in one language.
type report struct {
	ja    bool
	zone  *time.Location
	lines strings.Builder
	calls []string
}

func (r *report) t(ja, en string) string {
	if r.ja {
		return ja
	}
	return en
}

// call adds what a person has to see to.
func (r *report) call(when bool, ja, en string) {
	if when {
		r.calls = append(r.calls, "! "+r.t(ja, en)+"\n")
	}
}

func (r *report) line(ja, en, what string) {
	fmt.Fprintf(&r.lines, "%s: %s\n", r.t(ja, en), what)
}

func (r *report) at(ms int64) string {
	return time.UnixMilli(ms).In(r.zone).Format("2006-01-02 15:04:05")
}

// span is a time in the two largest of its units.
func (r *report) span(d time.Duration) string {
	d = max(d, 0)
	days, hours, minutes, seconds := int(d/(24*time.Hour)), int(d/time.Hour)%24, int(d/time.Minute)%60, int(d/time.Second)%60
	switch {
	case days > 0:
		return fmt.Sprintf(r.t("%d日%d時間", "%d d %d h"), days, hours)
	case hours > 0:
		return fmt.Sprintf(r.t("%d時間%d分", "%d h %d min"), hours, minutes)
	case minutes > 0:
		return fmt.Sprintf(r.t("%d分%d秒", "%d min %d s"), minutes, seconds)
	}
	return fmt.Sprintf(r.t("%d秒", "%d s"), seconds)
}

// word translates a stable word; one that is not in the table stands as it is.
func (r *report) word(table map[string][2]string, w string) string {
	if t, ok := table[w]; ok {
		return r.t(t[0], t[1])
	}
	return w
}

var (
	clockWords = map[string][2]string{
		"none": {"不明", "unknown"}, "floor": {"最後に確かだった時刻から推定", "guessed from the last trusted time"}, "rtc": {"電池時計", "battery clock"},
		"ntp": {"NTP", "NTP"}, "server": {"サーバの時刻", "the server's time"},
	}
	stateWords = map[string][2]string{
		"secured": {"施錠中", "locked"}, "unlocked": {"解錠中", "unlocked"}, "open": {"開", "open"}, "held_open": {"長時間開放", "held open"}, "forced": {"こじ開け", "forced"},
		"lockdown": {"入室停止中", "lockdown"}, "released": {"火災連動で解放、復旧待ち", "released by the fire panel, to be re-armed"}, "faulted": {"機器異常", "out of order"},
	}
	contactWords = map[string][2]string{
		"open": {"開", "open"}, "closed": {"閉", "closed"}, "unknown": {"不明", "unknown"}, "none": {"なし", "none fitted"},
	}
	modeWords  = map[string][2]string{"normal": {"通常", "normal"}, "locked": {"閉鎖中", "locked"}, "lockdown": {"入室停止", "lockdown"}}
	sideWords  = map[string][2]string{"enter": {"入口", "entry"}, "exit": {"出口", "exit"}}
	aloneWords = map[string][2]string{"deny": {"入室不可", "nobody enters"}, "cached": {"手元の規則で判断", "decides by the policy held"}, "cached_pin": {"手元の規則と暗証番号で判断", "decides by the policy held, with PIN"}}
	levelWords = map[string][2]string{
		"ok": {"余裕あり", "room enough"}, "warn": {"残り少ない", "little room"}, "critical": {"残りわずか", "almost full"}, "full": {"満杯", "full"},
	}
	watchdogWords = map[string][2]string{"none": {"なし", "none"}, "armed": {"作動中", "armed"}, "failed": {"使えない", "could not be had"}}
	beforeWords   = map[string][2]string{
		door.BootFirst: {"初回", "first start"}, door.BootClean: {"前回は正常終了", "the one before ended as it should"}, door.BootUnclean: {"前回は停電か異常終了", "the one before ended in a power cut or a crash"},
	}
)

// text is the report, and how many of its lines call for a person. Times run on from when the file was written, by a clock that nobody sets.
func (s *standing) text(m witnessed, ja bool) (string, int) {
	zone, err := time.LoadLocation(s.TimeZone)
	if err != nil {
		zone = time.UTC
	}
	r := &report{ja: ja, zone: zone}
	now := s.process(r, m)
	s.link(r, now)
	s.policy(r, now)
	s.records(r, now)
	s.machine(r, now)
	for i := range s.Doors {
		s.Doors[i].lines(r, s, now)
	}
	head := fmt.Sprintf("%s %s / %s\n%s\n", r.t("ゲートウェイの状態", "Gateway"), s.Site, s.Gateway, fmt.Sprintf(r.t("%s (%s) のデータ", "data of %s (%s)"), r.at(s.WrittenMS), zone))
	if len(r.calls) == 0 {
		head += r.t("人手の要る項目なし", "Nothing needs a person") + "\n"
	}
	return head + strings.Join(r.calls, "") + "\n" + r.lines.String(), len(r.calls)
}

// process says whether somebody still keeps the file, and gives the time it is now, UTC ms.
func (s *standing) process(r *report, m witnessed) (now int64) {
	age := m.ran - time.Duration(s.RanNS)
	same := s.Machine == m.machine && age >= 0
	switch start := "sudo systemctl start monban-gateway"; {
	case !same:
		r.call(true, "機器が再起動したあと、ゲートウェイが動いていません。"+start, "The gateway has not run since this machine was started again: "+start)
		return s.WrittenMS
	case s.Stopped:
		r.call(true, "ゲートウェイは指示により停止しました。データは停止時のものです。"+start, "The gateway was told to stop; this is how it stood then: "+start)
	case !m.alive(s.PID):
		r.call(true, "ゲートウェイのプロセスがありません。データは最後のものです。"+start, "The gateway's process is gone; this is the last it wrote: "+start)
	case age > statusOld:
		r.call(true, "データが"+r.span(age)+"前のものです。プロセスが止まっているか、書き込めません。journalctl -u monban-gateway", "The data is "+r.span(age)+" old: the process hangs or cannot write: journalctl -u monban-gateway")
	}
	return s.WrittenMS + age.Milliseconds()
}

func (s *standing) link(r *report, now int64) {
	since := time.Duration(now-s.LinkedMS) * time.Millisecond
	state := r.t("なし", "down")
	if s.Linked {
		state = r.t("あり", "up")
	}
	r.line("サーバとの通信", "link to the server", fmt.Sprintf(r.t("%s(%s から、%s)", "%s (since %s, %s)"), state, r.at(s.LinkedMS), r.span(since)))
	r.call(!s.Linked && since >= linkPatience, "サーバと通信していません。ケーブル、サーバ、monban-gateway doctor を確認してください。", "The server is not heard: look at cable, server, and monban-gateway doctor.")
	q := r.word(clockWords, s.Clock)
	if s.Heard {
		q += fmt.Sprintf(r.t("、サーバとの差 %+.1f 秒", ", server's time minus the machine's: %+.1f s"), float64(s.AheadMS)/1000)
	}
	r.line("時計", "clock", q)
	r.call(s.Clock == "none" || s.Clock == "floor", "時計が信頼できません。手元の判断による入室はできません。", "The clock is not trusted: nobody enters by a local decision.")
	aside := time.Duration(s.AheadMS) * time.Millisecond
	r.call(s.Heard && (aside > clockAside || aside < -clockAside), "機器の時計がサーバと1分以上違います。timedatectl で NTP を確認してください。", "The machine's clock differs from the server's by more than a minute: see NTP with timedatectl.")
}

func (s *standing) policy(r *report, now int64) {
	if s.Policy == 0 {
		r.line("規則", "policy", r.t("なし", "none"))
		r.call(true, "規則がまだありません。誰も入れません。サーバとの通信を確認してください。", "There is no policy yet, nobody enters: see that the server is heard.")
		return
	}
	r.line("規則", "policy", fmt.Sprintf(r.t("版 %d(規則 %d)、%s に有効と確認、%s 前", "version %d (rules %d), known to be in force at %s, %s ago"), s.Policy, s.Rules, r.at(s.PolicyMS), r.span(time.Duration(s.ageMS(now))*time.Millisecond)))
}

// ageMS is how old the policy is now.
func (s *standing) ageMS(now int64) int64 { return s.AgeMS + now - s.WrittenMS }

func (s *standing) records(r *report, now int64) {
	wait := r.t("なし", "none")
	if s.Pending > 0 {
		wait = fmt.Sprintf(r.t("%d 件", "%d"), s.Pending)
		if s.OldestMS > 0 {
			wait += fmt.Sprintf(r.t("、最も古いものは %s", ", the oldest of %s"), r.at(s.OldestMS))
		}
	}
	r.line("未送信の記録", "records not sent", wait)
	old := s.OldestMS > 0 && now-s.OldestMS >= sendPatience.Milliseconds()
	r.call(s.Linked && old, "通信中なのに記録が送られていません。サーバの画面と journalctl -u monban-gateway を確認してください。", "Records are stuck though the server is heard: see the server's pages and journalctl -u monban-gateway.")
	r.line("記録の置き場", "space for records", fmt.Sprintf("%s (%d / %d MiB)", r.word(levelWords, s.Level), s.Used>>20, s.Cap>>20))
	r.call(s.Level != "ok", "記録の置き場が残り少なくなっています。満杯になると入室できません。サーバとの通信を戻してください。", "Space for records runs out; when it is full nobody enters: bring the link to the server back.")
	r.call(s.Latched, "記録を書き込めません。入室できません。ディスクを確認してください(monban-gateway doctor)。", "Records cannot be written and nobody enters: see the disk (monban-gateway doctor).")
}

func (s *standing) machine(r *report, now int64) {
	left := time.Duration(s.CertToMS-now) * time.Millisecond
	r.line("証明書", "certificate", fmt.Sprintf(r.t("残り %d 日(%s まで)", "%d days left (until %s)"), max(int(left/(24*time.Hour)), 0), r.at(s.CertToMS)))
	ja, en := "自動更新されるはずです。サーバの登録ポート (enrol_server) への通信を確認してください。", "it should renew itself: see that enrol_server is reached."
	if !s.Renews {
		ja, en = "enrol_server を設定するか、新しい身分証を作ってください。", "set enrol_server, or make a new identity."
	}
	life := time.Duration(s.CertToMS-s.CertFromMS) * time.Millisecond
	switch {
	case left <= 0:
		r.call(true, "証明書の期限が切れています。サーバでコードを発行し、新しい身分証を作ってください。", "The certificate has ended: make a new identity with a code from the server.")
	case left < certificateLate(life):
		r.call(true, "証明書がまもなく切れます。"+ja, "The certificate ends soon; "+en)
	}
	systemd := r.t("なし", "none")
	if s.Systemd {
		systemd = r.t("あり", "told")
	}
	r.line("ウォッチドッグ", "watchdog", fmt.Sprintf("%s, systemd %s", r.word(watchdogWords, s.Watchdog), systemd))
	r.call(s.Watchdog == "failed", "ウォッチドッグが使えません。journalctl -u monban-gateway を確認してください。", "The watchdog could not be had: see journalctl -u monban-gateway.")
	r.call(s.Still != "", "止まっている処理があります: "+s.Still, "Loops stand still: "+s.Still)
	r.line("ソフトウェア", "software", s.Software)
	r.line("起動", "started", fmt.Sprintf("%s (%s)", r.at(s.StartedMS), r.word(beforeWords, s.Before)))
}

func (d *doorStanding) lines(r *report, s *standing, now int64) {
	kind := ""
	if d.Observed {
		kind = r.t("(監視のみ)", " (observed)")
	}
	fmt.Fprintf(&r.lines, "\n[%s]%s\n", d.ID, kind)
	name := r.t("扉 "+d.ID+": ", "Door "+d.ID+": ")
	call := func(when bool, ja, en string) { r.call(when, name+ja, name+en) }
	if !d.Known {
		r.line("  状態", "  state", r.t("まだ不明", "not known yet"))
		return
	}
	r.line("  状態", "  state", r.word(stateWords, d.State))
	call(d.worst(), r.word(stateWords, d.State)+"。現地を確認してください。", r.word(stateWords, d.State)+". Go and look.")
	r.line("  扉の接点", "  contact", r.word(contactWords, d.Contact))
	call(d.Contact == "unknown", "接点を読めません。配線を確認してください。", "the contact cannot be read: see the wiring.")
	r.line("  モード", "  mode", r.word(modeWords, d.Mode))
	var readers []string
	for _, x := range d.Readers {
		side, state := r.word(sideWords, x.Side), r.t("応答あり", "online")
		if x.Lost {
			state = r.t("応答なし", "lost")
			call(true, "リーダー("+side+")が応答しません。電源と配線を確認してください。", "the reader ("+side+") does not answer: see its power and wiring.")
		}
		readers = append(readers, side+" "+state)
	}
	r.line("  リーダー", "  readers", strings.Join(readers, ", "))
	tamper := r.t("正常", "well")
	if d.Tampered {
		tamper = r.t("検知(復旧待ち)", "seen, to be re-armed")
	}
	r.line("  機器の開封検知", "  tamper", tamper)
	call(d.Tampered, "機器の開封を検知しました。現地を確かめ、サーバの画面で復旧してください。", "tampering was seen: look at it, then re-arm at the server.")
	call(d.Faulty, "信号線かリーダーに異常があります。monban-gateway doctor で確認してください。", "a line or a reader is in trouble: see monban-gateway doctor.")
	alone := r.word(aloneWords, d.Alone.String())
	if d.Alone != access.OfflineDeny && s.Policy != 0 {
		until := now + d.MaxAgeMS - s.ageMS(now)
		alone += fmt.Sprintf(r.t("(%s まで)", " (until %s)"), r.at(until))
		call(until <= now, "規則が古くなり、サーバなしでは入れません。", "the policy is too old: without the server nobody enters.")
	}
	r.line("  サーバなしのとき", "  without the server", alone)
}
