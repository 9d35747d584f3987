-- The history in a bucket: which files of it count, and which do no more.
create table segment (
    workspace int4 not null,
    id int8 not null,
    -- Below what names of the bucket begin with.
    path text not null,
    rows int8 not null,
    bytes int8 not null,
    first_at int8 not null,
    last_at int8 not null,
    -- The first instant of the month whose messages it holds; none for one that may hold those of any.
    month int8,
    -- Of its rows, how many messages had arrived with the first and with the last of them.
    first_arrived int8 not null,
    last_arrived int8 not null,
    -- Eight bytes for each block of 64 KiB.
    checksums bytea not null,
    primary key (workspace, id)
);

-- Files that count no more. Somebody may still read them, and a replica that takes PostgreSQL's place may know nothing of it.
create table segment_gone (
    path text primary key,
    gone_by xid8 not null default pg_current_xact_id(),
    gone_at timestamptz not null default now()
);

-- Messages up to this number of arrival lie in files; the others in the table.
alter table census add column filed int8 not null default 0;
-- How often rows that lie in the table were removed or changed.
alter table census add column erasures int8 not null default 0;

alter table segment enable row level security;
alter table segment force row level security;
create policy own_workspace on segment using (workspace = (select
    nullif(current_setting('muster.workspace', true), '')::int4));
