-- For how long the caller was kept out of the recording, while secrets were asked for.
alter table calls add column recording_paused_ms integer not null default 0 check (recording_paused_ms >= 0);
