package signoff

import (
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

var (
	manager = Actor{"acc-1", "1001"}
	deputy  = Actor{"acc-2", "1002"}
	alias   = Actor{"acc-3", "1001"} // a second account of the manager
	system  = Actor{"acc-4", ""}
)

const (
	end = 1000
	due = 2000
)

// facts of a day with one entry, of person 1005, in leaf 10.
func facts() Facts {
	return Facts{EndMS: end, DueMS: due, Last: 10, People: []string{"1005"}, Rows: 1, Covered: true}
}

// desk is one day on which people act one after the other.
type desk struct {
	t      *testing.T
	f      Facts
	second bool
	now    int64
	acts   []Act
}

func (d *desk) sheet() Sheet { return Read(d.acts, d.f, d.second, d.now) }

func (d *desk) do(k Kind, by Actor, upto int64, reason string, want error) {
	d.t.Helper()
	s := d.sheet()
	if err := s.May(k, by, upto, reason, d.f); !errors.Is(err, want) {
		d.t.Fatalf("%s by %s: %v, want %v", k, by.Account, err, want)
	}
	if want == nil {
		d.acts = append(d.acts, Act{Idx: int64(100 + len(d.acts)), Kind: k, By: by, Upto: upto, AtMS: d.now})
	}
}

func (d *desk) is(want Status) {
	d.t.Helper()
	if s := d.sheet(); s.Status != want {
		d.t.Fatalf("%s, want %s", s.Status, want)
	}
}

// VR-10, VR-12: the life of a day: signed once it is over by somebody who saw all of it, returned, opened again, each with its reason.
func TestDay(t *testing.T) {
	d := &desk{t: t, f: facts(), now: end - 1}
	d.is(NotOver)
	d.do(Sign, manager, 11, "", ErrNotOver)
	d.now = end
	d.is(Open)
	d.do(Countersign, deputy, 11, "", ErrNotSigned)
	d.do(Add, deputy, 11, "", ErrNotSigned)
	d.do(Reopen, manager, 11, "x", ErrNotSigned)
	d.do(Sign, manager, 10, "", ErrUnseen)
	d.do(Sign, manager, 11, "", nil)
	d.is(Done)
	d.do(Sign, deputy, 11, "", ErrSigned)
	d.do(Add, deputy, 11, "", ErrNothing)
	d.do(Countersign, deputy, 11, "", ErrNotSigned)
	d.do(Return, alias, 11, "x", ErrSamePerson)
	d.do(Return, deputy, 11, "", ErrNoReason)
	d.do(Return, deputy, 11, "目的が空欄", nil)
	d.is(Returned)
	d.do(Sign, manager, 11, "", nil)
	d.do(Reopen, manager, 11, "", ErrNoReason)
	d.do(Reopen, manager, 11, "誤って署名", nil)
	d.is(Open)
	d.do(Kind("day_deleted"), manager, 11, "x", ErrKind)
	if s := d.sheet(); len(d.acts) != 4 || s.Signed != nil || s.Upto != 0 || s.Last.Kind != Reopen {
		t.Errorf("%+v", s)
	}
}

// VR-10: whoever has a row of their own needs another person, not another account of theirs.
func TestOwnRows(t *testing.T) {
	d := &desk{t: t, f: facts(), now: end}
	d.f.People = []string{"1001", "1005"}
	d.do(Sign, manager, 11, "", nil)
	d.is(Waiting)
	d.do(Countersign, manager, 11, "", ErrSamePerson)
	d.do(Countersign, alias, 11, "", ErrSamePerson)
	d.do(Countersign, deputy, 10, "", ErrUnseen)
	d.do(Countersign, deputy, 11, "", nil)
	d.is(Done)
	// An office of two: the deputy has a row as well, which the manager has signed.
	d.f.People = append(d.f.People, "1002")
	d.is(Done)
	// A site that wants two signatures on every day.
	two := &desk{t: t, f: facts(), now: end, second: true}
	two.do(Sign, system, 11, "", nil)
	two.is(Waiting)
	two.do(Countersign, system, 11, "", ErrSamePerson)
	two.do(Countersign, manager, 11, "", nil)
	two.is(Done)
}

// VR-11: a record after the signature opens the day to an addition, which its own person does not sign.
func TestAddition(t *testing.T) {
	d := &desk{t: t, f: facts(), now: end}
	d.do(Sign, manager, 11, "", nil)
	d.f.Last, d.f.Late = 57, []string{"1002"}
	d.is(Additional)
	d.do(Sign, manager, 58, "", ErrSigned)
	d.do(Add, deputy, 58, "", ErrSamePerson)
	d.do(Add, manager, 57, "", ErrUnseen)
	d.do(Add, manager, 58, "", nil)
	d.is(Done)
	if s := d.sheet(); s.Upto != 58 || s.Signed.Upto != 11 {
		t.Errorf("%+v", s)
	}
}

// VR-10, VR-11: where two persons sign, they sign an addition too; nobody is both of any of it.
func TestAdditionOfTwo(t *testing.T) {
	d := &desk{t: t, f: facts(), now: end, second: true}
	d.do(Sign, manager, 11, "", nil)
	d.do(Countersign, deputy, 11, "", nil)
	d.is(Done)
	d.f.Last = 57
	d.do(Add, deputy, 58, "", nil)
	d.is(Waiting)
	d.do(Countersign, deputy, 58, "", ErrSamePerson)
	d.do(Countersign, manager, 58, "", nil)
	d.is(Done)
	if s := d.sheet(); s.Second.By != deputy {
		t.Errorf("the second person of the signature is %v", s.Second.By)
	}
	// The addition is signed before the signature is countersigned: both wait, and neither author finishes both.
	late := &desk{t: t, f: facts(), now: end, second: true}
	late.do(Sign, manager, 11, "", nil)
	late.f.Last = 57
	late.do(Add, deputy, 58, "", nil)
	late.do(Countersign, deputy, 58, "", nil)
	late.is(Waiting)
	late.do(Countersign, deputy, 58, "", ErrSamePerson)
	late.do(Countersign, alias, 58, "", nil)
	late.is(Done)
}

// VR-11, I10: quiet is what is known to be empty.
func TestQuiet(t *testing.T) {
	empty := Facts{EndMS: end, DueMS: due, Last: -1, Covered: true}
	for name, c := range map[string]struct {
		change func(*Facts)
		now    int64
		want   bool
	}{
		"empty":    {func(*Facts) {}, end, true},
		"not over": {func(*Facts) {}, end - 1, false},
		"unheard":  {func(f *Facts) { f.Covered = false }, end, false},
		"an entry": {func(f *Facts) { f.Rows = 1 }, end, false},
		"found":    {func(f *Facts) { f.Findings = 1 }, end, false},
	} {
		f := empty
		c.change(&f)
		if got := Read(nil, f, false, c.now).Quiet; got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// VR-3: a day is overdue from the moment on that its time is over, unless it is done.
func TestOverdue(t *testing.T) {
	d := &desk{t: t, f: facts(), now: due - 1}
	if d.sheet().Overdue {
		t.Error("before its time")
	}
	if d.now = due; !d.sheet().Overdue {
		t.Error("not at its time")
	}
	d.do(Sign, manager, 11, "", nil)
	if d.sheet().Overdue {
		t.Error("signed and overdue")
	}
	if d.f.Last = 20; !d.sheet().Overdue {
		t.Error("an addition that nobody signs is not overdue")
	}
}

// VR-4: no month is skipped, empty or not.
func TestMonth(t *testing.T) {
	done := []Sheet{{Status: Done}, {Status: Done}}
	for name, c := range map[string]struct {
		days   []Sheet
		signed bool
		before Before
		want   error
	}{
		"all done":               {done, false, BeforeSigned, nil},
		"the first month":        {done, false, BeforeNone, nil},
		"twice":                  {done, true, BeforeChanged, ErrSigned},
		"the one before":         {done, false, BeforeOpen, ErrMonth},
		"the one before changed": {done, false, BeforeChanged, ErrBefore},
		"a day open":             {[]Sheet{{Status: Done}, {}}, false, BeforeChanged, ErrMonth},
		"a day with something":   {[]Sheet{{Status: Additional}}, false, BeforeSigned, ErrMonth},
		"not over":               {[]Sheet{{Status: Done}, {Status: NotOver}}, false, BeforeSigned, ErrNotOver},
	} {
		if err := MayMonth(c.days, c.signed, c.before); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// VR-4: a month's signature covers its days as long as each is done and nobody has acted on one after it. For the month after it, days that only
// wait for a second person, as the site has come to want one, have not changed.
func TestMonthChanged(t *testing.T) {
	at := func(idx int64) *Act { return &Act{Idx: idx} }
	for name, c := range map[string]struct {
		days        []Sheet
		want, since bool
	}{
		"as signed":        {[]Sheet{{Status: Done, Last: at(49)}, {Status: Done, Last: at(12)}}, false, false},
		"an addition":      {[]Sheet{{Status: Done, Last: at(49)}, {Status: Additional, Last: at(12)}}, true, true},
		"opened again":     {[]Sheet{{Status: Open, Last: at(51)}}, true, true},
		"open":             {[]Sheet{{}}, true, true},
		"returned":         {[]Sheet{{Status: Returned, Last: at(51)}}, true, true},
		"signed anew":      {[]Sheet{{Status: Done, Last: at(51)}}, true, true},
		"waits as signed":  {[]Sheet{{Status: Waiting, Last: at(49)}, {Status: Done, Last: at(48)}}, true, false},
		"signed and waits": {[]Sheet{{Status: Waiting, Last: at(49)}, {Status: Waiting, Last: at(51)}}, true, true},
	} {
		if got := MonthChanged(c.days, 50); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
		if got := ChangedSince(c.days, 50); got != c.since {
			t.Errorf("%s: changed since: %v", name, got)
		}
	}
}

// VR-10, VR-12: whatever people try, in whatever order: a day that is done has each of its rows signed by somebody else than its own
// person, who had it on the page; and no act is ever lost.
func TestNobodySignsOnlyTheirOwn(t *testing.T) {
	people := []Actor{manager, deputy, alias, system}
	rapid.Check(t, func(t *rapid.T) {
		type line struct {
			leaf   int64
			person string
		}
		var lines []line
		var acts []Act
		size := int64(0)
		second := rapid.Bool().Draw(t, "second")
		for range rapid.IntRange(1, 25).Draw(t, "steps") {
			f := Facts{EndMS: end, DueMS: due, Last: -1, Covered: true, Rows: len(lines)}
			before := Read(acts, f, second, end)
			for _, l := range lines {
				f.Last = max(f.Last, l.leaf)
				f.People = append(f.People, l.person)
				if before.Signed != nil && l.leaf >= before.Upto {
					f.Late = append(f.Late, l.person)
				}
			}
			s := Read(acts, f, second, end)
			if s.Status == Done {
				for _, l := range lines {
					var others bool
					for _, a := range acts {
						others = others || a.Idx >= s.Signed.Idx && a.Upto > l.leaf && a.By.Person != l.person
					}
					if !others {
						t.Fatalf("the row of %s in leaf %d is signed by nobody else: %+v", l.person, l.leaf, acts)
					}
					if c := CheckOf(acts, l.leaf, l.person, second); c.Status != Done || second && c.By.By.same(c.Second.By) {
						t.Fatalf("the day is done, and of the row of %s in leaf %d it says %+v: %+v", l.person, l.leaf, c, acts)
					}
				}
			}
			if rapid.Bool().Draw(t, "a record comes") {
				lines = append(lines, line{size, rapid.SampledFrom([]string{"1001", "1002", "1005"}).Draw(t, "person")})
				size++
				continue
			}
			k, by := rapid.SampledFrom(Kinds()).Draw(t, "kind"), rapid.SampledFrom(people).Draw(t, "by")
			upto := int64(rapid.IntRange(0, int(size)).Draw(t, "seen"))
			if s.May(k, by, upto, "x", f) == nil {
				acts = append(acts, Act{Idx: size, Kind: k, By: by, Upto: upto})
				size++
			}
		}
	})
}

// The words of statuses and acts are told apart.
func TestWords(t *testing.T) {
	var words []string
	for s := range statusCount {
		words = append(words, s.String())
	}
	for _, k := range Kinds() {
		words = append(words, string(k))
	}
	slices.Sort(words)
	if len(slices.Compact(words)) != int(statusCount)+len(Kinds()) || Status(99).String() != "open" {
		t.Error(words)
	}
}
