package logcheck

import (
	"io"
)

// Page says in one page of plain words what a proof of one record shows and what not.
func (r *ProofReport) Page(w io.Writer, lang Lang, file string) error {
	b := page{lang: lang}
	say, day := b.say, pageDay
	say("記録1件の証明の検証結果", "Verification of the proof of one record")
	say("ファイル: %s", "File: %s", file)
	if r.Clean() {
		sayKey(say, r.Key)
	}
	b.gap()
	if !r.Clean() {
		say("【結果】証明は成り立ちません。", "RESULT: the proof does not hold.")
		for _, f := range r.Result.Findings {
			b.item(f.String())
		}
		b.gap()
		say("【証明されないこと】", "NOT PROVEN")
		say("・このファイルからは何も証明されません。1文字でも変わると成り立ちません。元のファイルをもう一度受け取ってください。",
			"- Nothing: one changed character is enough. Get the file again from where it came.")
		_, err := io.WriteString(w, b.String())
		return err
	}
	p := r.Proof
	say("【結果】証明は成り立ちます。", "RESULT: the proof holds.")
	b.gap()
	say("【証明されたこと】", "PROVEN")
	say("・次の記録は、ログ %s の %d番にあります(%d件時点のチェックポイント、サーバーの時刻 %s)。", "- The record below is leaf %[2]d of log %[1]s (checkpoint of %[3]d leaves; %[4]s by the server's clock).",
		r.Checkpoint.Origin, p.Index, r.Checkpoint.Size, day(r.Parsed.AtMS()))
	known := cosignersBy(true, r.Cosigners)
	for _, c := range known {
		say("・証人 %s がそのチェックポイントに連署しています(%s、証人の時計)。", "- Witness %s has cosigned that checkpoint (%s by its own clock).", c.Policy, day(c.AtMS))
	}
	if r.Asked {
		say("・ポリシーが求める証人の連署を満たしています。", "- Those whom the policy asks for have cosigned it.")
	}
	if r.HeldMet > 0 {
		say("・ほかの人が保管していたチェックポイントと一致します。", "- It is the checkpoint that somebody else holds.")
	}
	b.item(string(p.Leaf))
	if p.Shown == ShownOpen {
		say("・開示部(氏名など)は記録された時点の内容のままです:", "- The opening (names and the like) is what was written then:")
		b.item(string(p.Opening))
	}
	b.gap()
	say("【証明されないこと】", "NOT PROVEN")
	if r.OwnKeys {
		say("・公開鍵はこのファイルに入っていたものです。作成者がすべてを作っていないことは分かりません。別の経路で受け取った鍵を --key で指定してください。",
			"- The public key came with the file: nothing shows that its maker did not make everything. Give a key that you got another way (--key).")
	}
	switch {
	case len(known) > 0 || r.HeldMet > 0:
	case len(r.Cosigners) == 0:
		say("・チェックポイントに証人の連署がありません。ログの鍵を持つ人の書き換えは見つけられません。", "- No witness has cosigned the checkpoint: somebody with the log's key could have written the log anew.")
	default:
		say("・チェックポイントに、指定された証人の連署がありません。ログの鍵を持つ人の書き換えは見つけられません。", "- No witness that you named has cosigned the checkpoint: somebody with the log's key could have written the log anew.")
	}
	sayUnknown(say, day, r.Cosigners)
	if r.HeldPast > 0 {
		say("・指定されたチェックポイントのうち %d 件は、件数が違うため比べられません。", "- %d of the given checkpoints are of other sizes and cannot be compared with one record's proof.", r.HeldPast)
	}
	switch p.Shown {
	case ShownClosed:
		say("・開示部(氏名など)は同梱されていません。", "- The opening (names and the like) is not in the file.")
	case ShownErased:
		say("・開示部は保存期間の満了などで消去されています。", "- The opening was erased.")
	}
	say("・ほかの記録のこと。前後の記録が欠けていないことは、ログの検証で分かります。", "- Anything of other records: that none is missing before or after is what checking the log shows.")
	say("・センサーが正しく働いたこと、カードを使った人が本人であること、時計の正しさ。", "- That a sensor told the truth, that who held a card was its owner, that clocks were right.")
	_, err := io.WriteString(w, b.String())
	return err
}
