-- The state of a cluster. Texts of customers are kept as bytes: they may hold what PostgreSQL's text may not.
-- 128-bit numbers (ids of records, identities of messages) are kept as uuid, which sorts as they do.

create table setting (
    name text primary key,
    value text not null
);

-- How far each lane of the stream is folded in.
create table lane (
    lane int4 primary key,
    sequence int8 not null
);

-- What became of the messages of a batch, for a while: whoever sent it may have missed the answer.
create table outcome (
    lane int4 not null,
    sequence int8 not null,
    outcomes bytea not null,
    primary key (lane, sequence)
);

-- Batches too large for the stream; the stream holds their numbers.
create table parcel (
    id uuid primary key,
    body bytea not null,
    made_at timestamptz not null default now()
);

-- What came out of the stream and is no batch.
create table unreadable (
    lane int4 not null,
    sequence int8 not null,
    body bytea not null,
    reason text not null,
    primary key (lane, sequence)
);

-- One row, which changes with everything that all nodes hold in memory.
create table registry (
    one bool primary key default true check (one),
    version int8 not null
);
insert into registry (version) values (1);

create table workspace (
    id int4 primary key,
    name text not null unique,
    created_at int8 not null
);

create table access_key (
    id int8 primary key,
    workspace int4 not null references workspace,
    name bytea not null,
    scopes int2 not null,
    token_hash bytea not null unique,
    created_at int8 not null,
    revoked_at int8
);

create table member (
    workspace int4 not null references workspace,
    id uuid not null,
    name bytea not null,
    email bytea not null,
    added_at int8 not null,
    password bytea,
    scopes int2,
    primary key (workspace, id)
);

create table saved (
    workspace int4 not null references workspace,
    id int8 not null,
    kind int2 not null,
    name bytea not null,
    body bytea not null,
    saved_by int8 not null,
    saved_at int8 not null,
    primary key (workspace, id)
);

create table follower (
    id int8 primary key,
    workspace int4 not null references workspace,
    name text not null,
    settings bytea not null,
    created_at int8 not null,
    -- Messages that had arrived where it stands.
    place int8 not null,
    unique (workspace, name)
);

create table letter (
    workspace int4 not null,
    follower int8 not null references follower on delete cascade,
    kept_at int8 not null,
    identity uuid not null,
    reason bytea not null,
    due bool not null,
    record bytea not null,
    primary key (follower, kept_at, identity) include (workspace)
);
create index letter_due on letter (follower, kept_at, identity) where due;

-- Numbers that are given once.
create table counter (
    workspace int4 not null,
    name text not null,
    last int8 not null,
    primary key (workspace, name)
);

-- What each workspace comes to. Whoever folds messages in or takes some out holds its row.
create table census (
    workspace int4 primary key references workspace,
    arrived int8 not null default 0,
    messages int8 not null default 0,
    organizations int8 not null default 0,
    accounts int8 not null default 0,
    users int8 not null default 0,
    instances int8 not null default 0,
    custom_objects int8 not null default 0,
    responses int8 not null default 0,
    anonymous int8 not null default 0,
    -- Whether anything was ever deleted.
    deleted bool not null default false
);

create table identity (
    workspace int4 not null,
    identity uuid not null,
    content int8 not null,
    received_at int8 not null,
    -- The imports that own the message; none when it stays for good.
    owners int8,
    primary key (workspace, identity)
);
create index identity_by_owner on identity (workspace, owners) where owners is not null;

create table message (
    workspace int4 not null,
    arrived int8 not null,
    identity uuid not null,
    kind int2 not null,
    -- When it happened, as sent, and its place in the order of statements.
    sent_at int8 not null,
    ordered_at int8 not null,
    received_at int8 not null,
    organization uuid,
    account uuid,
    user_id uuid,
    -- An instance, an NPS response or an anonymous id; the kind says which.
    other uuid,
    custom_object uuid,
    event bytea,
    record bytea not null,
    primary key (workspace, arrived)
);
create unique index message_by_identity on message (workspace, identity);
create index message_by_organization on message (workspace, organization, sent_at, identity) where organization is not null;
create index message_by_account on message (workspace, account, sent_at, identity) where account is not null;
create index message_by_user on message (workspace, user_id, sent_at, identity) where user_id is not null;
create index message_by_other on message (workspace, other, sent_at, identity) where other is not null;
create index message_by_object on message (workspace, custom_object) where custom_object is not null;
-- What tells of a record, in the order of statements.
create index message_of_organization on message (workspace, organization, ordered_at, identity) where kind = 1;
create index message_of_account on message (workspace, account, ordered_at, identity) where kind in (2, 9);
create index message_of_user on message (workspace, user_id, ordered_at, identity) where kind in (3, 5, 9);
-- Messages whose sender's clock ran ahead: they stand elsewhere than they say.
create index message_ahead_of_account on message (workspace, account) where account is not null and ordered_at <> sent_at;
create index message_ahead_of_user on message (workspace, user_id) where user_id is not null and ordered_at <> sent_at;
create index message_ahead_of_other on message (workspace, other) where other is not null and ordered_at <> sent_at;
-- Messages mostly come in the order of their times, so that stretches of the table are ruled out by them.
create index message_by_time on message using brin (sent_at) with (pages_per_range = 32, autosummarize = on);
create index message_by_event on message (workspace, event, ordered_at) where event is not null;

create table profile (
    workspace int4 not null,
    kind int2 not null,
    id uuid not null,
    created_at int8 not null,
    updated_at int8 not null,
    -- Whether its first and last track are uncertain.
    stale bool not null,
    body bytea not null,
    primary key (workspace, kind, id)
);
create index profile_by_update on profile (workspace, kind, updated_at desc, id);
create index profile_by_creation on profile (workspace, kind, created_at desc, id);
create index profile_stale on profile (workspace, kind, id) where stale;

-- Where records stand in lists: a field, and a value that sorts as lists do, the greatest first. Texts stand there by a hash.
create table place (
    workspace int4 not null,
    kind int2 not null,
    field int8 not null,
    value bytea not null,
    id uuid not null,
    primary key (workspace, kind, field, value, id)
);

-- By what searches find records: pieces of their texts, each with the workspace and the kind of record in it. An index by pieces
-- cannot be used for rows that are kept apart by a policy (PostgreSQL does not promise of its operators that they tell nothing), so
-- this table has none. What is found here is an id, and records are read by ids from a table that has one.
create table searchable (
    workspace int4 not null,
    kind int2 not null,
    id uuid not null,
    grams int8[] not null,
    primary key (workspace, kind, id)
);
create index searchable_by_gram on searchable using gin (grams);

-- Who ever named whom as a parent.
create table child (
    workspace int4 not null,
    parent_kind int2 not null,
    parent uuid not null,
    kind int2 not null,
    id uuid not null,
    primary key (workspace, parent_kind, parent, kind, id)
);

-- What was ever said about a user and a parent, or about an anonymous id and a user.
create table statement (
    workspace int4 not null,
    parents int2 not null,
    about uuid not null,
    ordered_at int8 not null,
    identity uuid not null,
    parent uuid not null,
    links bool not null,
    primary key (workspace, parents, about, ordered_at, identity)
);

create table refused (
    workspace int4 not null,
    id uuid not null,
    received_at int8 not null,
    body bytea not null,
    primary key (workspace, id)
);
create index refused_by_time on refused (workspace, received_at desc, id desc);

-- The catalogue of traits.
create table stated (
    workspace int4 not null,
    kind int2 not null,
    object uuid not null,
    key bytea not null,
    created_at int8 not null,
    types int2 not null,
    primary key (workspace, kind, object, key)
);

-- Tracks by name and day.
create table event_day (
    workspace int4 not null,
    event bytea not null,
    day int4 not null,
    events int8 not null,
    first_at int8 not null,
    last_at int8 not null,
    primary key (workspace, event, day)
);

create table deletion (
    workspace int4 not null,
    id uuid not null,
    scheduled bool not null,
    -- Its place in the chain of receipts, once it is finished.
    number int8,
    body bytea not null,
    primary key (workspace, id)
);

create unique index deletion_by_number on deletion (workspace, number) where number is not null;

-- The latest instant at which each record was deleted.
create table tombstone (
    workspace int4 not null,
    record uuid not null,
    deleted_at int8 not null,
    primary key (workspace, record)
);

-- Stretches of anonymous ids that were deleted.
create table tombstone_part (
    workspace int4 not null,
    anonymous uuid not null,
    first_at int8 not null,
    last_at int8 not null,
    deleted_at int8 not null,
    primary key (workspace, anonymous, first_at, last_at, deleted_at)
);

create table import (
    workspace int4 not null,
    id int4 not null,
    body bytea not null,
    primary key (workspace, id)
);

-- One workspace never sees another's rows, whatever a statement forgets to ask for: every transaction says whose it is.
do $$
declare
    name text;
begin
    foreach name in array array['identity', 'message', 'profile', 'place', 'child', 'statement', 'refused', 'stated',
        'event_day', 'deletion', 'tombstone', 'tombstone_part', 'import', 'letter']
    loop
        execute format('alter table %I enable row level security', name);
        execute format('alter table %I force row level security', name);
        execute format('create policy own_workspace on %I using (workspace = (select
            nullif(current_setting(''muster.workspace'', true), '''')::int4))', name);
    end loop;
end
$$;
