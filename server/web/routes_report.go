package web

// reportRoutes is the part of the table for papers and what is counted for them.
func reportRoutes() []route {
	return []route{
		{pattern: "GET /plots", roles: plotRoles, serve: (*Handler).getPlots},
		{pattern: "GET /reports", roles: reportRoles, serve: (*Handler).getReports},
		{pattern: "POST /reports", roles: reportRoles, stepUp: stepUpFull, serve: (*Handler).postReport},
		{pattern: "GET /reports/{job}", roles: reportRoles, serve: (*Handler).getReportJob},
		{pattern: "GET /reports/{job}/{n}", roles: reportRoles, serve: (*Handler).getReportFile},
		{pattern: "GET /reports/forms", roles: formRoles, serve: (*Handler).getReportForms},
		{pattern: "POST /reports/forms", roles: formRoles, stepUp: stepUpFull, serve: (*Handler).postReportForm},
		{pattern: "GET /reports/organisation", roles: startupRoles, serve: (*Handler).getOrganisation},
		{pattern: "POST /reports/organisation", roles: startupRoles, stepUp: stepUpFull, serve: sitewide(startupRoles, (*Handler).postOrganisation)},
	}
}
