package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"monban/gateway/config"
	"monban/hardware/board"
)

type wiringCommand struct {
	Profile string `arg:"" optional:"" placeholder:"PROFILE" help:"Name of a board profile that comes with the program, or path of a .toml file; without it the names are listed."`
	Out     string `placeholder:"DIR" default:"." help:"Folder for the files."`
	Copy    bool   `help:"Write the profile itself too, to be changed."`
}

// Run writes the wiring sheet and the parts list of a profile.
func (c *wiringCommand) Run() error {
	if c.Profile == "" {
		fmt.Println(strings.Join(board.Names(), "\n"))
		return nil
	}
	p, err := config.LoadBoard(c.Profile)
	if err != nil {
		return err
	}
	name := strings.TrimSuffix(filepath.Base(c.Profile), ".toml")
	files := map[string][]byte{name + ".svg": p.Draw(), name + ".md": p.PartsList()}
	if text, err := board.Text(c.Profile); c.Copy && err == nil {
		files[name+".toml"] = text
	}
	for file, data := range files {
		path := filepath.Join(c.Out, file)
		if strings.HasSuffix(file, ".toml") {
			if _, err := os.Stat(path); err == nil {
				return fmt.Errorf("%s: exists already and is not overwritten", path)
			}
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			return fmt.Errorf("wiring sheet: %w", err)
		}
		fmt.Println(path)
	}
	return nil
}
