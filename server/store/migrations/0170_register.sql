-- The passages of one person, next to each other: an entry finds its exit on whatever day that is (RR-2).
CREATE INDEX attempt_person ON attempt (person_ref, passed_ms) WHERE passage IN ('entry', 'exit') AND person_ref IS NOT NULL;
