package logcheck

import (
	"cmp"
	"io"
	"slices"
	"strings"
)

// Page says in plain words what a pack's check has proven and what not; then, of the part of the log in it, its own page. own is the
// SHA-256 of the program that checks, "" = not known.
func (r *PackReport) Page(w io.Writer, lang Lang, file, own string) error {
	b := page{lang: lang}
	say, day := b.say, pageDay
	kind := map[string][2]string{"audit": {"監査用", "for an audit"}, "day": {"1日分", "of a day"}, "person": {"本人への開示用", "for the person whom it is about"}}[r.Head.Kind]
	say("書き出しの検証結果", "Verification of a pack")
	say("ファイル: %s", "File: %s", file)
	say("種類: %s(%d ファイル、作成 %s)", "Kind: %s (%d files, made %s)", lang.words(cmp.Or(kind[0], r.Head.Kind), cmp.Or(kind[1], r.Head.Kind)), r.Files, r.Head.Made)
	say("ハッシュ(MANIFEST の SHA-256): %s", "Hash (SHA-256 of MANIFEST): %s", r.Sum)
	if r.Manifest != nil && r.Manifest.Clean() {
		sayKey(say, r.Manifest.Key)
	}
	b.gap()
	total := len(r.Result.Findings) + r.Result.More
	if total == 0 {
		say("【結果】異常は見つかりませんでした。", "RESULT: nothing was found.")
	} else {
		say("【結果】異常が %d 件見つかりました。", "RESULT: %d findings.", total)
		say("最初の異常: %s", "The first: %s", r.Result.Findings[0])
		for _, f := range r.Result.Findings[1:min(len(r.Result.Findings), pageFindings)] {
			b.item(f.String())
		}
		if total > pageFindings {
			say("  ほか %d 件", "  and %d more", total-pageFindings)
		}
	}
	b.gap()
	say("【証明されたこと】", "PROVEN")
	if total == 0 {
		m := r.Manifest
		say("・全ファイルは、ログ %s の %d番(%s)に記録された書き出しのままです。追加・削除・変更されたファイルはありません。",
			"- Every file is what was handed over as leaf %[2]d of log %[1]s says (%[3]s): none was changed, put in or taken out.", m.Checkpoint.Origin, m.Proof.Index, day(m.Parsed.AtMS()))
		if r.Proofs > 0 {
			say("・記録 %d 件の証明が成り立ちます。", "- The proofs of %d records hold.", r.Proofs)
		}
		if r.Asked && r.Proofs > 0 {
			say("・うち %d 件は、ポリシーが求める証人の連署を満たしています。", "- Of those, %d are cosigned by those whom the policy asks for.", r.Quorate)
		}
		if r.Held > 0 {
			say("・記録 %d 件の証明は、ほかの人が保管していたチェックポイントによるものです。", "- The proofs of %d records are by a checkpoint that somebody else holds.", r.Held)
		}
		if r.Policies > 0 {
			say("・判定に使われた規則 %d 件は、ログに記録されたものです。", "- %d policies that the doors decided by are those that the log names.", r.Policies)
		}
	} else {
		say("・異常に挙げられたファイルと記録については、何も証明されません。", "- Nothing of the files and records that the findings name.")
	}
	b.gap()
	say("【証明されないこと】", "NOT PROVEN")
	if r.OwnKeys {
		say("・公開鍵はこのファイルに入っていたものです。別の経路で受け取った鍵を --key で指定してください。", "- The public key came with the file. Give a key that you got another way (--key).")
	}
	if n := r.Proofs - r.Quorate; r.Asked && n > 0 {
		say("・記録 %d 件の証明には、ポリシーが求める証人の連署がまだありません:", "- The proofs of %d records are not cosigned by those whom the policy asks for:", n)
		for _, name := range r.Lacking {
			b.item(name)
		}
		if n > len(r.Lacking) {
			say("  ほか %d 件", "  and %d more", n-len(r.Lacking))
		}
	}
	switch n := r.Proofs - r.Held; {
	case r.Log != nil: // its page says so
	case r.Given > 0 && n > 0:
		say("・記録 %d 件の証明は、指定されたチェックポイントと件数が違うため比べられません。", "- The proofs of %d records are by checkpoints of other sizes than those given and cannot be compared with them.", n)
	case r.Given == 0 && r.Quorate < r.Proofs:
		say("・外部で保管されたチェックポイントと比べていません。ログの鍵を持つ人の書き換えは見つけられません。",
			"- They were compared with no checkpoint that somebody else holds: somebody with the log's key could have written the log anew.")
	}
	say("・帳票など、ログの外にある内容の正しさ(書き出した時点のままであることだけが分かります)。", "- That papers and lists, which are no part of the log, are right: only that they are what was handed over.")
	say("・必要な記録がすべて書き出されたこと(作成者が範囲を選んでいます)。", "- That all that should be here is: whoever made the pack chose what goes in.")
	if len(r.Verifier) > 0 {
		mark := lang.words("この検証プログラムは一覧にありません", "this program is not in it")
		if own != "" && slices.ContainsFunc(r.Verifier, func(l string) bool { return strings.HasPrefix(l, own+" ") }) {
			mark = lang.words("この検証プログラムは一覧にあります", "this program is in it")
		}
		say("・検証プログラムが本物であること。作成者による一覧では%s。紙などで受け取ったハッシュと比べてください:", "- That this program is the true one. By its maker's list %s; compare it with a hash that you got another way, on paper for example:", mark)
		for _, l := range r.Verifier[:min(len(r.Verifier), pageFindings)] {
			b.item(l)
		}
	}
	if r.Log != nil {
		b.gap()
		if _, err := io.WriteString(w, b.String()); err != nil {
			return err
		}
		return r.Log.page(w, lang, BundleName, total)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
