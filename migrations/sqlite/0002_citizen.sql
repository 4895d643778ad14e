-- How good a call sounded, what came of it in one word, and what was said on its signalling.
--
-- Columns of JSON hold what only a reader of a single call wants; what is counted has a column of its own.

alter table calls add column disposition   text;
alter table calls add column codec         text;
alter table calls add column secured       text;
alter table calls add column mos           real;
alter table calls add column round_trip_ms real;
alter table calls add column quality       text check (quality is null or json_valid(quality));
alter table calls add column ladder        text check (ladder is null or json_valid(ladder));
