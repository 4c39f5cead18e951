package web

// APIRoute is a line of the API's part of the table, for tests.
type APIRoute struct {
	Pattern string
	Query   []string
	Roles   []string // nil = any token
}

// APITable lists the API's routes but the one that catches the rest.
func APITable() (out []APIRoute) {
	for _, rt := range routes() {
		if !rt.api || rt.pattern == apiElse {
			continue
		}
		r := APIRoute{Pattern: rt.pattern, Query: rt.query}
		if !rt.account {
			for _, role := range rt.roles.list() {
				r.Roles = append(r.Roles, role.String())
			}
		}
		out = append(out, r)
	}
	return out
}
