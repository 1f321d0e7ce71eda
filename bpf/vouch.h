/* Whose handshakes are whose: where TLS that no probe tells of may not leave (`uncovered: deny`), a ClientHello leaves only while an
 * object whose calls we see shakes hands in that process. Elsewhere none of this runs. */

static struct object object_of(u64 handle) {
  struct object object = {handle, current_numbers() >> 32, 0};
  return object;
}

static int vouches(u32 slot) {
  struct enforcing *how = enforcing.lookup(&slot);
  return how && how->covers;
}

/* A call that shakes hands, or does so besides: any on an object that has moved nothing. */
static void begin_handshake(u32 slot, u64 handle) {
  if (!vouches(slot)) return;
  struct stream_key key = stream_key_of(handle);
  if (streams.lookup(&key)) return;
  struct object object = object_of(handle);
  u64 zero = 0;
  u8 one = 1;
  if (shaken.lookup(&object) || shaken.update(&object, &one)) return;
  u32 pid = object.pid;
  u64 *count = shaking.lookup_or_try_init(&pid, &zero);
  if (count) __sync_fetch_and_add(count, 1);
}

/* It has written, or is gone. */
static void end_handshake(u32 slot, u64 handle) {
  if (!vouches(slot)) return;
  struct object object = object_of(handle);
  u32 pid = object.pid;
  if (shaken.delete(&object)) return;
  u64 *count = shaking.lookup(&pid);
  if (count) __sync_fetch_and_add(count, -1);
}

static struct spent *spent_by(struct object *object) {
  struct spent nothing = {};
  return spent.lookup_or_try_init(object, &nothing);
}

/* Count bytes of an object as gone. Never 0 by a constant: clang makes an atomic `or` of that, which kernels before 5.12 refuse. */
static struct spent *owe(struct object *object, s64 size) {
  struct spent *gone = spent_by(object);
  if (gone) __sync_fetch_and_add(&gone->bytes, size);
  return gone;
}

/* Whether the current process may begin to speak TLS. */
static int is_vouched_for(void) {
  u32 pid = process_number(bpf_get_current_task());
  u64 *count = shaking.lookup(&pid);
  return count && *count;
}
