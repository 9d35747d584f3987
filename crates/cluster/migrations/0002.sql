-- A message that comes again after the duplicate check has forgotten it is a message of its own, with the identity of the first.
create index message_with_identity on message (workspace, identity);
drop index message_by_identity;
