package board

import (
	"embed"
	"fmt"
	"strings"
)

//go:embed profiles/*.toml
var files embed.FS

// Names are the profiles that come with the program.
func Names() []string {
	entries, err := files.ReadDir("profiles")
	if err != nil {
		return nil // cannot be: they are in the program
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".toml"))
	}
	return names
}

// Text is the file of a profile that comes with the program, to be copied and changed.
func Text(name string) ([]byte, error) {
	data, err := files.ReadFile("profiles/" + name + ".toml")
	if err != nil {
		return nil, fmt.Errorf("no board profile %q: one of %s, or the path of a .toml file", name, strings.Join(Names(), ", "))
	}
	return data, nil
}
