-- Order by the nodes' boot clocks (store/clock.py): the wall clock of `records.time` may have been set in between.

ALTER TABLE records ADD COLUMN IF NOT EXISTS boot LowCardinality(String) DEFAULT '';
ALTER TABLE records ADD COLUMN IF NOT EXISTS boot_time Int64 DEFAULT toUnixTimestamp64Nano(time);
ALTER TABLE records COMMENT COLUMN boot 'whose boot clock boot_time is: the kernel''s boot id; empty: the wall clock';
ALTER TABLE records COMMENT COLUMN boot_time 'the beginning, in ns of that clock';

-- The newest offset of each boot's wall clock.
CREATE TABLE clocks
(
    boot String,                        -- boot id
    boot_time Int64,                    -- when that was so
    wall_offset Int64                   -- wall clock minus boot clock, ns
)
ENGINE = ReplacingMergeTree(boot_time)
ORDER BY boot
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1,
         min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1;

-- Its columns are those of the table as it was when the view was made.
DROP VIEW IF EXISTS calls;

CREATE VIEW calls AS
SELECT * FROM records WHERE kind = 'call' ORDER BY session, id, phase DESC, position DESC LIMIT 1 BY session, id;
