-- What came of a call besides its end, and who is not to be called again.
--
-- A call's outcomes, and the suppressions that follow from them, are written in the transaction of its record; an
-- opt-out also has one of its own, at once, while the call goes on.

alter table calls add column language text;

-- `detail` holds what the kind says of it, as JSON: `{"name": "nps", "score": 9, "min": 0, "max": 10}`.
create table outcomes (
    call_id text    not null references calls (id) on delete cascade,
    place   integer not null,
    step    text    not null,
    kind    text    not null,
    detail  text    not null check (json_valid(detail)),
    primary key (call_id, place)
) strict, without rowid;

create index outcomes_by_kind on outcomes (kind, call_id);

-- `number` is E.164 where the call told it so, else as dialled; a keyed hash (`#…`) where `privacy.numbers` keeps no
-- full numbers. `scope` is 'global' or the name of a plan or campaign. `call_id` outlives its call: it is no reference.
create table suppression (
    number        text    not null check (number <> ''),
    scope         text    not null check (scope <> ''),
    reason        text    not null,
    source        text    not null,
    call_id       text,
    said          text,
    created_at_ns integer not null,
    expires_at_ns integer,
    primary key (number, scope)
) strict, without rowid;
