package web

import (
	"fmt"
	"net/http"
)

// sessionsView lists another account's sessions, for whoever has to end them: a PC that was left, a phone that is lost.
type sessionsView struct {
	Base
	ID, Name, FullName string
	Sessions           []sessionLine
}

// sessionLines are an account's sessions as a page shows them.
func (h *Handler) sessionLines(rq *request, b Base, account, mine string) ([]sessionLine, error) {
	list, err := h.src.Sessions.AccountSessions(rq.Context(), account)
	if err != nil {
		return nil, fmt.Errorf("sessions: %w", err)
	}
	out := make([]sessionLine, 0, len(list))
	for _, s := range list {
		l := sessionLine{ID: s.TokenHash, Began: s.Created, Seen: s.Seen, Expires: s.Expires, Address: s.Address,
			Agent: agentWords(s.Agent), Mine: s.TokenHash == mine}
		l.How, l.Proved = h.proofWords(b, s)
		out = append(out, l)
	}
	return out, nil
}

func (h *Handler) getSessions(w http.ResponseWriter, rq *request) error {
	a, err := h.src.Accounts.AccountByID(rq.Context(), rq.PathValue("id"))
	if err != nil {
		return fmt.Errorf("account: %w", err)
	}
	v := sessionsView{Base: h.base(rq, "sessions.title"), ID: a.ID, Name: a.Name, FullName: a.FullName}
	v.Here = "/accounts"
	if v.Sessions, err = h.sessionLines(rq, v.Base, a.ID, tokenHash(rq.token)); err != nil {
		return err
	}
	return h.render(w, rq, "sessions", v)
}

// postSessionsEnd ends one session of another account, or all. Only what is the account's own is ended: the form's words are no
// proof of that.
func (h *Handler) postSessionsEnd(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	id, ctx := rq.PathValue("id"), rq.Context()
	if _, err := h.src.Accounts.AccountByID(ctx, id); err != nil {
		return fmt.Errorf("account: %w", err)
	}
	end := func() error { return h.src.Sessions.DeleteAccountSessions(ctx, id, "") }
	if which := rq.post("session"); which != "all" {
		list, err := h.src.Sessions.AccountSessions(ctx, id)
		if err != nil {
			return fmt.Errorf("sessions: %w", err)
		}
		found := false
		for _, s := range list {
			found = found || s.TokenHash == which
		}
		if !found {
			return redirect(w, rq, "/accounts/"+id+"/sessions") // over by itself
		}
		end = func() error { return h.src.Sessions.DeleteSession(ctx, which) }
	}
	if err := h.src.Audit.RecordAction(ctx, rq.action(ActionSessionRevoked, id)); err != nil {
		return fmt.Errorf("record end of session: %w", err)
	}
	if err := end(); err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	return redirect(w, rq, "/accounts/"+id+"/sessions?done=session_revoked")
}
