package setup

import "fmt"

// Language of a text.
type Language int

// The languages of the people who set a site up.
const (
	English Language = iota
	Japanese
)

// Text is a sentence in both languages; the zero one says nothing.
type Text [2]string

// In gives it in one language.
func (t Text) In(l Language) string { return t[l] }

// Title names a step.
func Title(key string) Text { return text("title." + key) }

func text(key string, args ...any) Text {
	s, ok := sentences[key]
	if !ok {
		panic("BUG: setup has no sentence " + key)
	}
	if len(args) == 0 {
		return s
	}
	return Text{fmt.Sprintf(s[English], in(English, args)...), fmt.Sprintf(s[Japanese], in(Japanese, args)...)}
}

// in gives the texts among the arguments in one language.
func in(l Language, args []any) []any {
	out := make([]any, len(args))
	for i, a := range args {
		if t, ok := a.(Text); ok {
			a = t.In(l)
		}
		out[i] = a
	}
	return out
}

var sentences = map[string]Text{
	"title.account": {"First account", "最初の利用者"},
	"account.none":  {"Nobody can sign in yet.", "まだ誰もログインできません。"},
	"account.do":    {"Start the server; it prints a code for the page /setup, good for 15 minutes.", "サーバを起動すると、/setup の画面で使うコード（15 分間有効）が表示されます。"},
	"account.one":   {"One administrator.", "管理者は 1 人です。"},
	"account.second": {"Make a second administrator's account: what adds rights, and the reset of a lost second check, takes two people.",
		"2 人目の管理者を登録してください。権限の追加や、二段階認証の再設定には 2 人が必要です。"},
	"account.ok": {"Administrators: %d.", "管理者は %d 人です。"},

	"title.forms":     {"Organisation and forms", "組織名と様式"},
	"forms.nobody":    {"The papers do not say whose they are, or whom to ask.", "帳票に組織名と問い合わせ先がまだ入っていません。"},
	"forms.name":      {"Say it once on the page /reports/organisation; papers, alerts and stickers carry it.", "画面 /reports/organisation で一度登録してください。帳票・通知・扉の掲示に載ります。"},
	"forms.unprinted": {"No paper has been made yet.", "帳票をまだ一度も出力していません。"},
	"forms.print":     {"Make an entry register on the page /reports, print it and hold it against the city's form.", "画面 /reports で入退室管理簿を 1 枚出力し、規程の様式と見比べてください。"},
	"forms.none":      {"Papers carry the usual names of forms.", "帳票は一般的な様式名のままです。"},
	"forms.do":        {"Compare them with the city's own rules on the page /ledgers/forms or /reports/forms and save them, changed or not.", "画面 /ledgers/forms か /reports/forms で市の規程の様式名と見比べ、変更がなくても保存してください。"},
	"forms.ok":        {"Organisation and names of forms are set, and a paper was made.", "組織名と様式名を登録し、帳票を出力済みです。"},

	"title.pages": {"Secure pages", "画面の TLS"},
	"pages.local": {"The pages are open on this machine alone.", "画面はこのサーバ上でしか開けません。"},
	"pages.do": {"Put a certificate that the office PCs trust into [http] tls_cert and tls_key, set listen and public_url, and start the server again.",
		"職員の PC が信頼する証明書を [http] の tls_cert と tls_key に指定し、listen と public_url を設定して、サーバを再起動してください。"},
	"pages.ended": {"The certificate of the pages ended on %s.", "画面の証明書は %s に期限が切れました。"},
	"pages.fault": {"The certificate of the pages cannot be used: %s.", "画面の証明書が使えません：%s。"},
	"pages.soon":  {"The certificate of the pages ends on %s.", "画面の証明書の期限は %s です。"},
	"pages.renew": {"Put a new one in its place and start the server again.", "新しい証明書に入れ替え、サーバを再起動してください。"},
	"pages.ok":    {"The pages are served with TLS.", "TLS で配信しています。"},

	"title.keys": {"Copies of the master key", "マスター鍵の控え"},
	"keys.few":   {"Copies of the master key that were read back: %d. Without the key no entry's person can ever be read again.", "読み戻して確かめた控えは %d 個です。鍵を失うと、記録の人物情報は二度と読めません。"},
	"keys.do": {"Make two, on two sticks that lie in two places: monban-server keys copy --config FILE --to DIR",
		"2 本の USB メモリに作り、別々の場所に保管してください：monban-server keys copy --config FILE --to DIR"},
	"keys.ok": {"Copies of the master key that were read back: %d.", "控え %d 個を読み戻して確認済みです。"},

	"title.clock":   {"Time", "時刻"},
	"clock.off":     {"This machine's clock follows no other.", "このサーバの時計は同期されていません。"},
	"clock.unknown": {"Whether this machine's clock follows another could not be found out.", "時計が同期しているか確かめられません。"},
	"clock.do": {"Set up chrony with the city's time server, so that it answers the gateways too (manual, chapter Time); timedatectl shows whether the clock follows.",
		"chrony を庁内の時刻サーバに合わせ、ゲートウェイにも答えるように設定し（手引き「時刻」）、timedatectl で同期を確かめてください。"},
	"clock.ok": {"This machine's clock is synchronised. Each gateway's own says monban-gateway status.", "このサーバの時計は同期済みです。各ゲートウェイの時計は monban-gateway status で確かめます。"},

	"title.gateway":    {"First gateway", "最初のゲートウェイ"},
	"gateway.none":     {"No gateway is named yet.", "ゲートウェイがまだ登録されていません。"},
	"gateway.name":     {"Name it with its first door below, or import gateways.csv.", "下の欄で最初の扉と一緒に登録するか、gateways.csv を取り込んでください。"},
	"gateway.stranger": {"No gateway has an identity yet.", "まだどのゲートウェイも認証されていません。"},
	"gateway.invite":   {"Make a code for it, and type the code on the gateway when monban-gateway enrol asks for it.", "コードを発行し、ゲートウェイの monban-gateway enrol で尋ねられたときに入力してください。"},
	"gateway.waits":    {"A code has been made.", "コードを発行済みです。"},
	"gateway.compare":  {"Type it on the gateway when monban-gateway enrol asks for it, then compare the fingerprints of both sides.", "ゲートウェイの monban-gateway enrol で尋ねられたときに入力し、両方に出る照合番号を見比べてください。"},
	"gateway.silent":   {"No gateway is connected.", "つながっているゲートウェイがありません。"},
	"gateway.start":    {"Start it; monban-gateway status and doctor say what is in the way.", "起動してください。つながらないときは monban-gateway の status と doctor が原因を示します。"},
	"gateway.some":     {"With an identity: %d of %d gateways.", "%d / %d 台が認証済みです。"},
	"gateway.quiet":    {"Connected: %d of %d gateways.", "%d / %d 台がつながっています。"},
	"gateway.known":    {"Gateways with an identity: %d. Whether they are connected is known while the server runs.", "%d 台が認証済みです（接続の有無はサーバの稼働中に分かります）。"},
	"gateway.ok":       {"Gateways connected: %d.", "%d 台がつながっています。"},

	"title.door": {"First door", "最初の扉"},
	"door.none":  {"No door is named yet.", "扉がまだ登録されていません。"},
	"door.do": {"Name it below or import doors.csv. As \"observe\" it only watches, beside the paper ledger; going live is one setting.",
		"下の欄で登録するか、doors.csv を取り込んでください。「観察」にすると錠は動かさず、紙の管理簿と並行して記録だけを取ります。"},
	"door.ok": {"Doors: %d, of them only watched: %d.", "扉 %d か所（うち観察のみ %d）。"},

	"title.card":     {"First card", "最初のカード"},
	"card.none":      {"Nobody has a card yet.", "カードがまだ登録されていません。"},
	"card.do":        {"Add a person, a card and a right, or import people.csv, cards.csv and grants.csv.", "人物・カード・権限を登録するか、people.csv、cards.csv、grants.csv を取り込んでください。"},
	"card.rightless": {"Cards: %d, but nobody has a right yet.", "カードは %d 枚ありますが、権限のある人がいません。"},
	"card.right":     {"Give a right for the zone; at level 2 and 3 a second person confirms it.", "区域の権限を与えてください。レベル 2・3 では 2 人目の承認が必要です。"},
	"card.ok":        {"Cards: %d. People with a card and a right: %d.", "カード %d 枚、カードと権限のある人 %d 人。"},

	"title.swipe": {"Test swipe", "試しの読み取り"},
	"swipe.none":  {"No card has been read at a door yet.", "扉でカードがまだ読まれていません。"},
	"swipe.do":    {"Hold the card to the reader and go in and out once; monban-gateway commission leads through the acceptance of the door.", "カードをかざして一度出入りしてください。扉の検収は monban-gateway commission が案内します。"},
	"swipe.ok":    {"The last card was read on %s.", "最後の読み取りは %s です。"},

	"title.alert":   {"Alert test", "通知の試験"},
	"alert.none":    {"Alerts go to nobody.", "通知先がありません。"},
	"alert.channel": {"Set up a channel in [alerts] and start the server again.", "[alerts] に通知先を設定し、サーバを再起動してください。"},
	"alert.untried": {"Channels: %d. None has taken a message yet.", "通知先は %d 件ですが、まだ一度も届いていません。"},
	"alert.try":     {"Press \"test\" on the page of alerts, and see that it arrives.", "通知の画面で試験送信をし、届くことを確かめてください。"},
	"alert.ok":      {"Channels: %d. The last message went out on %s.", "通知先 %d 件、最後の送信は %s です。"},

	"title.backup": {"Backup", "バックアップ"},
	"backup.none":  {"There is no backup and no place for one.", "バックアップも、その保存先もありません。"},
	"backup.away":  {"Backups cannot go to their place: %s.", "バックアップの保存先が使えません：%s。"},
	"backup.plug":  {"Plug the stick in or mount the share, as the server's user can write it, and look again.", "USB メモリを挿すか共有フォルダを接続し、サーバの利用者が書き込めることを確かめてください。"},
	"backup.place": {"Name another disk, a share or a stick in [backup]: monban-server backup key and backup place make it ready.",
		"別のディスク・共有・USB メモリを [backup] に指定してください。monban-server backup key と backup place で準備します。"},
	"backup.hand":  {"The last backup is of %s; none is made by itself.", "最後のバックアップは %s です。自動では作られません。"},
	"backup.first": {"There is a place, and no backup in it yet.", "保存先はありますが、まだ作られていません。"},
	"backup.do":    {"Wait for tonight, or make one now: monban-server backup --config FILE --out DIR", "今夜を待つか、今すぐ作ってください：monban-server backup --config FILE --out DIR"},
	"backup.old":   {"The last backup is of %s.", "最後のバックアップは %s です。"},
	"backup.look":  {"Look at \"regular work\" on the page of machines; is the stick plugged in?", "機器の画面の定期処理を確かめてください。USB メモリは差さっていますか。"},
	"backup.ok":    {"The last backup is of %s and was read back.", "最後のバックアップは %s で、読み戻して確認済みです。"},

	"title.doctor": {"Doctor", "総合点検"},
	"doctor.bad":   {"One fault: %s", "1 件：%s"},
	"doctor.more":  {"%s; and %d more", "%s ほか %d 件"},
	"doctor.do":    {"monban-server doctor says what to mend.", "monban-server doctor が直し方を示します。"},
	"doctor.ok":    {"No fault is found.", "異常はありません。"},
}
