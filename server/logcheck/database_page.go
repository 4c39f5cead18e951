package logcheck

// Database is what was looked at beside the leaves when a log is checked in the database where it lies.
type Database struct {
	Key       string // public key that it was checked with
	KeyBeside bool   // which lay with the database
	Decrypted bool   // the openings were decrypted, as far as their keys are there
	Structure bool   // SQLite's own check was made
	Cosigned  int64  // cosignatures in the database that fit
}

func (d *Database) head(say sayFunc, r *Report, day func(int64) string) {
	say("公開鍵: %s", "Public key: %s", d.Key)
	say("記録: %d件", "Leaves: %d", r.Head.Size)
	if r.FirstMS != 0 {
		say("期間: %s 〜 %s(サーバーの時刻)", "Time: %s to %s (the server's clock)", day(r.FirstMS), day(r.LastMS))
	}
	say("確認した数: 記録 %d、チェックポイント %d、門番装置の記録 %d、復号した開示部 %d(鍵のないもの %d)",
		"Checked: %d leaves, %d checkpoints, %d records of gateways, %d openings decrypted (%d without a key)",
		r.Result.Leaves, r.Result.Checkpoints, r.Records, r.Result.Openings, r.Result.Erased)
}

func (d *Database) proven(say sayFunc) {
	if d.Cosigned > 0 {
		say("・データベースに残る証人の連署 %d 件と一致します。", "- It is what %d cosignatures in the database say.", d.Cosigned)
	}
	say("・画面や帳票のもとになる一覧(入退室、異常、監視、日々の確認など)は、記録から作り直したものと一致します。",
		"- The lists that pages and papers are made from (entries, findings, coverage, sign-offs and so on) are what the leaves give.")
	if d.Structure {
		say("・データベースの索引はすべての行を指しています。隠された行はありません。", "- The database's indexes hold every row: none is hidden.")
	}
	if d.Decrypted {
		say("・鍵の残る開示部(氏名など)は、すべて記録された時点の内容のままです。", "- Every opening (names and the like) whose key is there is what was written then.")
	}
}

func (d *Database) notProven(say sayFunc, r *Report) {
	if d.KeyBeside {
		say("・公開鍵はデータベースと同じ場所にあったものです。別の経路で受け取った鍵と、上の「公開鍵」の行を比べてください。",
			"- The public key lay with the database: compare the line \"Public key\" above with a key that you got another way.")
	}
	if !d.Decrypted && r.Closed > 0 {
		say("・開示部(氏名など)%d 件は復号していません。--openings を付けると内容も照合します。", "- %d openings (names and the like) were not decrypted: --openings compares what they say too.", r.Closed)
	}
	say("・人、カード、権限の一覧が今どおりであること。だれがいつ変えたかは記録にあります。", "- That the lists of people, cards and rights are right as they stand: who changed them, and when, is in the log.")
	say("・このサーバーのプログラム自身が正しいこと。別のパソコンで、書き出したファイルを monban-verify で検証してください。",
		"- That this server's own program is the true one: have a file that export made checked by monban-verify on another PC.")
}
