package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"

	"monban/server/logcheck"
)

// resultTail is what the name of a result's file ends with.
const resultTail = ".result.txt"

// withResult runs the program. Where a file was dropped on it in Windows, which is a file as the only argument, what it says is also written
// beside that file: the window closes before anybody has read it, and shows Japanese wrongly. The exit code is the program's own in any case.
func withResult(goos string, args []string, out, errs io.Writer, run func(out, errs io.Writer) int) int {
	if goos != "windows" || len(args) != 1 || strings.HasPrefix(args[0], "-") {
		return run(out, errs)
	}
	var page, fault bytes.Buffer
	code := run(io.MultiWriter(out, &page), io.MultiWriter(errs, &fault))
	if code == 2 {
		page.Write(fault.Bytes()) // why it could not be checked; otherwise these are only signs of life
	}
	name := args[0] + resultTail
	text := "\ufeff" + strings.ReplaceAll(page.String(), "\n", "\r\n") // as Windows' own editor reads it
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		_, _ = fmt.Fprintf(errs, "monban-verify: the result could not be written beside the file: %v. Copy the file to a folder of your own and drop it again\n", logcheck.PlainError{Err: err})
		return code
	}
	_, _ = fmt.Fprintf(errs, "%s\n", logcheck.Plain(name)) // where it is; nowhere else to say it
	return code
}
