package webtest

import (
	"context"
	"slices"
	"time"

	"monban/firmware/access"
	"monban/server/web"
)

// samplePeople are a few people with names that lesser systems lose.
func (m *Memory) samplePeople() []web.PersonInput {
	if m.people == nil {
		for _, p := range []web.RegPerson{
			{ID: "1001", Name: "髙橋 健一", NameReduced: "高橋 健一", Kana: "タカハシ ケンイチ", Romaji: "Takahashi Kenichi", Section: "情報政策課", Category: "staff", Kind: "regular",
				Active: true, ValidFrom: "2026-04-01", TrainingUntil: "2027-03-31", Conditions: 2, MayEscort: true},
			{ID: "1002", Name: "﨑山 健太", Section: "情報政策課", Category: "staff", Active: true},
			{ID: "1003", Name: "𠮷田 誠", Section: "総務課", Category: "staff"},
			{ID: "K-12", Name: "渡邉 さくら", Company: "株式会社 北浜システムズ", Category: "contractor", Kind: "outsourcer", Active: true, ValidUntil: "2027-03-31"},
		} {
			m.people = append(m.people, web.PersonInput{RegPerson: p})
		}
		m.people[3].ContractFrom, m.people[3].ContractUntil = "2026-04-01", "2027-03-31"
	}
	return m.people
}

// RegistryPeople implements web.Registry.
func (m *Memory) RegistryPeople(context.Context) (out []web.RegPerson, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.samplePeople() {
		out = append(out, p.RegPerson)
	}
	return out, nil
}

func (m *Memory) sampleCards() []web.RegCard {
	if m.cards == nil {
		m.cards = []web.RegCard{
			{ID: "C-001", Person: "1001", Masked: "****4567", Assurance: "card_auth", Status: access.CredentialActive, ValidUntil: "2027-03-31", PIN: true},
			{ID: "C-002", Person: "1002", Masked: "****1111", Assurance: "card_auth", Status: access.CredentialSuspended},
			{ID: "C-009", Person: "1002", Masked: "****2222", Assurance: "uid_only", Status: access.CredentialRevoked},
			{ID: "K-012", Person: "K-12", Masked: "****8901", Assurance: "card_auth", Status: access.CredentialSuspended},
		}
	}
	return m.cards
}

// RegistryCards implements web.Registry.
func (m *Memory) RegistryCards(_ context.Context, person string) (out []web.RegCard, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.sampleCards() {
		if c.Person == person {
			out = append(out, c)
		}
	}
	return out, nil
}

// SetCard implements web.Registry. To give 1001's rights back waits for a second person.
func (m *Memory) SetCard(_ context.Context, card string, to access.CredentialStatus, _ time.Time, act web.Action) (web.RegCard, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if bad := badWords(map[string]string{"reason": act.Reason}); bad != nil {
		return web.RegCard{}, false, bad
	}
	list := slices.Clone(m.sampleCards())
	for i := range list {
		c := &list[i]
		switch {
		case c.ID != card:
			continue
		case c.Status == access.CredentialRevoked:
			return web.RegCard{}, false, web.ErrRevoked
		case c.Status == to:
			return web.RegCard{}, false, web.ErrState
		case to == access.CredentialActive && c.Person == "1001" && m.asked:
			return web.RegCard{}, false, web.ErrSecondPerson
		}
		if err := m.record(act); err != nil {
			return web.RegCard{}, false, err
		}
		if to == access.CredentialActive && c.Person == "1001" {
			m.asked = true
			return *c, true, nil
		}
		c.Status = to
		m.cards = list
		return *c, false, nil
	}
	return web.RegCard{}, false, web.ErrNotFound
}

// RegistryProposals implements web.Registry.
func (m *Memory) RegistryProposals(context.Context) ([]web.RegProposal, error) {
	return []web.RegProposal{{ID: AttemptID(0x51), Proposer: "ZONEMANAGER0", Proposed: time.Now().Add(-time.Hour), Reason: "異動", Changes: []string{"grant added: 1003 server-room office"}},
		{ID: AttemptID(0x50), Proposed: time.Now().Add(-2 * time.Hour), Reason: "取り込み"}}, nil
}

// RegistryVisits implements web.Registry.
func (m *Memory) RegistryVisits(_ context.Context, day string) ([]web.RegVisit, error) {
	if day < "2026-01-01" {
		return nil, nil
	}
	at := time.Now().Truncate(time.Hour)
	return []web.RegVisit{{ID: AttemptID(0x61), State: "running", Type: "work", Purpose: "空調機の点検", System: "空調", Zones: []string{"server-room"}, From: at, Until: at.Add(2 * time.Hour),
		Section: "施設管理課", Company: "株式会社 塩竈設備", Contract: "K-2026-3", Attendee: "1001", Owed: 1,
		Guests: []web.RegGuest{{Name: "渡邉 大地", Company: "株式会社 塩竈設備", Category: "contractor", Badge: "V-3", Received: at}, {Name: "𠮷田 花", Category: "visitor"}}},
		{ID: AttemptID(0x62), State: "applied", Type: "tour", Purpose: "見学", Zones: []string{"server-room"}, From: at.Add(time.Hour), Until: at.Add(2 * time.Hour), Section: "広報課", Attendee: "1002"}}, nil
}

// RegistryZones implements web.Registry.
func (m *Memory) RegistryZones(context.Context) ([]web.RegZone, error) {
	return []web.RegZone{
		{ID: "media-store", Name: "媒体保管庫", Level: 2, MinAssurance: "uid_only", AntiPassback: "off", Escort: "none", Training: "off"},
		{ID: "server-room", Name: "サーバ室", Parent: "media-store", Level: 3, MinAssurance: "card_auth", PINAlways: true, AntiPassback: "hard", MaxInside: 6, MinInside: 2,
			TwoPersonWithin: 10 * time.Second, Escort: "outsiders", Training: "flag", Conditions: 2, Basis: "第12条"},
	}, nil
}

// RegistrySchedules implements web.Registry.
func (m *Memory) RegistrySchedules(context.Context) ([]web.RegSchedule, error) {
	return []web.RegSchedule{{ID: "always", Name: "常時", Windows: []web.RegWindow{{Days: []string{"mon", "closed"}, To: 86400}}}, {ID: "never", Name: "なし"},
		{ID: "office", Name: "開庁時間", Windows: []web.RegWindow{{Days: []string{"mon", "tue"}, From: 30600, To: 62100}}}}, nil
}

func (m *Memory) sampleGrants() []web.RegGrant {
	if m.grants == nil {
		m.grants = []web.RegGrant{
			{ID: "1001/server-room/office", Person: "1001", Zone: "server-room", Schedule: "office", ValidFrom: "2026-04-01", ValidUntil: "2027-03-31", Basis: "申請 12"},
			{ID: "ops/media-store/always", Group: "ops", Zone: "media-store", Schedule: "always", ValidUntil: "2027-03-31", Suspended: true},
		}
	}
	return m.grants
}

// RegistryGrants implements web.Registry.
func (m *Memory) RegistryGrants(context.Context) ([]web.RegGrant, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.sampleGrants()), nil
}

// RegistryClosedDays implements web.Registry.
func (m *Memory) RegistryClosedDays(context.Context) ([]web.RegDay, error) {
	return []web.RegDay{{Day: "2026-11-23", Name: "勤労感謝の日"}, {Day: "2026-12-29", Name: "年末"}, {Day: "2027-01-01", Name: "元日"}}, nil
}

// RegistryGroups implements web.Registry.
func (m *Memory) RegistryGroups(context.Context) ([]web.RegGroup, error) {
	return []web.RegGroup{{ID: "ops", Name: "運用班", Members: []string{"1001", "1002"}}}, nil
}

// RegistryContracts implements web.Registry.
func (m *Memory) RegistryContracts(context.Context) ([]web.RegContract, error) {
	return []web.RegContract{{ID: "K-2026-3", Name: "保守", Company: "株式会社 北浜システムズ", Section: "情報政策課", ValidFrom: "2026-04-01", ValidUntil: "2027-03-31", Tier: 1, Workers: []string{"K-12"}}}, nil
}
