package app

import (
	"strconv"
	"strings"

	"monban/firmware/phrase"
)

// badMark stands before what is not well, goodMark before the rest: the same in both languages, as programs read them.
const (
	badMark  = "BAD  "
	goodMark = "ok   "
)

// Line is the doctor's line in English, or in Japanese.
func (c *Check) Line(japanese bool) string {
	say, colon := func(text string) string { return text }, ": "
	if japanese {
		say, colon = inJapanese, "："
	}
	if c.Err != nil {
		return badMark + say(c.Name) + colon + say(c.Err.Error())
	}
	note := strings.TrimPrefix(c.Note, ": ")
	switch {
	case note == "":
		return goodMark + say(c.Name)
	case note == c.Note && japanese: // a remark in brackets
		return goodMark + say(c.Name) + say(strings.TrimPrefix(note, " "))
	case note == c.Note:
		return goodMark + say(c.Name) + note
	}
	return goodMark + say(c.Name) + colon + say(note)
}

// ChecksFailed is the last line when something is wrong.
func ChecksFailed(bad, of int, japanese bool) string {
	text := strconv.Itoa(bad) + " of " + strconv.Itoa(of) + " checks failed"
	if japanese {
		text = inJapanese(text)
	}
	return text
}

var doctorCatalogue = phrase.Compile(doctorPhrases)

// inJapanese says a text of the doctor in Japanese. What has no line in the catalogue, such as the words of the operating system, stays as it is.
func inJapanese(text string) string {
	return doctorCatalogue.Say(text, inJapanese)
}

// doctorPhrases is the catalogue: what is more special stands first. TestDoctorSpeaksJapanese finds what the doctor says and is not here.
var doctorPhrases = []phrase.Phrase{
	{"%d of %d checks failed", "{2} 項目のうち {1} 項目に異常があります"},
	{"configuration %s", "設定ファイル {1}"},
	{"identity in %s", "認証情報（{1}）"},
	{"list of the server's role keys", "サーバの役割鍵の一覧"},
	{"data directory", "データのフォルダ"},
	{"owner of the files", "ファイルの所有者"},
	{"%s belongs to %s, and the gateway cannot use it: as root, chown -R %s: %s", "{1} は {2} の所有で、ゲートウェイが使えません。root で chown -R {3}: {4} を実行してください"},
	{"%s: is not a directory", "{1} はフォルダではありません"},
	{"(local decisions wait for the server's time)", "（自分での判定は、サーバの時刻を受け取ってからです）"},
	{"%s (local decisions wait for the server's time)", "{1}（自分での判定は、サーバの時刻を受け取ってからです）"},
	{"clock", "時計"},
	{"outbox", "送信待ちの記録"},
	{"not made yet", "まだありません"},
	{"%d records wait for an ack, %d of %d MiB used", "受領待ち {1} 件、{3} MiB のうち {2} MiB を使用"},
	{"policy", "ポリシー"},
	{"none yet, every entry is denied until the server sends one", "まだありません。サーバから届くまで、すべて拒否します"},
	{"version %d", "第 {1} 版"},
	{"way in without the server, door %s", "サーバなしでの入室手段、扉 {1}"},
	{"%d recovery cards", "復旧カード {1} 枚"},
	{"%d of its %d recovery cards can be used: name at least %d in recovery_cards of doors.csv at the server, or nobody gets in when it is away (AD-18)", "復旧カード {2} 枚のうち使えるのは {1} 枚です。サーバの doors.csv の recovery_cards に {3} 枚以上を指定してください。このままではサーバの停止中に誰も入れません（AD-18）"},
	{"its offline mode is deny: set it to cached_pin in doors.csv at the server, or nobody gets in while it is away (AD-18)", "サーバの停止中は拒否する設定です。サーバの doors.csv で cached_pin にしてください。このままではサーバの停止中に誰も入れません（AD-18）"},

	{"disk of %s", "ディスク（{1}）"},
	{"nothing can be stored: %s; without records no door opens for a card", "書き込めません（{1}）。記録できないと、カードで扉は開きません"},
	{"%d MiB free, a record is on it in %d ms", "空き {1} MiB、1 件の書込みに {2} ms"},
	{"only %d MiB are free: make room, or doors will deny when it is full", "空きが {1} MiB しかありません。空けてください。一杯になると扉は拒否します"},
	{"one record took %s: the card is worn out or too slow, exchange it; people would wait at the door", "1 件の書込みに {1} かかりました。カードの寿命か速度不足です。交換してください（扉の前で待たされます）"},
	{"certificate", "証明書"},
	{"%d days left, until %s", "残り {1} 日（{2} まで）"},
	{"it is renewed by itself when the gateway runs and reaches %s: see that it does", "ゲートウェイが稼働し {1} に届けば自動で更新されます。届いているか確かめてください"},
	{"set enrol_server, or repeat `monban-server gateway add` into a new folder", "enrol_server を設定するか、`monban-server gateway add` を新しいフォルダでやり直してください"},
	{"begins only on %s: is the clock right (%s)?", "{1} から有効です。時計は合っていますか（{2}）"},
	{"ended on %s (if the clock is right: %s): make a new identity with a code from the server", "{1} に期限が切れました（時計 {2} が正しい場合）。サーバのコードで登録し直してください"},
	{"ends in %d days: %s", "あと {1} 日で期限です：{2}"},
	{"link to %s", "サーバとの接続（{1}）"},
	{"%s: check cable, address, port and firewall; is the server running?", "{1}。ケーブル、宛先、ポート、ファイアウォールを確かめてください。サーバは動いていますか"},
	{"%s: is it our server, are both clocks right, is the certificate in force?", "{1}。相手は自庁のサーバですか。両方の時計と証明書の期限を確かめてください"},
	{"answers in %d ms", "応答 {1} ms"},
	{"watchdog %s", "ウォッチドッグ {1}"},
	{"hardware", "機器"},
	{"no board profile, so only --sim runs", "基板設定がないため、--sim だけが動きます"},
	{"battery clock", "電池時計"},
	{"none; after a power cut without network local decisions wait for the server's time", "なし。ネットワークのない停電の後は、サーバの時刻を受け取るまで自分で判定しません"},

	{"GPIO chip", "GPIO"},
	{"GPIO %d, %s", "GPIO {1}（{2}）"},
	{"free", "空き"},
	{"is held by %q: stop that program, or take the overlay out of config.txt", "{1} が使用中です。そのプログラムを止めるか、config.txt のオーバーレイを外してください"},
	{"door %s, reader %s, %s", "扉 {1}、リーダー {2}、{3}"},
	{"door %s, reader %s", "扉 {1}、リーダー {2}"},
	{"door %s, contact", "扉 {1}、開閉検知"},
	{"door %s, request", "扉 {1}、退出ボタン"},
	{"door %s, tamper", "扉 {1}、取外し検知"},
	{"door %s, fire", "扉 {1}、火災信号"},
	{"box, tamper", "箱、取外し検知"},
	{"box, fire", "箱、火災信号"},
	{"box, mains", "箱、商用電源"},
	{"box, battery", "箱、電池"},
	{"enter", "入側"},
	{"exit", "出側"},
	{"high, as at rest", "平常の電位"},
	{"is low at rest: the wire is cut or shorted, the reader has no power, or the level shifter is missing", "平常なのに電位が低い状態です。断線・短絡、リーダーの電源、レベル変換を確かめてください"},
	{"rest", "平常"},
	{"active", "作動"},
	{"short", "短絡"},
	{"cut", "断線"},
	{"fault", "異常"},
	{"unknown", "不明"},
	{"I²C bus", "I²C バス"},
	{"expander %s at 0x%02X", "入出力拡張 {1}（0x{2}）"},
	{"ADC %s at 0x%02X does not answer: %w; check its wires and its address", "ADC {1}（0x{2}）が応答しません（{3}）。配線とアドレスを確かめてください"},
	{"does not answer at address %d with %d baud: check power, A and B, address and speed of the reader", "アドレス {1}、{2} baud で応答しません。リーダーの電源、A・B 線、アドレス、速度を確かめてください"},
	{"does not answer: %w; check its wires and its address", "応答しません（{1}）。配線とアドレスを確かめてください"},
	{"%s (%.2f V of %.1f V): %s", "{1}（{3} V 中 {2} V）：{4}"},
	{"%s, %.2f V of %.1f V", "{1}、{3} V 中 {2} V"},
	{"the line is shorted: look for a crushed cable, and for the series resistor at the end", "短絡しています。潰れたケーブルと、終端の直列抵抗を確かめてください"},
	{"the line is cut: look for a loose terminal and a broken cable", "断線しています。緩んだ端子と切れたケーブルを確かめてください"},
	{"the line lies between its bands: check the resistors at the end against the sheet, look for moisture", "値がどの範囲にも入りません。終端抵抗を図面と見比べ、湿気を確かめてください"},
	{"serial line %s, %s", "シリアル線 {1}（{2}）"},
	{"answers and has proved its key", "応答し、鍵も確認済み"},
	{"answers", "応答あり"},
	{"%s: the reader is not what was paired, or it was opened; look at it, then `monban-gateway pair`", "{1}。ペアリングしたリーダーと違うか、開けられています。現物を確認し、`monban-gateway pair` を実行してください"},
	{"%s is not there: plug the device in, and switch the bus on in config.txt", "{1} がありません。機器を接続し、config.txt でバスを有効にしてください"},
	{"%s is no device: something wrote a file there; delete it and plug the device in again", "{1} は機器ではなくファイルです。削除して機器を接続し直してください"},
	{"%s may not be opened by this user: add it to the group %s", "{1} をこの利用者では開けません。グループ {2} に加えてください"},
}
