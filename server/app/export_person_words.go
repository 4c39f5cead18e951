package app

// readmeText is what the first file of a person's pack says, in one language.
type readmeText struct{ head, unread, held, kind, uses, files, left string }

var readmeJA = readmeText{
	head: `保有個人情報の開示資料

対象者の番号: %s
対象期間: %s から %s まで（台帳、権限、アカウントは作成時点）
作成日時: %s

入退室管理システムが保有する、あなたについての情報です。各一覧は表計算ソフトで開けます。一覧に行がないものは、対象期間に該当する情報がありません。
`,
	unread: `
■ 読めない記録
鍵がないため読めない記録があります。だれの記録かを確かめられないため、この資料には含まれていません。一覧に行がなくても、該当する情報がないとはいえません。鍵が見つかったときは、改めて請求できます。
`,
	held: "\n■ 保有している情報と保存期間\n",
	kind: "- %s: %s 保存期間: %s\n",
	uses: "\n■ 利用目的\n",
	files: `
■ 一覧
- person.csv: 台帳（氏名、所属、契約、グループ、研修、カードの下位の桁、生体登録の同意、異動、棚卸の回答）
- rights.csv: 現在の入室許可（区域、期間、時間帯、根拠、付与の日時）
- changes.csv: 期間中の台帳と許可の変更
- lines.csv: 入退室と拒否の記録、入室目的、退室の申出
- visits.csv: 来訪（来訪者、立会者、付添者、申請者、承認者としてのもの）
- loans.csv: 名札、仮カード、鍵の貸出
- matters.csv: カードの停止、災害時等の入室、持込・持出、記録の訂正
- findings.csv: 確かめることがあり、確認を終えた事項と結果
- requests.csv: 個人情報についての請求とその回答
- acts.csv: アカウントでの操作（ログインを含む）と、アカウントに対する操作（操作、対象、結果、経路は記録の語のまま）
- accounts.csv: アカウント、役割とその申請（種類と状態は記録の語のまま）、認証手段、接続中の端末
- proofs: 入退室の記録ごとの証明。monban-verify で確かめられます
`,
	left: `
■ 含めていないもの
- ほかの人: 台帳、アカウント、あなたの来訪にある氏名（姓と名）は「第三者 (third party)」に置き換えています。姓だけ、愛称、ほかの書き方の氏名、台帳にもういない人の氏名は自動では分からないため、担当が渡す前に読みます。承認者、受付、確認者もだれかを示しません。
- ほかの人が書いた理由やメモ（ほかの人の氏名を含みうるため）。あなたへの回答は含みます。
- 対応中の確認事項、インシデントとして扱った事項、暗証番号に関する警報。あるかないかも示しません。確認の妨げになり、また、だれかがあなたに資料を見せるよう強いるおそれがあるためです。
- だれがあなたの記録を閲覧したか。調査の有無が分かるためです。
- カード番号、暗証番号（強要時のものを含む）とその設定・変更、誤りを数えている値、パスワード、認証の秘密、判定に使った入力。カード番号と暗証番号は保有していません。残りは扉やアカウントを破る手がかりになるためです。拒否の理由が暗証番号の誤りなどであったことは lines.csv と証明にあります。
- 利用停止中の記録は行だけを示し、だれの記録か、目的、関係する事項は示しません。消去した記録と、保存期間を過ぎて廃棄した記録は復元できず、含みません。
- 紙の管理簿から入力した行、台帳にない来訪者として書かれた氏名、インシデントの記録の文面、承認待ちの変更案。氏名の文字だけでは本人か確かめられないもの、または決まっていないものです。担当に申し出てください。
- 扉の装置へ送った規則、控え（バックアップ）、紙、印刷物。規則と控えの内容は上の一覧と同じです。

開示の内容に不服があるときは審査請求ができます。訂正、利用停止は、担当へ請求できます。
`,
}

var readmeEN = readmeText{
	head: `Disclosure of personal data

Number of the person: %s
Days: %s to %s (directory, rights and accounts as they stood when this was made)
Made: %s

This is what the access control system holds about you. The lists open in a spreadsheet. A list without lines means that nothing of that kind is held of these days.
`,
	unread: `
# Records that cannot be read
There are records that cannot be read since their key is missing. Nobody can tell whose they are, and they are not here. A list without lines does not mean that nothing is held. When the key is found you may ask again.
`,
	held: "\n# What is held, and for how long\n",
	kind: "- %s: %s Kept: %s.\n",
	uses: "\n# What it is used for\n",
	files: `
# Lists
- person.csv: the directory (name, section, contracts, groups, training, last digits of cards, consent to biometric enrolment, transfers, answers of recertifications)
- rights.csv: present rights to enter (zone, days, hours, basis, when they were given)
- changes.csv: changes of the directory and of rights in these days
- lines.csv: entries, exits and denied attempts, with purpose and exits that you stated
- visits.csv: visits, as visitor, attendee, escort, applicant or approver
- loans.csv: badges, temporary cards and keys lent to you
- matters.csv: stopped cards, emergency entries, equipment, corrections
- findings.csv: what had to be looked into and is closed, with the result
- requests.csv: your requests about personal data, and the answers
- acts.csv: what was done with your accounts, sign-ins among it, and what was done to them, in the words of the log
- accounts.csv: accounts, roles and requests for them (kind and state in the words of the log), second factors, open sessions
- proofs: a proof of each record of an entry, for monban-verify
`,
	left: `
# What is left out
- Other people: full names that are in the directory, in accounts or in your visits are replaced by "第三者 (third party)". Surnames alone, nicknames, names written another way and of people no longer in the directory are not found so: the office reads the lists before they are handed over. Nor is it said who approved, received or reviewed.
- Reasons and notes that others wrote, since they may name other people. What you were answered is there.
- Findings that are still being looked into, those that became an incident, and alarms about PINs; it is not said whether there are any. It would defeat the review, and somebody may force you to show this.
- Who looked at your records: it would tell whether something is being investigated.
- Card numbers, PINs (also one for duress), when one was set or changed, the count of wrong ones, passwords, secrets of sign-in, inputs of decisions. Card numbers and PINs are not held; the rest helps to get past a door or an account. That an attempt was denied for a wrong PIN or the like is in lines.csv and in the proofs.
- Of a record whose use is suspended only the line is there: not whose it is, its purpose, or what belongs to it. Records that were erased, or disposed of when their time was over, cannot be brought back and are not here.
- Lines typed in from paper registers, names of visitors who are not in the directory, the text of incident records, changes that wait for approval: a written name alone does not say who it is, or nothing is decided. Ask the office.
- Rules sent to the doors' devices, backups, papers. What rules and backups say is what the lists say.

You may appeal against the decision, and ask the office for correction or stop of use.
`,
}
