-- Alerts that were made, and how far each receiver was told. One file beside the store, opened by the collector only.
-- Alike alerts (routes.py) are one row with a count, so that 40,000 of them cost no more than one.

CREATE TABLE IF NOT EXISTS alerts
(
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,            -- of the first of them
    likeness TEXT NOT NULL,
    severity INTEGER NOT NULL,          -- 0 info … 4 critical
    rule TEXT NOT NULL,
    policy TEXT NOT NULL,
    session TEXT NOT NULL,
    first_ns INTEGER NOT NULL,          -- wall clock: when the first was made
    last_ns INTEGER NOT NULL,
    count INTEGER NOT NULL,
    acked_ns INTEGER,                   -- a person has seen it
    changed INTEGER NOT NULL,           -- 1, 2, 3 … over all rows, for --follow
    document TEXT NOT NULL,             -- the first, as docs/alert.schema.json has it
    last TEXT NOT NULL                  -- {time, message, call} of the latest
);
CREATE INDEX IF NOT EXISTS alerts_alike ON alerts (likeness, n);
CREATE INDEX IF NOT EXISTS alerts_changed ON alerts (changed);

-- Ids of all alerts of late, so that one that is made again after a crash counts once.
CREATE TABLE IF NOT EXISTS members (seq INTEGER PRIMARY KEY AUTOINCREMENT, id BLOB NOT NULL UNIQUE);

CREATE TABLE IF NOT EXISTS deliveries
(
    n INTEGER NOT NULL,                 -- of the alert
    receiver TEXT NOT NULL,
    state TEXT NOT NULL,                -- waiting, sending, told, failed, dropped
    told INTEGER NOT NULL,              -- how many of `count` it was told
    telling INTEGER NOT NULL,           -- how many the message under way says
    message TEXT NOT NULL,              -- id of the message under way
    due_ns INTEGER NOT NULL,
    again_ns INTEGER NOT NULL,          -- pause before it is told how many more
    since_ns INTEGER NOT NULL,          -- waiting since
    why TEXT NOT NULL,                  -- what came of the last try
    PRIMARY KEY (n, receiver)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (receiver, state, due_ns);

-- The one message that is under way to each receiver.
CREATE TABLE IF NOT EXISTS messages
(
    receiver TEXT PRIMARY KEY,
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    due_ns INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    made_ns INTEGER NOT NULL,
    dropped INTEGER NOT NULL
) WITHOUT ROWID;

-- Alerts that were dropped and of which the receiver was not told yet.
CREATE TABLE IF NOT EXISTS dropped (receiver TEXT PRIMARY KEY, count INTEGER NOT NULL) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS settings (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
