package wiegand

import "monban/firmware/card"

// span is a run of bits; length 0 = the layout has no such field.
type span struct{ start, length uint8 }

// rule is one parity bit: the masked bits, the parity bit among them, hold an odd or even number of
// ones. Rules are computed in the table's order when a frame is encoded, since a later one may cover
// an earlier one's bit.
type rule struct {
	hi, lo uint64
	pos    uint8
	odd    bool
}

// Layout is one format: where its fields are and what its parity bits cover. It is configuration of
// a reader, never guessed: same length is not same format. The zero Layout decodes nothing.
type Layout struct {
	name     card.Format
	identity card.Format // of the credential; differs from name for serial numbers only
	bits     uint8
	fc, cn   span
	issue    span
	oem      span
	oemUsual uint64 // put in when Fields.OEM is 0
	rules    []rule
	serial   bool // the card number is a chip's serial number
	reversed bool // the serial number's last byte is sent first
	sum      bool // P10001: 1111 in front, last byte = exclusive or of the four before
}

// Name is the format's name in a reader's configuration.
func (l Layout) Name() card.Format { return l.name }

// BitLen is the length of a frame, 0 for the zero Layout.
func (l Layout) BitLen() int { return int(l.bits) }

// HasFacility reports whether the format has a facility code, MaxFacility its largest value.
func (l Layout) HasFacility() bool { return l.fc.length > 0 }

// MaxFacility is the largest facility code, 0 when the format has none.
func (l Layout) MaxFacility() uint64 { return limit(l.fc) }

// MaxNumber is the largest card number.
func (l Layout) MaxNumber() uint64 { return limit(l.cn) }

func limit(s span) uint64 { return 1<<s.length - 1 } // 1<<64 is 0 in Go, so 64 bits give all ones

// Lookup finds a format by its name. N10002 is another name of H10306. A serial-number format (uid…)
// also exists with the suffix -reversed for readers that send the last byte first: the credential is
// the same. A miss is a refusal for the caller: a reader without a format reads no card.
func Lookup(name card.Format) (Layout, bool) {
	if name == "N10002" {
		name = "H10306"
	}
	for _, l := range Formats() {
		if l.name == name {
			return l, true
		}
	}
	return Layout{}, false
}

// Formats lists every format, shortest first. Layouts are facts of the formats' owners (HID,
// Honeywell, Keyscan, Simplex, GE Casi-Rusco, Verkada, Avigilon, Inner Range) as the Proxmark3
// project collected them in client/src/wiegand_formats.c; those with published vectors are checked
// against testdata/wiegand.json.
func Formats() []Layout {
	list := []Layout{
		{name: "H10301", bits: 26, fc: span{1, 8}, cn: span{9, 16}, rules: []rule{even(0, 1, 12), odd(25, 13, 24)}},
		{name: "Ind26", bits: 26, fc: span{1, 12}, cn: span{13, 12}, rules: []rule{even(0, 1, 12), odd(25, 13, 24)}},
		{name: "ATSW30", bits: 30, fc: span{1, 12}, cn: span{13, 16}, rules: []rule{even(0, 1, 12), odd(29, 13, 28)}},
		serial("uid32", 32, false),
		{name: "D10202", bits: 33, fc: span{1, 7}, cn: span{8, 24}, rules: []rule{even(0, 1, 16), odd(32, 16, 31)}},
		{name: "H10306", bits: 34, fc: span{1, 16}, cn: span{17, 16}, rules: []rule{even(0, 1, 16), odd(33, 17, 32)}},
		serial("uid34", 32, true),
		{name: "C1k35s", bits: 35, fc: span{2, 12}, cn: span{14, 20}, rules: []rule{
			pairs(even(1, 1, 0), 2, 33), pairs(odd(34, 1, 0), 1, 32), odd(0, 1, 34)}},
		{name: "C15001", bits: 36, oem: span{1, 10}, oemUsual: 900, fc: span{11, 8}, cn: span{19, 16},
			rules: []rule{even(0, 1, 17), odd(35, 18, 34)}},
		{name: "S12906", bits: 36, fc: span{1, 8}, issue: span{9, 2}, cn: span{11, 24},
			rules: []rule{odd(0, 1, 17), odd(35, 17, 34)}},
		{name: "H10302", bits: 37, cn: span{1, 35}, rules: []rule{even(0, 1, 18), odd(36, 18, 35)}},
		{name: "H10304", bits: 37, fc: span{1, 16}, cn: span{17, 19}, rules: []rule{even(0, 1, 18), odd(36, 18, 35)}},
		{name: "P10004", bits: 37, fc: span{1, 13}, cn: span{14, 18}},
		{name: "P10001", bits: 40, fc: span{4, 12}, cn: span{16, 16}, sum: true},
		{name: "Casi40", bits: 40, cn: span{1, 38}},
		{name: "Verkada40", bits: 40, fc: span{1, 10}, cn: span{11, 28}, rules: []rule{even(0, 1, 10), even(39, 11, 38)}},
		// The last bit is the opposite of the first: together they hold an odd number of ones.
		{name: "H800002", bits: 46, fc: span{1, 14}, cn: span{15, 30}, rules: []rule{even(0, 1, 44), odd(45, 0, 0)}},
		{name: "C1k48s", bits: 48, fc: span{2, 22}, cn: span{24, 23}, rules: []rule{
			pairs(even(1, 1, 0), 3, 46), pairs(odd(47, 1, 0), 2, 45), odd(0, 1, 47)}},
		{name: "Avig56", bits: 56, fc: span{1, 20}, cn: span{21, 34}, rules: []rule{even(0, 1, 27), odd(55, 28, 54)}},
		{name: "IR56", bits: 56, fc: span{0, 24}, cn: span{24, 32}},
		serial("uid56", 56, false),
		serial("uid58", 56, true),
		serial("uid64", 64, false),
		serial("uid66", 64, true),
	}
	for i := range list {
		l := &list[i]
		if l.identity == "" {
			l.identity = l.name
		}
	}
	for _, l := range list {
		if l.serial {
			l.name += "-reversed"
			l.reversed = true
			list = append(list, l)
		}
	}
	return list
}

// serial is a chip's serial number of n bits as it is, or between a leading even and a trailing odd
// parity bit over its halves. One chip is one credential (uid32, uid56, uid64) on every such reader;
// 4-, 7- and 8-byte numbers differ in format and length (AD-4).
func serial(name card.Format, n uint8, parity bool) Layout {
	l := Layout{name: name, identity: name, bits: n, cn: span{0, n}, serial: true}
	if !parity {
		return l
	}
	l.identity = map[uint8]card.Format{32: "uid32", 56: "uid56", 64: "uid64"}[n]
	l.bits, l.cn.start = n+2, 1
	l.rules = []rule{even(0, 1, n/2), odd(n+1, n/2+1, n)}
	return l
}

// even is a parity bit at pos over the bits from first to last, both included.
func even(pos, first, last uint8) rule {
	r := rule{pos: pos}
	r.cover(pos)
	for i := first; i <= last; i++ {
		r.cover(i)
	}
	return r
}

// odd is like even.
func odd(pos, first, last uint8) rule {
	r := even(pos, first, last)
	r.odd = true
	return r
}

// pairs adds every two of three bits from first to last: (first, first+1), (first+3, first+4) …
func pairs(r rule, first, last uint8) rule {
	for i := first; i < last; i += 3 {
		r.cover(i)
		r.cover(i + 1)
	}
	return r
}

func (r *rule) cover(i uint8) {
	if i < 64 {
		r.hi |= 1 << (63 - i)
	} else {
		r.lo |= 1 << (127 - i)
	}
}
