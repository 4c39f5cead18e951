package web

// visitRoutes are the pages of visits, of what is lent, and of one's own records.
func visitRoutes() []route {
	return []route{
		{pattern: "GET /visits", roles: visitReaders, serve: (*Handler).getVisits},
		{pattern: "GET /visits/receive", roles: receiveRoles, serve: (*Handler).getFind},
		{pattern: "GET /visits/urgent", roles: receiveRoles, serve: (*Handler).getUrgent},
		{pattern: "POST /visits/urgent", roles: receiveRoles, serve: (*Handler).postUrgent},
		{pattern: "POST /visits/return", roles: receiveRoles, serve: (*Handler).postBadgeReturn},
		{pattern: "GET /visits/{id}", roles: visitReaders | applyRoles, serve: (*Handler).getVisit},
		{pattern: "GET /visits/{id}/receive", roles: receiveRoles, serve: (*Handler).getReceive},
		{pattern: "POST /visits/{id}/receive/identity", roles: receiveRoles, serve: (*Handler).postReceiveIdentity},
		{pattern: "POST /visits/{id}/receive/conditions", roles: receiveRoles, serve: (*Handler).postReceiveConditions},
		{pattern: "POST /visits/{id}/receive/badges", roles: receiveRoles, serve: (*Handler).postReceiveBadges},
		{pattern: "GET /visits/{id}/slip/{guest}", roles: receiveRoles, serve: (*Handler).getSlip},
		{pattern: "POST /visits/{id}/approve", roles: approveRoles, serve: (*Handler).postVisitApprove},
		{pattern: "POST /visits/{id}/refuse", roles: approveRoles, serve: (*Handler).postVisitRefuse},
		{pattern: "POST /visits/{id}/oral", roles: approveRoles, serve: (*Handler).postVisitOral},
		{pattern: "POST /visits/{id}/oral-denied", roles: approveRoles, serve: (*Handler).postVisitOralDenied},
		{pattern: "POST /visits/{id}/extend", roles: approveRoles, serve: (*Handler).postVisitExtend},
		{pattern: "POST /visits/{id}/withdraw", roles: applyRoles, serve: (*Handler).postVisitWithdraw},
		{pattern: "POST /visits/{id}/worker", roles: applyRoles, serve: (*Handler).postVisitWorker},
		{pattern: "POST /visits/{id}/handover", roles: receiveRoles, serve: (*Handler).postVisitHandover},
		{pattern: "POST /visits/{id}/heads", roles: receiveRoles, serve: (*Handler).postVisitHeads},
		{pattern: "POST /visits/{id}/left", roles: receiveRoles, serve: (*Handler).postVisitLeft},
		{pattern: "POST /visits/{id}/close", roles: receiveRoles, serve: (*Handler).postVisitClose},
		{pattern: "GET /applications", roles: visitReaders | applyRoles, serve: (*Handler).getApplications},
		{pattern: "GET /applications/new", roles: applyRoles, serve: (*Handler).getApply},
		{pattern: "POST /applications/new", roles: applyRoles, serve: (*Handler).postApply},
		{pattern: "GET /applications/permit", roles: applyRoles, serve: (*Handler).getApplyPermit},
		{pattern: "POST /applications/permit", roles: applyRoles, serve: (*Handler).postApplyPermit},
		{pattern: "POST /permits/{id}/approve", roles: approveRoles, serve: (*Handler).postPermitApprove},
		{pattern: "POST /permits/{id}/refuse", roles: approveRoles, serve: (*Handler).postPermitRefuse},
		{pattern: "POST /permits/{id}/end", roles: applyRoles, serve: (*Handler).postPermitEnd},
		{pattern: "POST /permits/{id}/receive", roles: receiveRoles, serve: (*Handler).postPermitReceive},
	}
}
