package logcheck

import (
	"cmp"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"monban/server/entrylog"
)

// Lang is the language of a page.
type Lang int

// The languages. Japanese is what an auditor of a Japanese office reads, so it is the zero value.
const (
	Japanese Lang = iota
	English
)

// words gives one of two texts.
func (l Lang) words(ja, en string) string {
	if l == English {
		return en
	}
	return ja
}

// pageFindings is how many findings a page lists: it is one page, and the first is what counts.
const pageFindings = 10

// Page says in one page of plain words what a check has proven and what not.
func (r *Report) Page(w io.Writer, lang Lang, file string) error { return r.page(w, lang, file, 0) }

// page is Page of a file that stands alone, or in a pack of which so much was found.
func (r *Report) page(w io.Writer, lang Lang, file string, pack int) error {
	b := page{lang: lang}
	say, day := b.say, pageDay
	h := &r.Head
	say("入退室記録の検証結果", "Verification of the entry log")
	say("ファイル: %s", "File: %s", file)
	if r.Database != nil {
		r.Database.head(say, r, day)
	} else {
		say("SHA-256(最終行を除く): %s", "SHA-256 (but the last line): %s", r.Sum)
		sayKey(say, r.Key)
		say("記録: %d〜%d番(ログ全体は%d件、作成 %s)", "Leaves: %d to %d (the log had %d; made %s)", h.From, h.To-1, h.Log, day(h.MadeMS))
		say("期間: %s 〜 %s(サーバーの時刻)", "Time: %s to %s (the server's clock)", day(r.FirstMS), day(r.LastMS))
		say("確認した数: 記録 %d、チェックポイント %d、門番装置の記録 %d、開示部 %d(消去済 %d、同梱なし %d)",
			"Checked: %d leaves, %d checkpoints, %d records of gateways, %d openings (%d erased, %d not in the file)",
			r.Result.Leaves, r.Result.Checkpoints, r.Records, r.Result.Openings, r.Result.Erased, r.Closed)
	}
	if r.Resumed {
		say("中断した検証を続きから再開しました(%d番より前は、このパソコンの以前の検証によります)。", "A check that was broken off was taken up again (before leaf %d it is this PC's own earlier work).", r.ResumedAt)
	}
	b.gap()
	total := len(r.Result.Findings) + r.Result.More
	if total == 0 && pack > 0 {
		say("このファイルだけを見れば異常はありませんが、書き出し全体では異常が %d 件見つかっています(上の結果)。", "In this file by itself nothing was found, but in the pack that it is of there are %d findings (see above).", pack)
	} else if total == 0 {
		say("【結果】異常は見つかりませんでした。", "RESULT: nothing was found.")
	} else {
		say("【結果】異常が %d 件見つかりました。", "RESULT: %d findings.", total)
		say("最初の異常: %s", "The first: %s", r.Result.Findings[0])
		for _, f := range r.Result.Findings[1:min(total, pageFindings, len(r.Result.Findings))] {
			b.item(f.String())
		}
		if total > pageFindings {
			say("  ほか %d 件", "  and %d more", total-pageFindings)
		}
	}
	b.gap()
	r.proven(say, day, total == 0)
	b.gap()
	r.notProven(say, day)
	_, err := io.WriteString(w, b.String())
	return err
}

type sayFunc = func(ja, en string, args ...any)

func (r *Report) proven(say sayFunc, day func(int64) string, clean bool) {
	say("【証明されたこと】", "PROVEN")
	if !clean {
		say("・%d番より前の記録のうち、異常に挙げられていないものは、署名されたチェックポイントと一致します。", "- Of the leaves before %d, those that no finding names are what a signed checkpoint says.", r.Sure)
		return
	}
	say("・この範囲の記録は、署名されたチェックポイント(%d件時点)以後、変更・削除・挿入されていません。", "- Since the signed checkpoint of %d leaves none of these leaves was changed, taken out or put in.", r.Signed)
	if r.HeldMet > 0 {
		say("・ほかの人が保管していたチェックポイント %d 件とも一致します。ログの鍵を持つ管理者による書き換えもありません。", "- They are what %d checkpoints say that others hold: nobody who has the log's key has written the log anew before those.", r.HeldMet)
	}
	r.sayCosigned(say, day)
	r.sayStamps(say, day)
	for _, k := range slices.SortedFunc(maps.Keys(r.Chains), func(a, b ChainKey) int { return cmp.Compare(a.String(), b.String()) }) {
		c := r.Chains[k]
		say("・装置 %s の記録は %d〜%d番までつながっています(欠番 %d)。", "- The records of gateway %s are a chain from %d to %d (%d known to be missing).", k.Gateway, c.First, c.Watermark, c.Gaps)
	}
	for _, g := range slices.Sorted(maps.Keys(r.Covered)) {
		c := r.Covered[g]
		say("・装置 %s は %s 〜 %s に監視されていました(応答なし %s、不明 %s)。", "- Gateway %s was watched from %s to %s (not heard for %s, nothing known for %s).",
			g, day(c.FromMS), day(c.ToMS), seconds(c.SilentMS), seconds(c.HolesMS))
	}
	if r.Database != nil {
		r.Database.proven(say)
	}
	if r.Result.Openings > 0 && r.Database == nil {
		say("・同梱された開示部 %d 件は、記録された時点の内容のままです。", "- The %d openings in the file are what was written then.", r.Result.Openings)
	}
	for i := range r.Disposals {
		d := &r.Disposals[i]
		say("・%d番の廃棄記録: %s、%d年度、%d件(%s、%s)。本文のない記録はすべて廃棄記録の範囲内です。",
			"- The disposal of leaf %d: %s, fiscal year %d, %d leaves (%s, %s). Every leaf without a body is one that a disposal names.",
			d.Started, d.Class, d.Year, d.Leaves, day(d.AtMS), d.Run)
	}
	for _, s := range r.Result.Successions {
		from, to := s.Lost()
		say("・%d番でログが復元され、%s が %s を引き継ぎました(失われた記録: %d件)。", "- At leaf %d the log was restored: %s took over from %s (%d leaves known to be lost).", s.Size, s.Origin, s.Before, to-from)
	}
}

func (r *Report) notProven(say sayFunc, day func(int64) string) {
	say("【証明されないこと】", "NOT PROVEN")
	if r.Resumed && r.Database != nil {
		say("・%d番より前の記録は、今回ハッシュを計算し直しました。それらから作られた一覧の行と開示部との照合は、このパソコンの以前の検証の結果によります。すべてを検証するには --resume なしで実行してください。",
			"- The leaves before %d were hashed again; that the rows made from them and their openings are what they say was compared by an earlier check on this PC, not this time. To check everything, run it without --resume.", r.ResumedAt)
	} else if r.Resumed {
		say("・%d番より前の記録は、今回は検証していません。このパソコンの以前の検証の結果を使い、その後ファイルのその部分が変わっていないことだけを確認しました。すべてを検証するには --resume なしで実行してください。",
			"- The leaves before %d were not checked this time: this relies on what an earlier check on this PC left, and only compares that this part of the file is the same since. To check everything, run it without --resume.", r.ResumedAt)
	}
	if r.Database != nil {
		r.Database.notProven(say, r)
	} else if r.OwnKeys {
		say("・公開鍵はこのファイルに入っていたものです。作成者がすべてを作り直していないことは分かりません。別の経路で受け取った鍵を --key で指定してください。",
			"- The public key came with the file: nothing shows that its maker did not make everything anew. Give a key that you got another way (--key).")
	}
	r.sayIdle(say)
	r.sayNotCosigned(say, day)
	r.sayNotStamped(say, day)
	if r.HeldMet == 0 {
		say("・外部で保管されたチェックポイントと比べていません。ログの鍵を持つ人の書き換えは見つけられません。--checkpoint で印刷物やメールのものを指定してください。",
			"- It was compared with no checkpoint that somebody else holds: somebody with the log's key could have written it anew. Give one from paper or mail (--checkpoint).")
	}
	if r.HeldPast > 0 {
		say("・指定されたチェックポイントのうち %d 件は、このファイルの範囲の外です。", "- %d of the given checkpoints are of sizes outside this file.", r.HeldPast)
	}
	if r.HeldLost > 0 {
		say("・指定されたチェックポイントのうち %d 件は復元前のログのもので、復元の際に失われたと記録されている部分を含みます。その部分は確かめられません。",
			"- %d of the given checkpoints are of the log before a restore and name leaves that the restore records as lost: what those said cannot be shown.", r.HeldLost)
	}
	if r.Head.From > 0 {
		say("・%d番より前の記録は、このファイルにありません。", "- The leaves before %d are not in this file.", r.Head.From)
	}
	if r.Head.To < r.Head.Log {
		say("・%d番以降の記録は、このファイルにありません。", "- The leaves from %d on are not in this file.", r.Head.To)
	}
	if r.Closed > 0 && r.Database == nil {
		say("・%d 件の開示部(氏名など)は同梱されていないため、確認していません。", "- %d openings (names and the like) are not in the file and were not looked at.", r.Closed)
	}
	if r.Result.Dropped > 0 {
		say("・廃棄された %d 件の記録の内容(ハッシュ値だけが残り、木の中の位置は証明されています)。", "- What the %d leaves said that were disposed of (their hashes stay, and so their places in the tree).", r.Result.Dropped)
	}
	if n := int64(r.Result.Erased) - r.SaidErased; n > 0 {
		say("・%d 件の開示部は保存期間の満了などで消去されています。", "- %d openings were erased.", n)
	}
	if r.NoKey > 0 {
		say("・%d 件の開示部(氏名など)は、ファイルの作成時に鍵がなく、読めません。鍵を廃棄・消去した記録はログになく、正当に消去されたものではありません。鍵の紛失または持ち去りの疑いがあります。",
			"- What %d openings say: their key was missing when the file was made. No leaf says that it was destroyed, so they were not lawfully erased: it was lost, or somebody took it away.", r.NoKey)
	}
	if r.SaidErased > 0 {
		say("・%d 件の開示部は消去されたとこのファイルに書かれていますが、消去の記録はファイルの範囲にありません。本当に消去されたかは分かりません。",
			"- Of %d openings the file says that they were erased; the leaf that has to say so is not in it, so this may not be true.", r.SaidErased)
	}
	for _, g := range slices.Sorted(maps.Keys(r.Covered)) {
		if c := r.Covered[g]; c.HoleMS > 0 {
			say("・装置 %s: %s から %s は監視の記録がありません。", "- Gateway %s: for %[3]s from %[2]s on nothing says whether it was watched.", g, day(c.HoleFromMS), seconds(c.HoleMS))
		}
	}
	say("・センサーが正しく働いたこと、カードを使った人が本人であること、一度に一人だけが通ったこと。", "- That a sensor told the truth, that who held a card was its owner, that only one person went through.")
	say("・壊された装置が書けなかった出来事(欠番と監視の空白として現れます)、時計の正しさ(記録された精度まで)。", "- What a broken gateway could not write (it shows as a gap or a silence); that clocks were right (beyond the quality they state).")
}

// sayKey names the key of a log.
func sayKey(say sayFunc, key string) {
	if name, id, ok := strings.Cut(key, "+"); ok {
		say("ログ: %s(公開鍵の ID %s)", "Log: %s (id of its public key: %s)", name, id)
	}
}

// sayIdle names the keys that were given and sign nothing here, where several were: the file chooses which log it is of, so it may be an older one's,
// or end before a newer one begins.
func (r *Report) sayIdle(say sayFunc) {
	n := 0
	for _, key := range r.Given {
		if _, ok := r.Signers[key]; ok || len(r.Given) < 2 {
			continue
		}
		if n++; n > pageFindings {
			say("・ほかにも、署名のない鍵があります。", "- There are more keys that sign nothing here.")
			return
		}
		name, id, _ := strings.Cut(key, "+")
		say("・指定された鍵 %s(ID %s)による署名は、このファイルにありません。そのログの記録について、このファイルからは何も分かりません。そのログのほうが新しいときは、このファイルは最新のものではありません。",
			"- The key of %s (id %s), which was given, signs nothing in this file: of that log it shows nothing. If that log is the newer one, this file is not what there is now.", name, id)
	}
}

func seconds(ms int64) string {
	return (time.Duration(ms) * time.Millisecond).Round(time.Second).String()
}

// Clean reports whether nothing was found.
func (r *Report) Clean() bool { return r.Result.Clean() }

// First is the first finding; ok is false when there is none.
func (r *Report) First() (f entrylog.Finding, ok bool) {
	if r.Clean() {
		return f, false
	}
	return r.Result.Findings[0], true
}
