-- Who had left when a run of the directory was asked for: nobody else goes. A row with person '' says that the others were noted.
CREATE TABLE disposal_person (
  run    TEXT NOT NULL,
  person TEXT NOT NULL,
  PRIMARY KEY (run, person)
) STRICT, WITHOUT ROWID;
