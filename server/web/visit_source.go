package web

import (
	"context"
	"time"

	"monban/firmware/access"
	"monban/server/directory"
	"monban/server/visit"
)

// Visits is what lets somebody in for a while and is put right afterwards. Each method that changes something is one
// transaction with its leaf; a refusal is a *visit.Error and has changed nothing; ErrNotFound for a matter that is not
// there. Who may do what is the pages' to decide (RA-1); that two different persons do what takes two, the source's.
type Visits interface {
	// VisitSite is the directory and the settings that decisions look at, of one moment. It is not changed.
	VisitSite(ctx context.Context) (*visit.Site, error)
	SetVisitSettings(ctx context.Context, s visit.Settings, reason string, by visit.Actor) error

	VisitsOfDay(ctx context.Context, day string) ([]visit.View, error) // YYYY-MM-DD; those that still run, too
	OpenVisits(ctx context.Context) ([]visit.View, error)
	VisitByID(ctx context.Context, id string) (visit.View, error)
	ApplyVisit(ctx context.Context, app visit.Application, by visit.Actor) (visit.Visit, []string, error)
	UrgentVisit(ctx context.Context, app visit.Application, approver directory.PersonID, by visit.Actor) (visit.Visit, []string, error)
	DecideVisit(ctx context.Context, id string, approve bool, note string, by visit.Actor) (visit.Visit, error)
	WithdrawVisit(ctx context.Context, id, reason string, by visit.Actor) (visit.Visit, error)
	ExtendVisit(ctx context.Context, id string, until time.Time, reason string, by visit.Actor) (visit.Visit, error)
	ChangeWorker(ctx context.Context, id string, guest int, with visit.Guest, reason string, by visit.Actor) (visit.Visit, error)
	ConfirmOral(ctx context.Context, id string, given bool, note string, by visit.Actor) (visit.Visit, error)
	ReceiveGuest(ctx context.Context, id string, f visit.ReceptionForm, by visit.Actor) (visit.Visit, error)
	HandOverParty(ctx context.Context, id string, carrier directory.PersonID, by visit.Actor) (visit.Visit, error)
	CountHeads(ctx context.Context, id string, out bool, heads int, by visit.Actor) (visit.Visit, error)
	ReturnBadge(ctx context.Context, badge string, lost bool, note string, by visit.Actor) (visit.Visit, error)
	GuestLeft(ctx context.Context, id string, guest int, note string, by visit.Actor) (visit.Visit, error)
	CloseVisit(ctx context.Context, id, note string, by visit.Actor) (visit.Visit, error)

	Permits(ctx context.Context) ([]visit.Permit, error) // not over
	ApplyPermit(ctx context.Context, p visit.Permit, by visit.Actor) (visit.Permit, []string, error)
	DecidePermit(ctx context.Context, id string, grant bool, note string, by visit.Actor) (visit.Permit, error)
	EndPermit(ctx context.Context, id, reason string, by visit.Actor) (visit.Permit, error)
	VisitFromPermit(ctx context.Context, permit string, by visit.Actor) (visit.Visit, error)

	ListBadges(ctx context.Context) ([]visit.BadgeView, error)
	// AddBadge puts a badge into the inventory; the number of its card becomes a reference and is nowhere after that (D9).
	AddBadge(ctx context.Context, f visit.BadgeForm, reason string, by visit.Actor) (visit.Badge, error)
	// SetBadgeStatus takes a badge that is not out of use, or back into it.
	SetBadgeStatus(ctx context.Context, id string, status visit.BadgeStatus, reason string, by visit.Actor) error
	TemporaryCards(ctx context.Context) ([]visit.TemporaryCard, error) // that are out
	IssueTemporary(ctx context.Context, f visit.TemporaryForm, by visit.Actor) (visit.TemporaryCard, error)
	ReturnTemporary(ctx context.Context, badge string, lost bool, note string, by visit.Actor) (visit.TemporaryCard, error)

	Suspensions(ctx context.Context) ([]visit.Suspension, error) // not settled
	SuspendCard(ctx context.Context, id directory.CardID, lost bool, lastSure time.Time, reason string, by visit.Actor) (visit.Suspension, error)
	AnswerEntry(ctx context.Context, id string, entry int, mine bool, note string, by visit.Actor) (visit.Suspension, error)
	AskResume(ctx context.Context, id, reason string, by visit.Actor) (visit.Suspension, error)
	ResumeCard(ctx context.Context, id, note string, by visit.Actor) (visit.Suspension, error)
	GiveUpCard(ctx context.Context, id, reason string, by visit.Actor) (visit.Suspension, error)

	Emergencies(ctx context.Context) ([]visit.Emergency, error) // in force, asked for, or without a report
	DeclareEmergency(ctx context.Context, zones []access.ZoneID, persons []directory.PersonID, last time.Duration, reason string, breakGlass bool, by visit.Actor) (visit.Emergency, error)
	AgreeEmergency(ctx context.Context, id string, by visit.Actor) (visit.Emergency, error)
	EndEmergency(ctx context.Context, id, note string, by visit.Actor) (visit.Emergency, error)
	ReportEmergency(ctx context.Context, id, report string, by visit.Actor) (visit.Emergency, error)

	Carries(ctx context.Context) ([]visit.Carry, error) // that are open in some way
	OpenCarry(ctx context.Context, c visit.Carry, by visit.Actor) (visit.Carry, []string, error)
	SetCarryItems(ctx context.Context, id string, items []visit.Item, by visit.Actor) (visit.Carry, []string, error)
	ShutCarry(ctx context.Context, id string, by visit.Actor) (visit.Carry, error)
	SettleCarry(ctx context.Context, id, note string, by visit.Actor) (visit.Carry, error)

	KeyLoans(ctx context.Context) ([]visit.KeyLoan, error) // that are out
	LendKey(ctx context.Context, k visit.KeyLoan, by visit.Actor) (visit.KeyLoan, error)
	ReturnKey(ctx context.Context, id string, lost bool, note string, by visit.Actor) (visit.KeyLoan, error)

	ListDues(ctx context.Context) ([]visit.Due, error) // by time
	// OwnEntries lists the lines of the last days that are a person's, newest first.
	OwnEntries(ctx context.Context, person directory.PersonID, days int) ([]visit.OwnEntry, error)
	StatePurpose(ctx context.Context, attempt, text string, by visit.Actor) (visit.Purpose, error)
	StateExit(ctx context.Context, attempt string, left time.Time, by visit.Actor) (visit.ExitStated, error)
	ConfirmExit(ctx context.Context, id string, by visit.Actor) (visit.ExitStated, error)
	ExitStatements(ctx context.Context) ([]visit.ExitStated, error) // not confirmed
}

// Who may do what with visits (RA-1). A role for one zone holds for that zone and those around it.
const (
	receiveRoles = groupR
	visitReaders = groupF | groupS | groupR | groupA | groupC
	// approveRoles decide applications; emergencyRoles agree to what sets rules aside (AD-14).
	approveRoles   = RoleSet(1<<RoleZoneManager | 1<<RoleCISO | 1<<RoleChiefSecurity)
	emergencyRoles = RoleSet(1<<RoleZoneManager | 1<<RoleCSIRT | 1<<RoleCISO | 1<<RoleChiefSecurity)
	applyRoles     = RoleSet(1<<RoleApplicant | 1<<RoleFacilitySection | 1<<RoleSectionManager | 1<<RoleZoneManager | 1<<RoleReviewer | 1<<RoleReception | 1<<RoleCISO | 1<<RoleChiefSecurity | 1<<RoleCSIRT)
	confirmRoles   = RoleSet(1 << RoleZoneManager)
	carryRoles     = RoleSet(1<<RoleReception | 1<<RoleZoneManager)
)

// deskActor is who acts on the pages.
func (rq *request) deskActor() visit.Actor {
	return visit.Actor{Account: rq.account.ID, Person: directory.PersonID(rq.account.Person), From: "lan", Address: rq.address}
}
