package app

import (
	"strings"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/server/directory"
	"monban/server/policypub/sitetest"
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

// AD-18: the server's doctor says BAD when its own door could lock everybody out today.
func TestDoctorFindsLockout(t *testing.T) {
	files, err := directory.SampleFiles()
	if err != nil {
		t.Fatal(err)
	}
	dir, _, err := directory.Import(directory.Snapshot{}, files, directory.ImportConfig{Now: sitetest.Now(), Zone: time.UTC, Cards: sitetest.New(t).Keys, Relative: true})
	if err != nil {
		t.Fatal(err)
	}
	today := directory.DateOf(sitetest.Now())
	if c := lockout(&dir, today); c.Err != nil || !strings.Contains(c.Note, "1 doors guard") {
		t.Errorf("sample site: %+v", c)
	}
	dir.Credentials[0].Status = access.CredentialLost
	if c := lockout(&dir, today); c.Err == nil || strings.Contains(c.Err.Error(), "\n") {
		t.Errorf("a recovery card lost: %+v, want BAD in one line", c)
	}
	for i := range dir.Doors {
		dir.Doors[i].GuardsServer = false
	}
	if c := lockout(&dir, today); c.Err != nil || !strings.Contains(c.Note, "no door is marked") {
		t.Errorf("no door marked: %+v", c)
	}
}
