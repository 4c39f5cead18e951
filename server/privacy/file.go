package privacy

// Facts are what the register of personal information files says of a site beside the purposes.
type Facts struct {
	City    string // 行政機関等の名称
	Section string // 所管課
	Desk    string // where requests are taken
	People  int    // persons in the directory
	Logs    string // how long records are kept, in words
}

// Entry is one line of the 個人情報ファイル簿: the item's number in the form, and what to write.
type Entry struct {
	Item  Item
	Lines []string
}

// Item is an item of the form (個人情報の保護に関する法律 第75条第1項).
type Item string

// The items, in the form's order. The catalogue of the pages has their names.
const (
	ItemName       Item = "name"
	ItemBody       Item = "body"
	ItemSection    Item = "section"
	ItemPurpose    Item = "purpose"
	ItemRecorded   Item = "recorded"
	ItemScope      Item = "scope"
	ItemCollected  Item = "collected"
	ItemSensitive  Item = "sensitive"
	ItemProvided   Item = "provided"
	ItemDesk       Item = "desk"
	ItemCorrection Item = "correction"
	ItemKind       Item = "kind"
	ItemKept       Item = "kept"
	ItemCount      Item = "count"
)

// FileEntry is the draft of the site's entry in the register of personal information files. Whether it must be
// published depends on the count of persons and the city's ordinance; the city decides, this is what it would say.
func FileEntry(f Facts, r Register) []Entry {
	var purposes []string
	for _, p := range r.Purposes {
		purposes = append(purposes, p.Name+"("+p.Basis+")")
	}
	count := "1,000人未満"
	if f.People >= 1000 {
		count = "1,000人以上"
	}
	return []Entry{
		{ItemName, []string{"入退室管理ファイル"}},
		{ItemBody, []string{or(f.City)}},
		{ItemSection, []string{or(f.Section)}},
		{ItemPurpose, purposes},
		{ItemRecorded, []string{"氏名、氏名の読み、所属又は会社名、区分、カードの管理番号、入退室の日時及び場所、入室の目的、付添者、持込・持出物品、身分確認の種類と確認者"}},
		{ItemScope, []string{"職員、外部委託事業者の作業者及び来訪者のうち、管理区域に入退室した者及び入室を許可された者"}},
		{ItemCollected, []string{"本人又は所属からの申請、扉の読取装置"}},
		{ItemSensitive, []string{"含まない"}},
		{ItemProvided, []string{"なし"}},
		{ItemDesk, []string{or(f.Desk)}},
		{ItemCorrection, []string{"訂正は追記により行い、元の記録は残す"}},
		{ItemKind, []string{"電算処理ファイル(法第60条第2項第1号)"}},
		{ItemKept, []string{or(f.Logs)}},
		{ItemCount, []string{count}},
	}
}

// or says that something is still to be filled in: an empty cell would look as if there were nothing to say.
func or(s string) string {
	if s == "" {
		return "(記入してください)"
	}
	return s
}

// Notice is what a visitor is told when personal data are taken down: the purposes, in the language asked for.
func Notice(r Register, english bool) []string {
	var lines []string
	for _, p := range r.Purposes {
		if english && p.NameEN != "" {
			lines = append(lines, p.NameEN)
			continue
		}
		lines = append(lines, p.Name)
	}
	return lines
}
