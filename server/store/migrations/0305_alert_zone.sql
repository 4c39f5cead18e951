-- Findings without a door are grouped by the zones that they lie in: one alert for each zone's badges or unsigned days.
ALTER TABLE alert ADD COLUMN zone TEXT NOT NULL DEFAULT ''; -- zone ids with a blank between them; '' = it has a door or gateway, or is of no zone
