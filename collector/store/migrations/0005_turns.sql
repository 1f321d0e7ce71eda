-- How far each agent is, by turn: which time it is that a collector has it. Of several that share the database only the latest turn counts,
-- whatever an earlier collector still writes; so do its marks (`taken` of marks begins with the turn). Takes the place of `agents`.

CREATE TABLE turns
(
    agent String,                       -- id of one agent process
    turn UInt64,                        -- 1, 2, 3 … of this agent; 0 in a store of one collector
    next_batch UInt64                   -- the lowest number not stored; the highest row of a turn counts
)
ENGINE = ReplacingMergeTree(next_batch)
ORDER BY (agent, turn)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1,
         min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1;

INSERT INTO turns SELECT agent, 0, max(next_batch) FROM agents GROUP BY agent;
