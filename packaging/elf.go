package main

import (
	"debug/elf"
	"fmt"
	"strconv"
	"strings"
)

// glibc is the newest version of the C library's symbols that a program asks for, which is the oldest library it starts with; empty for a
// program without a C library.
func glibc(binary string) (string, error) {
	f, err := elf.Open(binary)
	if err != nil {
		return "", fmt.Errorf("%s: %w", binary, err)
	}
	defer func() { _ = f.Close() }() // only read
	libs, err := f.ImportedLibraries()
	if err != nil {
		return "", fmt.Errorf("%s: %w", binary, err)
	}
	if len(libs) == 0 {
		return "", nil
	}
	symbols, err := f.ImportedSymbols()
	if err != nil {
		return "", fmt.Errorf("%s: %w", binary, err)
	}
	oldest := ""
	for _, s := range symbols {
		if v, ok := strings.CutPrefix(s.Version, "GLIBC_"); ok && newer(v, oldest) {
			oldest = v
		}
	}
	if oldest == "" {
		return "", fmt.Errorf("%s: needs %v, and no version of the C library was found in it", binary, libs)
	}
	return oldest, nil
}

// newer compares 2.34 and 2.4 number by number.
func newer(a, b string) bool {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	for i := range as {
		x, _ := strconv.Atoi(as[i])
		y := 0
		if i < len(bs) {
			y, _ = strconv.Atoi(bs[i])
		}
		if x != y {
			return x > y
		}
	}
	return false
}
