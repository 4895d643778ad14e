-- One row per call, one per question asked, one per prompt played.
--
-- Times are nanoseconds since 1970 in UTC (`datetime(arrived_at_ns / 1000000000, 'unixepoch')` reads them);
-- `at_ms` counts milliseconds from the answer of the call.

create table calls (
    id             text    primary key not null,
    direction      text    not null check (direction in ('inbound', 'outbound')),
    peer           text    not null,
    sip_call_id    text    not null,
    caller         text    not null,
    called         text    not null,
    plan           text    not null,
    plan_version   text    not null,
    arrived_at_ns  integer not null,
    answered_at_ns integer,
    ended_at_ns    integer not null,
    end_why        text    not null,
    end_detail     text,
    result         text,
    path           text    not null check (json_valid(path)),
    packets_in     integer not null,
    packets_out    integer not null,
    lost           integer not null,
    late           integer not null,
    refused        integer not null,
    jitter_ms      real    not null,
    late_ticks     integer not null,
    recording      text    not null check (recording in ('off', 'saved', 'failed')),
    recording_path text    check ((recording = 'saved') = (recording_path is not null)),
    recording_fault text   check ((recording = 'failed') = (recording_fault is not null))
) strict;

create index calls_by_arrival on calls (arrived_at_ns);

create table turns (
    call_id          text    not null references calls (id) on delete cascade,
    place            integer not null,
    step             text    not null,
    attempt          integer not null,
    at_ms            integer not null,
    outcome          text    not null check (outcome in ('speech', 'keys', 'no_match', 'no_input', 'error', 'hung_up')),
    meaning          text,
    heard            text,
    keys             text,
    confidence       real,
    barge_in_ms      integer,
    endpointing_ms   real,
    queue_ms         real,
    recognition_ms   real,
    understanding_ms real,
    first_packet_ms  real,
    total_ms         real,
    primary key (call_id, place)
) strict, without rowid;

create table prompts (
    call_id     text    not null references calls (id) on delete cascade,
    place       integer not null,
    step        text    not null,
    text        text    not null,
    at_ms       integer,
    played_ms   integer not null,
    total_ms    integer not null,
    protected   integer not null check (protected in (0, 1)),
    interrupted integer not null check (interrupted in (0, 1)),
    primary key (call_id, place)
) strict, without rowid;
