-- Several entries may close one number, each for a reason of its own and by whoever says so: taking one away never
-- opens what another closes. Nothing is taken out of the table: what holds no more is marked as lifted, by whom and why.

-- A list kept elsewhere, as it was read last. Its entries are those of `suppression` with its `id`.
create table suppression_lists (
    id             integer primary key,
    name           text    not null unique check (name <> ''),
    source         text    not null,
    scope          text    not null check (scope <> ''),
    reason         text    not null,
    read_at_ns     integer not null,
    read_by        text    not null,
    fresh_until_ns integer,
    expires_at_ns  integer
) strict;

alter table suppression rename to suppression_before;

-- As before, and: `list_id` is 0 where no list says so, else the list's row holds the source and `source` is empty.
-- `lifted_at_ns` is 0 while the entry holds; so one entry of a kind holds at a time, and those of before stay beside it.
create table suppression (
    id            integer primary key,
    number        text    not null check (number <> ''),
    scope         text    not null check (scope <> ''),
    reason        text    not null,
    source        text    not null,
    list_id       integer not null default 0,
    call_id       text,
    said          text,
    note          text,
    closed_by     text,
    created_at_ns integer not null,
    expires_at_ns integer,
    lifted_at_ns  integer not null default 0,
    lifted_by     text,
    lifted_why    text,
    check ((lifted_at_ns = 0) = (lifted_by is null)),
    check ((lifted_at_ns = 0) = (lifted_why is null))
) strict;

create unique index suppression_entries on suppression (number, scope, reason, source, list_id, lifted_at_ns);

insert into suppression (number, scope, reason, source, call_id, said, created_at_ns, expires_at_ns)
select number, scope, reason, source, call_id, said, created_at_ns, expires_at_ns from suppression_before
order by created_at_ns, number;

drop table suppression_before;
