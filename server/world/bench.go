package world

import (
	"context"
	"errors"
	"io"
)

// BenchOptions of Bench.
type BenchOptions struct {
	Out     string
	Quick   bool
	Dir     string
	Arm     string
	Version string
	Table   io.Writer
	In      io.Reader
}

// Bench measures.
func Bench(context.Context, BenchOptions) error { return errors.New("not yet") }
