package main

import (
	"fmt"
	"time"

	"monban/server/app"
	"monban/server/config"
)

type keysCommand struct {
	Copy    keysCopyCommand    `cmd:"" help:"Copy the master key onto a stick and read it back. Do it twice, on two sticks that lie in two places: set-up is not finished before."`
	Check   keysCheckCommand   `cmd:"" help:"Read copies of the master key back and compare them; twice a year."`
	Restore keysRestoreCommand `cmd:"" help:"Put a copy in the place of a lost master key. The server must be stopped; overwrites nothing."`
}

type keysCopyCommand struct {
	onSite
	To string `required:"" placeholder:"DIR" help:"Folder of the stick."`
}

func (c *keysCopyCommand) Run() error {
	cfg, err := config.Load(c.Config)
	if err != nil {
		return err
	}
	path, have, err := app.CopyMaster(cfg, c.To, time.Now())
	if err != nil {
		return err
	}
	fmt.Printf("%s was written and read back; %d of 2 copies.\nWhoever has it and the key store reads every name: lock it away.\n", path, have)
	if open := app.OpenToOthers(path); open != "" {
		fmt.Println("note:", open+".")
	}
	if have < 2 {
		fmt.Println("Make the second one on another stick.")
	}
	return nil
}

type keysCheckCommand struct {
	onSite
	Copies []string `arg:"" name:"copy" help:"Folders or files."`
}

func (c *keysCheckCommand) Run() error {
	cfg, err := config.Load(c.Config)
	if err != nil {
		return err
	}
	for _, x := range c.Copies {
		path, _, err := app.CheckMasterCopy(cfg, x, time.Now())
		if err != nil {
			return err
		}
		fmt.Printf("ok   %s\n", path)
		if open := app.OpenToOthers(path); open != "" {
			fmt.Println("note:", open+".")
		}
	}
	return nil
}

type keysRestoreCommand struct {
	onSite
	From string `required:"" placeholder:"FILE" type:"existingfile" help:"The copy."`
}

func (c *keysRestoreCommand) Run() error {
	cfg, err := config.Load(c.Config)
	if err != nil {
		return err
	}
	if err := app.RestoreMaster(cfg, c.From); err != nil {
		return err
	}
	fmt.Println("The master key is back. Run `monban-server doctor`, then start the server.")
	return nil
}
