-- The append-only records table, the bodies beside it, and what a restarted collector needs to go on.
-- Statements are separated by a semicolon at the end of a line. ReplacingMergeTree keeps one of several rows with the same
-- key, at some later merge: every query picks one version itself and never relies on a merge having happened.
-- fsync: an insert returns after its files and their directory are on disk, and so does a merge, whose sources are deleted.

CREATE TABLE records
(
    -- Key. The same facts give the same key and the same row, so a repeated row lands on itself.
    kind LowCardinality(String),        -- session, process, stream, call, piece, exchange, loss, gap, note, hold, outcome
    session String,                     -- session id; '' where a record came without one
    id String,                          -- of the thing itself: call id, stream id, …; see store/rows.py
    phase UInt8,                        -- version, first half: wire.exchange.Phase for calls; 1 begun, 2 known more, 4 over for the rest
    position UInt64,                    -- version, second half: a stream position, or the boot time of the fact where it has none

    -- The one column that a repetition changes: order of arrival in this store, for `--follow`. Never part of a key.
    arrived UInt64,                     -- 1, 2, 3 … in this store

    time DateTime64(9, 'UTC'),          -- wall clock of the beginning: boot time plus the batch's offset
    ended Nullable(DateTime64(9, 'UTC')), -- wall clock of the end, NULL until then
    stream String,                      -- stream id, where there is one
    process String,                     -- process id, where there is one
    call String,                        -- the call that a piece belongs to

    -- What calls are filtered by; '' or 0 for other kinds. The same values are in the document.
    verb LowCardinality(String),        -- as the apiserver reads the request
    api_group LowCardinality(String),   -- '' for the core group
    resource LowCardinality(String),    -- '' for a URL that names none
    subresource LowCardinality(String), -- exec, log, status, …
    namespace LowCardinality(String),   -- '' for cluster-wide
    name String,                        -- of the object; from the body where the URL has none
    code Nullable(UInt16),              -- HTTP status; NULL without an answer
    user LowCardinality(String),        -- as claimed; the document says by what
    user_agent LowCardinality(String),  -- as sent, masked
    complete Bool,                      -- nothing of it is missing (a note: it makes nothing incomplete)
    bytes_out UInt64,                   -- client to server, on the stream
    bytes_in UInt64,                    -- server to client
    bodies Array(String),               -- digests of the bodies the document leaves out

    document String CODEC(ZSTD(3))      -- the whole of it, masked, as JSON: store/document.py
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(time)
ORDER BY (kind, session, id, phase, position)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1,
         min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1;

-- Masked bodies larger than store/bodies.py's limit, equal ones once.
CREATE TABLE bodies
(
    digest String,                      -- BLAKE2b-128 of encoding and data, hex
    encoding LowCardinality(String),    -- 'utf-8' or 'base64': how data is written
    data String CODEC(ZSTD(3))          -- the body, masked, whole
)
ENGINE = ReplacingMergeTree
ORDER BY digest
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1,
         min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1;

-- Which batches of an agent are durable.
CREATE TABLE agents
(
    agent String,                       -- id of one agent process
    next_batch UInt64                   -- the lowest number not stored; the highest row counts
)
ENGINE = ReplacingMergeTree(next_batch)
ORDER BY agent
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1,
         min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1;

-- Reserved: a reader's state between two frames, written with the records it belongs to (capture.proto: Mark).
CREATE TABLE marks
(
    stream String,                      -- stream id
    out_position UInt64,                -- next byte each direction's reader expects
    in_position UInt64,                 -- the same, server to client
    protocol LowCardinality(String),    -- what it speaks: http/1.1, h2, websocket, spdy/3.1
    layout UInt32,                      -- number of `state`'s meaning; an unknown one is joined late
    state String CODEC(ZSTD(3))         -- msgpack: HPACK tables, open exchanges with their call ids
)
ENGINE = ReplacingMergeTree
ORDER BY (stream, out_position, in_position)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1,
         min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1;

-- Calls are a view of the latest version.
CREATE VIEW calls AS
SELECT * FROM records WHERE kind = 'call' ORDER BY session, id, phase DESC, position DESC LIMIT 1 BY session, id;
