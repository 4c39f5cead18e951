-- The lists of findings are read a page at a time (VR-1): what waits by severity and time, what is closed by time, of a kind or at a door.
-- The expression of the first is waits in server/store/finding_page.go, word by word.
CREATE INDEX finding_waiting ON finding (CASE severity WHEN 'high' THEN 0 WHEN 'medium' THEN 1 ELSE 2 END, at_ms, idx) WHERE status <> 'closed';
CREATE INDEX finding_closed ON finding (at_ms, idx) WHERE status = 'closed';
CREATE INDEX finding_closed_kind ON finding (kind, at_ms, idx) WHERE status = 'closed';
CREATE INDEX finding_closed_door ON finding (door, at_ms, idx) WHERE status = 'closed';
