-- Approvals are records of kind 'approval' (enforce/approvals/document.py): each change is a version, `position` its number, `phase` is 1.
-- The latest of each.

CREATE VIEW approvals AS
SELECT * FROM records WHERE kind = 'approval' ORDER BY session, id, position DESC LIMIT 1 BY session, id;
