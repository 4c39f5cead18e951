-- A finding about a matter is found in the zone of that matter.
CREATE INDEX matter_first ON matter (first_idx);
