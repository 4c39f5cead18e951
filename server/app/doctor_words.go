package app

import (
	"strconv"
	"strings"

	"monban/firmware/phrase"
)

// badMark stands before what is not well.
const badMark = "BAD  "

// Line is the doctor's line in English, or in Japanese. The mark before it is the same in both: programs read it.
func (c *Check) Line(japanese bool) string {
	say := func(text string) string { return text }
	if japanese {
		say = inJapanese
	}
	if c.Err != nil {
		return badMark + say(c.Name) + colon(japanese) + say(c.Err.Error())
	}
	note := strings.TrimPrefix(c.Note, ": ")
	if note == "" {
		return "ok   " + say(c.Name)
	}
	if note == c.Note { // it goes on without a colon
		return "ok   " + say(c.Name) + note
	}
	return "ok   " + say(c.Name) + colon(japanese) + say(note)
}

// ChecksFailed is the last line when something is wrong.
func ChecksFailed(bad, of int, japanese bool) string {
	text := strconv.Itoa(bad) + " of " + strconv.Itoa(of) + " checks failed"
	if japanese {
		text = inJapanese(text)
	}
	return text
}

func colon(japanese bool) string {
	if japanese {
		return "："
	}
	return ": "
}

var doctorCatalogue = phrase.Compile(doctorPhrases)

// inJapanese says a text of the doctor in Japanese. What has no line in the catalogue, such as the words of the operating system, stays as it is.
func inJapanese(text string) string {
	if parts := strings.Split(text, "; "); len(parts) > 1 { // a list, unless the sentence itself has one
		said := true
		for i, part := range parts {
			parts[i] = doctorCatalogue.Say(part, inJapanese)
			said = said && parts[i] != part
		}
		if said {
			return strings.Join(parts, "；")
		}
	}
	return doctorCatalogue.Say(text, inJapanese)
}

// doctorPhrases is the catalogue: what is more special stands first. TestDoctorSpeaksJapanese finds what the doctor says and is not here.
var doctorPhrases = []phrase.Phrase{
	{"%d of %d checks failed", "{2} 項目のうち {1} 項目に異常があります"},
	{"configuration %s", "設定ファイル {1}"},
	{"keys, certificates, database in %s", "鍵・証明書・データベース（{1}）"},
	{"database pages", "データベースのページ"},
	{"keys of the records", "記録を読むための鍵"},
	{"%s (and %d more)", "{1}（ほか {2} 件）"},
	{"leaf %d does not open with the key of %s of fiscal year %d, which is there: somebody or the disk changed the record, or it alone has another key: leave %s as it is and run `monban-server verify --openings`", "記録簿の {1} 番が、{3} 年度の区分 {2} の鍵（保管されています）で読めません。記録の改変かディスクの故障、またはこの 1 件だけが別の鍵で書かれたものです。{4} はそのままにして `monban-server verify --openings` を実行してください"},
	{"the key of %s of fiscal year %d is not in %s, and no disposal destroyed it: put a copy of the file in its place", "{2} 年度の区分 {1} の鍵が {3} になく、廃棄の記録もありません。鍵の保管ファイルの写しを戻してください"},
	{"clock", "時計"},
	{"stands at %s, but the newest entry is of %s: set it before serve", "{1} を指していますが、最新の記録は {2} です。serve の前に時計を合わせてください"},

	{"owner of the files", "ファイルの所有者"},
	{"another user's, which the server cannot use: %s and %d more: as root, chown -R %s: %s", "別の利用者の所有で、サーバが使えません：{1} ほか {2} 件。root で chown -R {3}: {4} を実行してください"},
	{"another user's, which the server cannot use: %s: as root, chown -R %s: %s", "別の利用者の所有で、サーバが使えません：{1}。root で chown -R {2}: {3} を実行してください"},
	{"list of refused certificates", "失効証明書の一覧"},
	{"%s: no gateway can connect anew until it can be read, and a denial in it may not be in force: mend its owner or the line, then deny again", "{1}。読めるようになるまで、ゲートウェイは新たに接続できません。失効の操作が効いていないおそれがあります。ファイルの所有者またはその行を直し、もう一度失効の操作をしてください"},

	{"certificates", "証明書"},
	{"%d days left, renewed by serve: do it now: %s", "残り {1} 日、serve が更新します。今すぐ対応してください：{2}"},
	{"%d days left, renewed by serve: plan it: %s", "残り {1} 日、serve が更新します。予定に入れてください：{2}"},
	{"%d days left, renewed by serve", "残り {1} 日、serve が更新します"},
	{"%d days left: do it now: %s", "残り {1} 日。今すぐ対応してください：{2}"},
	{"%d days left: plan it: %s", "残り {1} 日。予定に入れてください：{2}"},
	{"%d days left", "残り {1} 日"},
	{"the root certificate ends on %s: change the root (`monban-server ca roll`)", "ルート証明書の期限は {1} です。ルートを交換してください（`monban-server ca roll`）"},
	{"the server's certificate ends on %s; it is renewed while serve runs", "サーバ証明書の期限は {1} です。serve の稼働中に更新されます"},
	{"the issuing certificate ends on %s, and then no gateway connects: fetch the root's key and run `monban-server ca renew`", "発行用証明書の期限は {1} で、過ぎるとゲートウェイが接続できません。ルートの鍵を用意して `monban-server ca renew` を実行してください"},

	{"change of the root", "ルートの交換"},
	{"every gateway has confirmed; end it with `ca roll --finish`", "全ゲートウェイが確認済みです。`ca roll --finish` で完了してください"},
	{"waits for %s", "未確認：{1}"},

	{"copies of the master key", "マスター鍵の控え"},
	{"%d of %d: set-up is not finished. Make them on two media that lie in two places: monban-server keys copy --config FILE --to DIR", "{1} / {2} 個。設定は未完了です。2 つの媒体に作り、別々の場所に保管してください：monban-server keys copy --config FILE --to DIR"},
	{"%d of %d (%s): %s", "{1} / {2} 個（{3}）：{4}"},
	{"%d of %d (%s)", "{1} / {2} 個（{3}）"},
	{"%d of %d: %s", "{1} / {2} 個：{3}"},
	{"%d of %d", "{1} / {2} 個"},
	{"%s and %s lie on one medium: move one", "{1} と {2} が同じ媒体にあります。一方を移してください"},
	{"%s is not at %s and was read back last on %s: bring it and run `monban-server keys check`", "{1} が {2} にありません（最後の読み戻しは {3}）。媒体を用意して `monban-server keys check` を実行してください"},
	{"%s can be read by others while it is mounted: mount a FAT stick with -o uid=%s,umask=077, elsewhere chmod 600", "{1} は、媒体を接続している間、ほかの利用者にも読めます。FAT の USB メモリは -o uid={2},umask=077 でマウントし、それ以外は chmod 600 を実行してください"},
	{"%s is not here, read back on %s", "{1} はここにありません（{2} に読み戻し済み）"},

	{"certificate of the pages", "画面の証明書"},
	{"ended on %s: put a new one in the place of %s and start the server again", "{1} に期限が切れました。{2} を新しい証明書に入れ替え、サーバを再起動してください"},
	{"%s: is not a certificate with its key %s: %s: put both there, PEM, readable for the server's user", "{1} と鍵 {2} の組が使えません（{3}）。PEM 形式で、サーバの利用者が読めるように置いてください"},

	{"place of nightly backups", "夜間バックアップの保存先"},
	{"%s, on the disk of the data directory: %s", "{1}（データフォルダと同じディスク。理由：{2}）"},
	{"folders of muster and key copies", "在室者の控えと鍵の写しの保存先"},
	{"keys of nightly backups", "夜間バックアップの公開鍵"},
	{"%s: it holds public keys only: chmod 644", "{1}。公開鍵だけのファイルです。chmod 644 を実行してください"},
	{"%s lies on the disk of %s and would die with it: plug the stick in and mount it, mount the share, then run `monban-server backup place`; with --same-disk REASON if one disk is meant", "{1} は {2} と同じディスクにあり、故障すると一緒に失われます。USB メモリを挿すか共有をマウントしてから `monban-server backup place` を実行してください。同じディスクでよい場合は --same-disk に理由を付けてください"},
	{"%s cannot be written: it is mounted read-only, or the unit may not write there: systemctl edit monban-server, and below [Service] ReadWritePaths=%s", "{1} に書き込めません。読み取り専用でマウントされているか、ユニットに書き込みが許可されていません。systemctl edit monban-server で [Service] の下に ReadWritePaths={2} を加えてください"},
	{"%s cannot be written: mount it for the server's user, or give it to him with chown (%s)", "{1} に書き込めません。サーバの利用者が書き込めるようにマウントするか、chown で所有者を変えてください（{2}）"},
	{"signing of checkpoints", "チェックポイントの署名"},
	{"%s: find out who put this database there, and keep it; then put the right one back, or `monban-server restore` the newest backup (operations, Restore). Doors decide by themselves meanwhile", "{1}。誰がこのデータベースを置いたか調べ、保存してください。その後、正しいものに戻すか、最新のバックアップを `monban-server restore` で戻します（運用手順の「復元」）。その間、扉は自分で判定します"},

	{"directory", "登録情報"},
	{"%d people, %d cards, %d doors, %d gateways", "人物 {1}、カード {2}、扉 {3}、ゲートウェイ {4}"},
	{"gateway %s", "ゲートウェイ {1}"},
	{"has no identity yet: run `monban-server gateway add %s`", "まだ認証されていません：`monban-server gateway add {1}` を実行してください"},

	{"inventory", "棚卸"},
	{"nothing is due", "期限の来たものはありません"},
	{"to be looked at: %s; away for repair: %s", "確認が必要：{1}、修理中：{2}"},
	{"none", "なし"},
	{"outside of the building and not looked at in time: %s: look, then note the day in inventory.csv (counted)", "庁外にあり、期限までに確認されていません：{1}。現物を確認し、その日を inventory.csv（counted）に記入してください"},

	{"way in without the server", "サーバなしでの入室手段"},
	{"%d doors guard the server, each with recovery cards", "サーバを守る扉 {1} か所、いずれも復旧カードあり"},
	{"no door is marked guards_server; mark the one in front of the server in doors.csv (AD-18)", "guards_server の扉がありません。サーバの前の扉を doors.csv で指定してください（AD-18）"},
	{"door %s guards the server, and %d of its %d recovery cards can be used today; name at least %d that are in force (AD-18)", "サーバを守る扉 {1}：復旧カード {3} 枚のうち、今日使えるのは {2} 枚です。有効なものを {4} 枚以上指定してください（AD-18）"},
	{"door %s guards the server, and all its recovery cards are one person's; name a second person (AD-18)", "サーバを守る扉 {1}：復旧カードがすべて同じ人のものです。2 人目を指定してください（AD-18）"},
	{"door %s guards the server and is in mode %s, in which recovery cards do not open it; only the mechanical key does (AD-18)", "サーバを守る扉 {1}：モード {2} では復旧カードで開きません。開くのは機械の鍵だけです（AD-18）"},

	{"1 April", "4 月 1 日"},
	{"at least two people can enter each zone", "どの区域にも 2 人以上が入れます"},
	{"fewer than two people could enter %s on %s; renew grants (AD-19)", "{2} に 2 人以上が入れない区域：{1}。権限を更新してください（AD-19）"},

	{"rules", "規則"},
	{"look at %s; and %d more", "確認してください：{1} ほか {2} 件"},
	{"look at %s", "確認してください：{1}"},

	{"accounts", "利用者"},
	{"nobody can sign in yet: serve prints a set-up code", "まだ誰もログインできません。serve が初期設定コードを表示します"},

	{"closed days", "休日"},
	{"%d in %s, %d in %s (without closed_days.csv schedules take national holidays for working days)", "{2} に {1} 日、{4} に {3} 日（closed_days.csv がないと、祝日も開庁日として扱われます）"},
	{"%d in %s, %d in %s", "{2} に {1} 日、{4} に {3} 日"},
	{"FY%s", "{1} 年度"},
}
