package app

import (
	"testing"

	"monban/server/config"
	"monban/server/web"
)

// RA-3: the configuration knows exactly the roles that exist.
func TestRolesOfConfiguration(t *testing.T) {
	for _, r := range web.Roles() {
		c := config.Default()
		c.Site, c.TimeZone, c.DataDir = "s", "Asia/Tokyo", "d"
		c.MQTT.Listen = "127.0.0.1:8883"
		c.Login.SecondFactorRoles = []string{r.String()}
		if err := c.Validate(); err != nil {
			t.Errorf("%s: %v", r, err)
		}
		if got := rolesOf(c.Login.SecondFactorRoles); !got.Has(r) {
			t.Errorf("%s is lost", r)
		}
		c.Login.SecondFactorRoles = []string{r.String() + "x"}
		if err := c.Validate(); err == nil {
			t.Errorf("%sx is accepted", r)
		}
	}
	// Whoever opens doors, gives rights or runs the machines has two factors from the first day.
	d := rolesOf(config.Default().Login.SecondFactorRoles)
	for _, r := range []web.Role{web.RoleCISO, web.RoleChiefSecurity, web.RoleZoneManager, web.RoleSystemAdmin, web.RoleCSIRT} {
		if !d.Has(r) {
			t.Errorf("%s needs no second factor", r)
		}
	}
}
