package store

import (
	"errors"
	"fmt"

	"monban/server/rollout"
)

// Rollout is the newest roll-out and its key; ErrNotFound when there was never one. Since when a gateway is well is not kept: a server that
// starts has not seen it.
func (r Reader) Rollout() (id int64, p rollout.Plan, err error) {
	var began, moved int64
	err = r.row(`SELECT id, number, version, state, cause, gateway, began_ms, moved_ms FROM rollout ORDER BY id DESC LIMIT 1`).
		Scan(&id, &p.Number, &p.Version, &p.State, &p.Cause, &p.Where, &began, &moved)
	if err != nil {
		return 0, rollout.Plan{}, found(err)
	}
	p.Began, p.Moved = timeOf(began), timeOf(moved)
	rows, err := r.query(`SELECT gateway, stage, tries, turn_ms, done_ms FROM rollout_gateway WHERE rollout = ? ORDER BY place`, id)
	if err != nil {
		return 0, rollout.Plan{}, fmt.Errorf("read roll-out: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var g rollout.Gateway
		var turn, done int64
		if err := rows.Scan(&g.ID, &g.Stage, &g.Tries, &turn, &done); err != nil {
			return 0, rollout.Plan{}, fmt.Errorf("read roll-out: %w", err)
		}
		g.Turn, g.Done = timeOf(turn), timeOf(done)
		p.Gateways = append(p.Gateways, g)
	}
	return id, p, rows.Err()
}

// InsertRollout stores a new roll-out and gives its key.
func (tx *Tx) InsertRollout(p rollout.Plan) (id int64, err error) {
	id, _, err = tx.Rollout()
	if err != nil && !errors.Is(err, ErrNotFound) {
		return 0, err
	}
	id++
	if _, err := tx.exec(`INSERT INTO rollout (id, number, version, state, cause, gateway, began_ms, moved_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		id, p.Number, p.Version, string(p.State), string(p.Cause), p.Where, msOf(p.Began), msOf(p.Moved)); err != nil {
		return 0, fmt.Errorf("store roll-out: %w", err)
	}
	return id, tx.putRolloutGateways(id, p)
}

// UpdateRollout stores a roll-out as it stands. Its gateways and their order never change.
func (tx *Tx) UpdateRollout(id int64, p rollout.Plan) error {
	res, err := tx.exec(`UPDATE rollout SET state = ?, cause = ?, gateway = ?, moved_ms = ? WHERE id = ?`, string(p.State), string(p.Cause), p.Where, msOf(p.Moved), id)
	if err := changedOne("store roll-out", res, err); err != nil {
		return err
	}
	return tx.putRolloutGateways(id, p)
}

func (tx *Tx) putRolloutGateways(id int64, p rollout.Plan) error {
	for i, g := range p.Gateways {
		_, err := tx.exec(`INSERT INTO rollout_gateway (rollout, place, gateway, stage, tries, turn_ms, done_ms) VALUES (?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (rollout, place) DO UPDATE SET stage = excluded.stage, tries = excluded.tries, turn_ms = excluded.turn_ms, done_ms = excluded.done_ms`,
			id, i, g.ID, string(g.Stage), g.Tries, msOf(g.Turn), msOf(g.Done))
		if err != nil {
			return fmt.Errorf("store roll-out: gateway %s: %w", g.ID, err)
		}
	}
	return nil
}
