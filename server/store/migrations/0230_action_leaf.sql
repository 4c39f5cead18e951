-- Where the acts of people stand in the log: few among many records (RR-8).
CREATE INDEX log_leaf_action ON log_leaf (idx) WHERE kind = 'action';
