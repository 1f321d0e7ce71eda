/* The maps of held calls: as maps.h. */

/* slot -> how its workload is enforced; by agent/hold, `unheld` here. */
BPF_ARRAY(enforcing, struct enforcing, SLOTS + 1);

/* Thread -> what it is held for; from here until user space lets it go (agent/hold/marks.py) or the thread has ended (hold.h). One workload
 * may have 1,024 that wait (agent/hold/room.py), and has more until user space has seen them: HELD_SHARE of hold.h. */
BPF_HASH(held_threads, u32, struct held, 16384);

/* slot -> how many of its threads were put there, less those taken out in the kernel; by hold.h. Never set back, nor is the next. */
BPF_ARRAY(noted, struct tally, SLOTS + 1);

/* slot -> how many user space has taken out; by agent/hold/marks.py. */
BPF_ARRAY(let_go, struct tally, SLOTS + 1);

/* 0 -> zeros: a value of `held_threads` to be filled. Never written. */
BPF_ARRAY(held_empty, struct held, 1);

/* TLS object -> from where on its calls are held; by agent/hold. Without an entry: writes from 0, no reads. */
BPF_HASH(hold_positions, struct stream_key, struct hold_from, 65536);

/* 0 -> a value on its way from one line to the next; see hold.h. */
BPF_PERCPU_ARRAY(forgetting, u64, 1);

/* TLS object -> bytes that may have left; by agent/hold/ledger.py, from its first order until a while after its end. */
BPF_HASH(released, struct object, struct released, 65536);

/* TLS object -> what has left of it; by lock.c, and by hold.h where a call could not be held and may go on. LRU: beyond the limit who was
 * quiet longest begins anew. */
BPF_TABLE("lru_hash", struct object, struct spent, spent, 65536);

/* Process -> how many of its TLS objects have begun a handshake and written nothing; by vouch.h. LRU: processes end. */
BPF_TABLE("lru_hash", u32, u64, shaking, 4096);

/* TLS object -> 1 while it is counted there. LRU, as that. */
BPF_TABLE("lru_hash", struct object, u8, shaken, 16384);

/* Never filled, as those of maps.h. */
BPF_ARRAY(layout_held, struct held, 1);
