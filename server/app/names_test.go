package app

import (
	"testing"

	"monban/server/directory"
	"monban/server/web"
)

// A door with an English name is called by it on English pages, and by its own on all others.
func TestNamesFollowTheLanguage(t *testing.T) {
	p := &pages{directory: func() directory.Snapshot {
		return directory.Snapshot{
			Doors: []directory.Door{{ID: "a", Name: "正面扉", NameEN: "Front door"}, {ID: "b", Name: "裏口"}},
			Zones: []directory.Zone{{ID: "z", Name: "サーバ室", NameEN: "Server room"}},
		}
	}}
	ja, en := p.names(t.Context()), p.names(web.WithLanguage(t.Context(), web.English))
	if ja.door("a") != "正面扉" || en.door("a") != "Front door" || en.door("b") != "裏口" || en.zones["z"].Name != "Server room" || ja.zones["z"].Name != "サーバ室" {
		t.Errorf("ja %q; en %q, %q, %q", ja.door("a"), en.door("a"), en.door("b"), en.zones["z"].Name)
	}
}
