-- Which question of its step a turn answered, and in which language it was asked: what callers said and were not
-- understood with teaches that question, in that language. Turns of before are of their step's first question.
alter table turns add column quest integer not null default 0 check (quest >= 0);
alter table turns add column language text;
