-- Nodes that serve, and up to which version of it each has taken in what all of them hold in memory. Each says so again
-- within seconds, so that nothing is missed when a server fails and this is gone.
create unlogged table node (
    id int8 primary key,
    version int8 not null,
    seen_at timestamptz not null default now()
);
