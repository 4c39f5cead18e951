package nfc

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
)

// block makes the cipher of a key.
func block(k Key) cipher.Block {
	b, err := aes.NewCipher(k[:])
	if err != nil {
		panic("BUG: AES refuses 16 bytes: " + err.Error())
	}
	return b
}

// double multiplies by x in GF(2^128), as the subkeys of CMAC need it.
func double(b [16]byte) (out [16]byte) {
	carry := byte(0)
	for i := 15; i >= 0; i-- {
		out[i] = b[i]<<1 | carry
		carry = b[i] >> 7
	}
	out[15] ^= 0x87 * carry
	return out
}

// cmac is AES-CMAC (RFC 4493) that begins with iv, which is zero but in EV1's messages.
func cmac(k Key, iv [16]byte, msg []byte) [16]byte { return cmacPadded(k, iv, msg, len(msg) == 0) }

// cmacPadded: with pad the last block is a padding block although msg fills its blocks (AN10922 wants 32 bytes).
func cmacPadded(k Key, iv [16]byte, msg []byte, pad bool) [16]byte {
	b := block(k)
	var sub [16]byte
	b.Encrypt(sub[:], sub[:])
	sub = double(sub)
	last := iv
	for {
		var in [16]byte
		n := copy(in[:], msg)
		msg = msg[n:]
		if len(msg) == 0 {
			if n < 16 || pad {
				sub = double(sub)
				if n < 16 {
					in[n] = 0x80
				}
			}
			subtle.XORBytes(in[:], in[:], sub[:])
		}
		subtle.XORBytes(in[:], in[:], last[:])
		b.Encrypt(last[:], in[:])
		if len(msg) == 0 {
			return last
		}
	}
}

// Diversify derives a card's own key from a master key (AN10922, AES-128): CMAC over 01 and the input, padded to exactly
// 32 bytes even when it is short. The input is at most 31 bytes: serial number, application, system.
func Diversify(master Key, input []byte) Key {
	var m [32]byte
	m[0] = 0x01
	n := 1 + copy(m[1:], input)
	if n == 32 {
		return cmac(master, [16]byte{}, m[:])
	}
	m[n] = 0x80 // the padding is there already, so only the other subkey is left to tell
	return cmacPadded(master, [16]byte{}, m[:], true)
}
