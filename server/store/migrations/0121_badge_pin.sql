-- A PIN for as long as a badge is lent, for zones that ask for one (pin_ref, D10).
ALTER TABLE badge ADD COLUMN pin_ref BLOB CHECK (length(pin_ref) = 32);
