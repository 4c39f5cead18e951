package main

import "testing"

// D18: the log names who works as root, not root.
func TestWhoUpdates(t *testing.T) {
	t.Setenv("SUDO_USER", "takahashi")
	if by := asRoot(); by != "takahashi" {
		t.Errorf("by %q", by)
	}
	t.Setenv("SUDO_USER", "")
	if by := asRoot(); by != operator() {
		t.Errorf("without sudo: by %q", by)
	}
}
