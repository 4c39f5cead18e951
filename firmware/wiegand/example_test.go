package wiegand_test

import (
	"fmt"
	"time"

	"monban/firmware/card"
	"monban/firmware/wiegand"
)

// One card from the edges on the cable to what may leave the reader.
func Example() {
	keypad, err := wiegand.ParseKeypad("burst4")
	if err != nil {
		fmt.Println(err)
		return
	}
	set, err := wiegand.NewSet([]card.Format{"H10301", "uid32"}, keypad)
	if err != nil {
		fmt.Println(err)
		return
	}

	layout, _ := wiegand.Lookup("H10301")
	frame, _ := wiegand.Encode(layout, wiegand.Fields{FC: 123, CN: 54231})
	asm := wiegand.NewAssembler(0)
	at := int64(time.Second)
	for i := range frame.Len() {
		asm.Add(wiegand.Edge{Line: frame.Bit(i), At: at, Seqno: uint32(i)})
		at += int64(2 * time.Millisecond)
	}
	event, ok := asm.Flush(at + int64(wiegand.TrainGap)) // the timer, after an empty read
	result, err := set.Decode(event.Frame)
	fmt.Println(ok, event.Frame, result.Card, err)
	// Output: true frame(26 bits) ****4231 <nil>
}

func ExampleNewSet() {
	_, err := wiegand.NewSet([]card.Format{"H10302", "H10304"}, wiegand.Keypad{})
	fmt.Println(err)
	_, err = wiegand.NewSet([]card.Format{"Ind26"}, wiegand.Keypad{Kind: wiegand.KeypadBuffered26})
	fmt.Println(err)
	// Output:
	// card formats H10302 and H10304 both have 37 bits: one reader can have only one of them
	// card format Ind26 cannot be told from a PIN of keypad buffered26
}

func ExamplePINEntry() {
	var entry wiegand.PINEntry
	for i, k := range "99*1234#" {
		at := int64(time.Duration(i) * time.Second)
		fmt.Print(entry.Press(at, wiegand.Key(k)), " ")
	}
	entry.Take(func(digits []byte) { fmt.Println(len(digits), entry) })
	// Output: digit digit cleared digit digit digit digit done 4 pin
}
