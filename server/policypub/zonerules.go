package policypub

import (
	"time"

	"monban/firmware/access"
	"monban/server/directory"
)

// personOf maps a person. contracts are those that name the person; with byDates, the days on the person
// are all there is: a guest, whose contract was looked at on receipt, or a site that keeps no contracts.
func personOf(p *directory.Person, contracts []*directory.Contract, byDates bool, zone *time.Location) access.Person {
	category := access.CategoryUnset // refused by access, should directory.Validate ever let it pass
	switch p.Category {
	case directory.Staff:
		category = access.CategoryStaff
	case directory.Contractor:
		category = access.CategoryContractor
	case directory.Visitor:
		category = access.CategoryVisitor
	}
	out := access.Person{
		ID: string(p.ID), Active: p.Active, Category: category,
		FromMS: p.ValidFrom.StartMS(zone), UntilMS: p.ValidUntil.EndMS(zone),
		ContractFromMS: p.ContractFrom.StartMS(zone), ContractUntilMS: p.ContractUntil.EndMS(zone),
		TrainingUntilMS: p.TrainingUntil.EndMS(zone), Conditions: p.Conditions, MayEscort: p.MayEscort, Party: p.Party,
	}
	if p.Category != directory.Contractor || byDates {
		return out
	}
	if len(contracts) == 0 {
		out.ContractFromMS, out.ContractUntilMS = 0, 1 // VE-4, A21: no contract names this worker
		return out
	}
	// From the first day of the first contract to the last day of the last; the grants leave out what lies between.
	from, until := contracts[0].ValidFrom, contracts[0].ValidUntil
	for _, c := range contracts {
		if c.ValidFrom.Before(from) {
			from = c.ValidFrom
		}
		if until.Before(c.ValidUntil) {
			until = c.ValidUntil
		}
	}
	out.ContractFromMS = later(out.ContractFromMS, from.StartMS(zone))
	out.ContractUntilMS = earlier(out.ContractUntilMS, until.EndMS(zone))
	if out.ContractUntilMS <= out.ContractFromMS {
		out.ContractFromMS, out.ContractUntilMS = 0, 1 // the worker's own days and the contracts' have none in common
	}
	return out
}

// contractsOf gives the contracts that name each person.
func contractsOf(dir *directory.Snapshot) map[directory.PersonID][]*directory.Contract {
	out := make(map[directory.PersonID][]*directory.Contract)
	for i := range dir.Contracts {
		c := &dir.Contracts[i]
		if c.Tier >= 2 && c.Approval == "" {
			continue // VE-4; Validate refuses it as well
		}
		for _, p := range c.Workers {
			out[p] = append(out[p], c)
		}
	}
	return out
}

// grantsOf makes one grant of each member of a group's grant, and leaves out what gives no right: a
// suspended grant (VR-5).
func grantsOf(dir *directory.Snapshot, persons map[directory.PersonID]access.PersonNo, schedules map[directory.ScheduleID]int32, zone *time.Location) []access.Grant {
	members := make(map[directory.GroupID][]directory.PersonID, len(dir.Groups))
	for i := range dir.Groups {
		members[dir.Groups[i].ID] = dir.Groups[i].Members
	}
	barred := make(map[access.ZoneID]directory.Escort, len(dir.Zones))
	for i := range dir.Zones {
		barred[dir.Zones[i].ID] = dir.Zones[i].Barred
	}
	contracts := contractsOf(dir)
	people := make(map[directory.PersonID]*directory.Person, len(dir.People))
	for i := range dir.People {
		people[dir.People[i].ID] = &dir.People[i]
	}
	uncertified := make(map[access.ZoneID]map[directory.PersonID]string, len(dir.Zones))
	for i := range dir.Zones {
		uncertified[dir.Zones[i].ID] = dir.Uncertified(dir.Zones[i].ID)
	}
	var out []access.Grant
	for i := range dir.Grants {
		g := &dir.Grants[i]
		if g.Suspended {
			continue
		}
		holders := []directory.PersonID{g.Person}
		if g.Group != "" {
			holders = members[g.Group]
		}
		for _, p := range holders {
			no, ok := persons[p]
			if !ok || escorted(people[p].Category, barred[g.Zone]) {
				continue // of nobody (Validate refuses it), or of somebody who would need an escort that cannot be watched
			}
			if word := uncertified[g.Zone][p]; word == directory.AnswerSuspended || word == directory.AnswerRemove && g.Group != "" {
				continue // VR-5
			}
			right := access.Grant{
				Person: no, Zone: g.Zone, Schedule: schedules[g.Schedule], Emergency: g.Emergency,
				FromMS: later(g.ValidFrom.StartMS(zone), g.Exact.FromMS), UntilMS: earlier(g.ValidUntil.EndMS(zone), g.Exact.UntilMS),
			}
			if people[p].Category != directory.Contractor || g.Exact != (directory.Span{}) || len(dir.Contracts) == 0 {
				out = append(out, right) // as personOf with byDates
				continue
			}
			for _, c := range contracts[p] { // VE-4: as long as a contract names the worker
				part := right
				part.FromMS = later(part.FromMS, c.ValidFrom.StartMS(zone))
				part.UntilMS = earlier(part.UntilMS, c.ValidUntil.EndMS(zone))
				if part.FromMS < part.UntilMS {
					out = append(out, part)
				}
			}
		}
	}
	return out
}

// escorted reports whether a rule is about people of a category.
func escorted(c directory.Category, rule directory.Escort) bool {
	switch rule {
	case directory.EscortNone:
		return false
	case directory.EscortVisitors:
		return c != directory.Staff && c != directory.Contractor
	default:
		return c != directory.Staff
	}
}

func zoneOf(z *directory.Zone) access.Zone {
	out := access.Zone{
		ID: z.ID, Level: uint8(z.Level), MinAssurance: z.MinAssurance, RequirePIN: z.PINAlways, Parent: z.Parent,
		AntiPassbackMS: z.AntiPassbackFor.Milliseconds(), MaxInside: z.MaxInside, MinInside: z.MinInside,
		TwoPersonMS: z.TwoPersonWithin.Milliseconds(), TwoPersonAlways: z.TwoPersonAlways, StaffNeeded: z.StaffNeeded,
		EscortRatio: z.EscortRatio, EscortWithinMS: z.EscortWithin.Milliseconds(), EscortGraceMS: z.EscortGrace.Milliseconds(),
		Conditions: z.Conditions,
	}
	// What is not known here becomes the strictest.
	switch z.AntiPassback {
	case directory.PassbackOff:
	case directory.PassbackSoft:
		out.AntiPassback = access.AntiPassbackSoft
	case directory.PassbackTimed:
		out.AntiPassback = access.AntiPassbackTimed
	case directory.PassbackHard:
		out.AntiPassback = access.AntiPassbackHard
	default:
		out.AntiPassback = access.AntiPassbackHard
	}
	switch z.Escort {
	case directory.EscortNone:
	case directory.EscortVisitors:
		out.Escort = access.EscortVisitors
	case directory.EscortOutsiders:
		out.Escort = access.EscortOutsiders
	default:
		out.Escort = access.EscortOutsiders
	}
	switch z.Training {
	case directory.TrainingOff:
	case directory.TrainingFlag:
		out.Training = access.TrainingFlag
	case directory.TrainingDeny:
		out.Training = access.TrainingDeny
	default:
		out.Training = access.TrainingDeny
	}
	if z.OfflineGrantAndFlag {
		out.OfflineRules = access.ZoneRuleGrantAndFlag
	}
	return out
}
