package store

import (
	"database/sql"
	"errors"
	"fmt"

	"monban/server/directory"
)

const proposalColumns = `id, state, proposer, proposed_ms, reason, decider, decided_ms, idx, body`

func scanProposal(scan func(...any) error) (p directory.Proposal, err error) {
	err = scan(&p.ID, &p.State, &p.Proposer, &p.ProposedMS, &p.Reason, &p.Decider, &p.DecidedMS, &p.Idx, &p.Body)
	return p, found(err)
}

// Proposal reads one proposal; ErrNotFound.
func (r Reader) Proposal(id string) (directory.Proposal, error) {
	return scanProposal(r.row(`SELECT `+proposalColumns+` FROM proposal WHERE id = ?`, id).Scan)
}

// Proposals lists proposals, newest first: the open ones, or with all the decided ones too.
func (r Reader) Proposals(all bool, limit int) (out []directory.Proposal, err error) {
	rows, err := r.query(`SELECT `+proposalColumns+` FROM proposal WHERE ? OR state = 'open' ORDER BY proposed_ms DESC, id LIMIT ?`, all, limit)
	if err != nil {
		return nil, fmt.Errorf("proposals: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		p, err := scanProposal(rows.Scan)
		if err != nil {
			return nil, fmt.Errorf("proposals: %w", err)
		}
		out = append(out, p)
	}
	return out, rows.Err()
}

// ProposalWith finds an open proposal with these bytes.
func (r Reader) ProposalWith(body []byte) (p directory.Proposal, ok bool, err error) {
	p, err = scanProposal(r.row(`SELECT `+proposalColumns+` FROM proposal WHERE state = 'open' AND body = ?`, body).Scan)
	if errors.Is(err, ErrNotFound) {
		return directory.Proposal{}, false, nil
	}
	return p, err == nil, err
}

// InsertProposal stores a new proposal.
func (tx *Tx) InsertProposal(p directory.Proposal) error {
	_, err := tx.exec(`INSERT INTO proposal (`+proposalColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		p.ID, p.State, p.Proposer, p.ProposedMS, p.Reason, p.Decider, p.DecidedMS, p.Idx, p.Body)
	if err != nil {
		return fmt.Errorf("insert proposal: %w", unique(err))
	}
	return nil
}

// MoveProposal replaces an open proposal; ErrNotFound when there is no open one with this id.
func (tx *Tx) MoveProposal(p directory.Proposal) error {
	res, err := tx.exec(`UPDATE proposal SET state = ?, reason = ?, decider = ?, decided_ms = ?, idx = ?, body = ? WHERE id = ? AND state = 'open'`,
		p.State, p.Reason, p.Decider, p.DecidedMS, p.Idx, p.Body, p.ID)
	return changedOne("decide proposal", res, err)
}

func (r Reader) transfers(s *directory.Snapshot) error {
	return r.each(`SELECT person, day, section, leave, overlap, joins FROM transfer ORDER BY person`, func(rows *sql.Rows) error {
		var t directory.Transfer
		var d dates
		err := rows.Scan(&t.Person, d.into(&t.Day), &t.Section, &t.Leave, &t.Overlap, &t.Joins)
		if err = d.parse(err); err != nil {
			return fmt.Errorf("transfer of %s: %w", t.Person, err)
		}
		s.Transfers = append(s.Transfers, t)
		return nil
	})
}
