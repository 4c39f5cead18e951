-- Which classes and fiscal years have openings, and the first of each, without reading the table: asked at each start, for keys that are not there (D17).
CREATE INDEX opening_period ON opening (fiscal_year, class);
