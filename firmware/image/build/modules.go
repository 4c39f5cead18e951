package main

// Kernel and firmware are files of these modules; the packages themselves are empty. They stand here so that go.mod names their versions.
import (
	_ "github.com/gokrazy/firmware"
	_ "github.com/gokrazy/kernel.rpi"
)
