-- Wrong PINs in a row as the server counts them, over all gateways, and when an officer last lifted a lockout (AD-13). A card
-- without a row has neither. What it says follows from the decisions and the acts in the log; the log stays the record.
CREATE TABLE pin_count (
  card_ref BLOB PRIMARY KEY CHECK (length(card_ref) = 32),
  failed   INTEGER NOT NULL CHECK (failed BETWEEN 0 AND 255),
  reset_ms INTEGER NOT NULL                  -- number of the newest reset: its UTC ms, each later than the one before; 0 = none
) STRICT, WITHOUT ROWID;
