package web

import "time"

// Role is one of the eleven roles of RA-1. The zero role may do nothing.
type Role uint8

// The roles (D26). The names are stable: they stand in the database and in leaves.
const (
	RoleNone            Role = iota
	RoleCISO                 // 最高情報セキュリティ責任者 and the office
	RoleChiefSecurity        // 統括情報セキュリティ責任者
	RoleZoneManager          // 入退室管理者
	RoleSectionManager       // section manager
	RoleApplicant            // applies for access; own page only
	RoleReception            // reception, guard
	RoleReviewer             // reviews the day beside the zone manager
	RoleAuditor              // reads only
	RoleFacilitySection      // 施設管理部門; own page only
	RoleSystemAdmin          // runs the machines; sees no names
	RoleCSIRT                // security officer, CSIRT
	roleCount
)

var roleNames = [roleCount]string{
	"none", "ciso", "chief_security_officer", "zone_manager", "section_manager", "applicant",
	"reception", "reviewer", "auditor", "facility_section", "system_administrator", "csirt",
}

// Roles lists the eleven roles.
func Roles() []Role {
	all := make([]Role, 0, roleCount-1)
	for r := RoleNone + 1; r < roleCount; r++ {
		all = append(all, r)
	}
	return all
}

// String gives the stable name; an unknown number reads "none".
func (r Role) String() string {
	if r < roleCount {
		return roleNames[r]
	}
	return roleNames[RoleNone]
}

// ParseRole finds a role by its stable name. "none" is no role.
func ParseRole(name string) (Role, bool) {
	for _, r := range Roles() {
		if roleNames[r] == name {
			return r, true
		}
	}
	return RoleNone, false
}

// RoleSet is a set of roles, one bit each. The zero set lets nobody in.
type RoleSet uint16

func roleSet(roles ...Role) (s RoleSet) {
	for _, r := range roles {
		if r > RoleNone && r < roleCount {
			s |= 1 << r
		}
	}
	return s
}

// Has reports whether r is in the set.
func (s RoleSet) Has(r Role) bool { return r > RoleNone && r < roleCount && s&(1<<r) != 0 }

// list gives the members in order.
func (s RoleSet) list() []Role {
	var out []Role
	for _, r := range Roles() {
		if s.Has(r) {
			out = append(out, r)
		}
	}
	return out
}

// rolesAt are the roles of an account that are in force at now.
func (a Account) rolesAt(now time.Time) (s RoleSet) {
	for _, as := range a.Roles {
		if as.holds(now) {
			s |= roleSet(as.Role)
		}
	}
	return s
}

// holds reports whether an assignment is in force.
func (as *Assignment) holds(now time.Time) bool {
	return (as.From.IsZero() || !now.Before(as.From)) && (as.Until.IsZero() || now.Before(as.Until))
}

// seesNames: somebody whose only way into a page is running the machines gets masked tokens.
func seesNames(page, mine RoleSet) bool { return page&mine&^roleSet(RoleSystemAdmin) != 0 }
