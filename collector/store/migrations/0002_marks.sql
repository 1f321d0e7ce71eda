-- The latest mark of each open stream (capture.proto: Mark), written with the records it belongs to. Nothing wrote the table of
-- 0001; this one keeps one row of a stream, not one for each position.

DROP TABLE IF EXISTS marks;

CREATE TABLE marks
(
    stream String,                      -- stream id
    taken UInt64,                       -- 1, 2, 3 … in this store; the highest of a stream counts
    layout UInt32,                      -- number of `state`'s meaning; an unknown one is joined late
    state String                        -- sealed (store/marks.py), base64; '' once the stream is over
)
ENGINE = ReplacingMergeTree(taken)
ORDER BY stream
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1,
         min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1;
