package preflight

import "fmt"

// Text is a sentence in both languages.
type Text [2]string

// In returns the sentence in one language.
func (t Text) In(l Language) string { return t[l] }

// text fills a sentence of the table.
func text(key string, args ...any) Text {
	s, ok := sentences[key]
	if !ok {
		panic("BUG: preflight has no sentence " + key)
	}
	if len(args) == 0 {
		return s
	}
	return Text{fmt.Sprintf(s[English], args...), fmt.Sprintf(s[Japanese], args...)}
}

var sentences = map[string]Text{
	"config.ok":  {"configuration %s", "設定ファイル %s"},
	"config.bad": {"configuration: %v", "設定ファイル：%v"},
	"config.do": {"write it from the example /usr/share/doc/monban-server/server.toml.example and run this again",
		"例 /usr/share/doc/monban-server/server.toml.example をもとに書き、もう一度実行してください"},

	"os.ok":    {"system: %s", "OS：%s"},
	"os.other": {"system: %s is not one that monban is tried on (Debian 12 and later, Ubuntu 24.04 and later)", "OS：%s では試験していません（Debian 12 以降、Ubuntu 24.04 以降で確認）"},
	"os.do":    {"use the tar and try it before the visit, or install Debian 12", "tar を使って訪問前に試すか、Debian 12 を用意してください"},

	"libc.ok":      {"C library: glibc %s (needed: %s)", "C ライブラリ：glibc %s（必要：%s）"},
	"libc.static":  {"C library: none is needed", "C ライブラリ：不要"},
	"libc.old":     {"C library: glibc %s is older than %s", "C ライブラリ：glibc %s は必要な %s より古い"},
	"libc.do":      {"a newer system is needed; the library cannot be replaced on its own", "新しい OS が必要です（ライブラリだけの入れ替えはできません）"},
	"libc.unknown": {"C library: its version could not be read (%v)", "C ライブラリ：版を読み取れません（%v）"},

	"clock.ok":      {"clock: synchronised, %s UTC", "時刻：同期済み（UTC %s）"},
	"clock.off":     {"clock: not synchronised, it says %s UTC", "時刻：同期されていません（表示は UTC %s）"},
	"clock.unknown": {"clock: whether it is synchronised could not be found out (%v)", "時刻：同期しているか確かめられません（%v）"},
	"clock.do": {"set up chrony with the city's time server (it can answer the gateways too, systemd-timesyncd cannot), then run `timedatectl` to see it; entries carry this clock's time",
		"chrony を庁内の時刻サーバに合わせ（systemd-timesyncd はゲートウェイに時刻を配れません）、`timedatectl` で確かめてください。入退室の記録はこの時刻で残ります"},

	"memory.ok":      {"memory: %d MiB", "メモリ：%d MiB"},
	"memory.few":     {"memory: %d MiB; 2048 are needed", "メモリ：%d MiB（2048 必要）"},
	"memory.pdf":     {"memory: %d MiB; making large PDFs wants 4096", "メモリ：%d MiB（大きな PDF の作成には 4096 を推奨）"},
	"memory.unknown": {"memory: could not be read (%v)", "メモリ：読み取れません（%v）"},
	"memory.do":      {"give the machine more memory", "メモリを増やしてください"},
	"memory.print":   {"print long registers from the browser, or give it more", "長い管理簿はブラウザから印刷するか、メモリを増やしてください"},

	"disk.where":   {"disk of %s: measured at %s (%s)", "%s のディスク：%s で測定（%s）"},
	"disk.bad":     {"disk of %s: cannot be measured: %v", "%s のディスク：測定できません：%v"},
	"disk.baddo":   {"run this as root or as the user monban; see whether the disk is mounted and can be written", "root または利用者 monban で実行し、ディスクが書き込める状態か確かめてください"},
	"disk.free":    {"room: %d GiB free", "空き容量：%d GiB"},
	"disk.full":    {"room: %d GiB free; 20 are needed for some years of entries", "空き容量：%d GiB（数年分の記録に 20 必要）"},
	"disk.fulldo":  {"put data_dir on a larger disk", "data_dir を大きなディスクに置いてください"},
	"disk.speed":   {"speed: %.0f MB/s", "速度：%.0f MB/s"},
	"disk.slow":    {"speed: %.0f MB/s; 20 are needed", "速度：%.0f MB/s（20 必要）"},
	"disk.slowdo":  {"use a local SSD; no network share, no SD card", "内蔵 SSD を使ってください（共有フォルダーや SD カードは不可）"},
	"sync.ok":      {"durable write: %s", "確実な書き込み：%s"},
	"sync.unseen":  {"durable write: %s, but how the disk is mounted cannot be seen here", "確実な書き込み：%s（マウント設定はここから確かめられません）"},
	"sync.late":    {"durable write: %s; more than 50 ms makes people wait at doors", "確実な書き込み：%s（50 ms を超えると扉で待たされます）"},
	"sync.memory":  {"durable write: %s lies in memory and forgets everything at a power cut", "確実な書き込み：%s はメモリ上にあり、停電ですべて消えます"},
	"sync.barrier": {"durable write: the mount option %s takes away the guarantee", "確実な書き込み：マウント設定 %s により保証されません"},
	"sync.lie":     {"durable write: %s is faster than any real disk: somewhere on the way a flush is only promised", "確実な書き込み：%s は実在のディスクより速く、途中で書き込みが約束されただけになっています"},
	"sync.do": {"in a virtual machine set the disk's cache to none or directsync; take away eatmydata, nobarrier and the like; what was acknowledged must outlive a power cut",
		"仮想マシンではディスクのキャッシュを none か directsync にし、eatmydata や nobarrier などを外してください。応答済みの記録は停電後も残らなければなりません"},
	"sync.note": {"no program can prove it: pull the plug once, as the restore drill says", "プログラムだけでは証明できません。復元訓練の際に一度、電源を抜いて確かめてください"},

	"port.ok":     {"port %s is free (%s)", "ポート %s は空いています（%s）"},
	"port.bad":    {"port %s cannot be had: %v (%s)", "ポート %s を使えません：%v（%s）"},
	"port.used":   {"another program has it: stop that one (`ss -ltnp` names it) or change %s", "ほかのプログラムが使用中です。止めるか（`ss -ltnp` で分かります）、%s を変えてください"},
	"port.denied": {"run this as root; the service has the right by its unit", "root で実行してください（サービスは unit の設定で使えます）"},
	"port.addr":   {"this machine has no such address: change %s", "この機械にそのアドレスはありません。%s を変えてください"},

	"names.ok": {"gateways come to: %s", "ゲートウェイの接続先：%s"},
	"names.no": {"no name or address for gateways: ca.names is empty, and only this machine could connect", "ゲートウェイの接続先がありません。ca.names が空では、この機械からしか接続できません"},
	"names.do": {"write the server's name and fixed address into ca.names before `setup`", "`setup` の前に、サーバの名前と固定アドレスを ca.names に書いてください"},

	"cert.none":  {"pages: without TLS, on this machine only", "画面：TLS なし、この機械からだけ"},
	"cert.nodo":  {"for other PCs set http.tls_cert, http.tls_key and http.public_url", "ほかの PC から使うには http.tls_cert、http.tls_key、http.public_url を設定してください"},
	"cert.ok":    {"certificate of the pages: for %s, until %s", "画面の証明書：%s、期限 %s"},
	"cert.read":  {"certificate of the pages: %v", "画面の証明書：%v"},
	"cert.name":  {"certificate of the pages: is not for %s: %v", "画面の証明書：%s のものではありません：%v"},
	"cert.dates": {"certificate of the pages: valid from %s until %s, and now is %s", "画面の証明書：有効期間は %s から %s まで、現在は %s"},
	"cert.soon":  {"certificate of the pages: ends on %s", "画面の証明書：%s に切れます"},
	"cert.do": {"ask whoever runs the city's certificates for one with this name, put both files into /etc/monban (key: mode 0640, group monban)",
		"庁内の証明書担当からこの名前の証明書を受け取り、両方のファイルを /etc/monban に置いてください（鍵は 0640、グループ monban）"},

	"browser.open":  {"office PCs open %s", "庁内 PC で開く画面：%s"},
	"browser.local": {"a browser on this machine opens %s", "この機械のブラウザで開く画面：%s"},
	"browser.name":  {"office PCs open %s, but here that name is not this machine", "庁内 PC で開く画面：%s（ただし、この名前はこの機械を指していません）"},
	"browser.do":    {"have the name entered in the city's DNS; PCs must trust the certificate's authority", "庁内 DNS にこの名前を登録してもらってください。PC には認証局の証明書が必要です"},

	"print.ok": {"PDF: WeasyPrint and fonts are there", "PDF：WeasyPrint とフォントあり"},
	"print.no": {"PDF: the server makes none; the browser prints (%v)", "PDF：サーバでは作れません。ブラウザから印刷します（%v）"},
	"print.do": {"optional: install weasyprint, fontconfig, fonts-morisawa-bizud-gothic, fonts-noto-cjk from the bundle", "任意：bundle から weasyprint、fontconfig、fonts-morisawa-bizud-gothic、fonts-noto-cjk を入れます"},
}
