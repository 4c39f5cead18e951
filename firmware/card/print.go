package card

import (
	"fmt"
	"log/slog"
)

// Format prints "[ref]" for every verb.
func (r Ref) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[ref]")) }

// Format prints "[token]" for every verb.
func (t Token) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[token]")) }

// Format prints "[pin ref]" for every verb.
func (p PINRef) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[pin ref]")) }

// Format prints "[pin token]" for every verb.
func (p PINToken) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[pin token]")) }

// LogValue is masked.
func (r Ref) LogValue() slog.Value { return slog.StringValue("[ref]") }

// LogValue is masked.
func (t Token) LogValue() slog.Value { return slog.StringValue("[token]") }

// LogValue is masked.
func (p PINRef) LogValue() slog.Value { return slog.StringValue("[pin ref]") }

// LogValue is masked.
func (p PINToken) LogValue() slog.Value { return slog.StringValue("[pin token]") }
