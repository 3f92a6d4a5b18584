-- What both scripts work on. :responders, of whom the first :near live among the elders; :devices.
CREATE EXTENSION postgis;
-- Room in each page, so that a claim changes no index.
CREATE TABLE responders (id int PRIMARY KEY, busy boolean NOT NULL, place geometry(Point) NOT NULL) WITH (fillfactor = 50);
CREATE TABLE devices (device text PRIMARY KEY, place geometry(Point) NOT NULL);
CREATE TABLE alerts (device text NOT NULL, source text NOT NULL, responder int, at timestamptz NOT NULL DEFAULT now(),
                     PRIMARY KEY (device, source));
-- Evenly spread over :span degrees, the same as in the load program.
CREATE FUNCTION spot(index bigint, away float8, span float8) RETURNS geometry LANGUAGE sql IMMUTABLE AS $$
  SELECT ST_MakePoint(119.0 + span * ((index * 0.7548776662) % 1 - 0.5),
                      32.7 + away + span * ((index * 0.6180339887) % 1 - 0.5)) $$;
INSERT INTO responders
  SELECT i, false, CASE WHEN i < :near THEN spot(i, 0, 0.04) ELSE spot(i, 0.6, 0.5) END
  FROM generate_series(0, :responders - 1) i;
INSERT INTO devices
  SELECT 'bench-' || lpad(i::text, greatest(6, length(i::text)), '0'), spot(i, 0, 0.04)
  FROM generate_series(0, :devices - 1) i;
CREATE INDEX ON responders USING gist (place);
VACUUM ANALYZE;
