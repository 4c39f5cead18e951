package card_test

import (
	"bytes"
	"fmt"

	"monban/firmware/card"
)

func ExampleCredential() {
	c, err := card.New("H10301", 26, []byte{0xbd, 0x88, 0xeb, 0x80})
	if err != nil {
		fmt.Println(err)
		return
	}
	c = c.WithNumber(54231) // the wiegand decoder does this
	fmt.Println(c)
	fmt.Printf("%x %+v\n", c, struct{ Card card.Credential }{c})
	// Output:
	// ****4231
	// ****4231 {Card:****4231}
}

func ExampleRef() {
	siteKey, gatewayKey := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	c, _ := card.New("uid32", 32, []byte{0x12, 0x34, 0x56, 0x78})
	ref := c.Ref(siteKey)
	fmt.Println(ref, ref.Token(gatewayKey))
	fmt.Println(ref.Token(gatewayKey).Equal(ref.Token(gatewayKey)), card.Token{}.Equal(card.Token{}))
	// Output:
	// [ref] [token]
	// true false
}
