-- Why the far end says it hung up or gave up (RFC 3326), and whom a consultation was made for.

alter table calls add column reason   text check (reason is null or json_valid(reason));
alter table calls add column made_for text;
