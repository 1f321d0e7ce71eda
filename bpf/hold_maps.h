/* The maps of held calls: as maps.h. */

/* slot -> how its workload is enforced; by agent/hold, `unheld` here. */
BPF_ARRAY(enforcing, struct enforcing, SLOTS + 1);

/* Thread -> what it is held for; from here until user space lets it go or the thread has ended. */
BPF_HASH(held_threads, u32, struct held, 4096);

/* 0 -> zeros: a value of `held_threads` to be filled. Never written. */
BPF_ARRAY(held_empty, struct held, 1);

/* TLS object -> from where on its calls are held; by agent/hold. Without an entry: writes from 0, no reads. */
BPF_HASH(hold_positions, struct stream_key, struct hold_from, 65536);

/* 0 -> a value on its way from one line to the next; see hold.h. */
BPF_PERCPU_ARRAY(forgetting, u64, 1);

/* Never filled, as those of maps.h. */
BPF_ARRAY(layout_held, struct held, 1);
