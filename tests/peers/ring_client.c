/* A client of tests/support/tls_server.py whose TLS is in memory and whose every byte goes through io_uring (io_uring(7)), by system calls of
 * its own. PORT HOW [more]: HOW is `inline` (its own thread does the work, in io_uring_enter), `worker` or `poller` (a thread of the kernel's
 * does); `more`: a record of its own behind what it asked. It asks for 5 bytes and prints how many came. */
#include <arpa/inet.h>
#include <linux/io_uring.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static char *rings;
static struct io_uring_params params;
static struct io_uring_sqe *entries;
static int ring, connected, flags;
static BIO *in, *out;

static unsigned *word(unsigned offset) { return (unsigned *)(rings + offset); }

static int made(int is_polled) {
  params.flags = is_polled ? IORING_SETUP_SQPOLL : 0;
  params.sq_thread_idle = 100;
  ring = syscall(SYS_io_uring_setup, 4, &params);
  if (ring < 0) return 0;
  unsigned size = params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe); /* of both rings: IORING_FEAT_SINGLE_MMAP */
  rings = mmap(0, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_SQ_RING);
  entries = mmap(0, 4 * sizeof(*entries), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_SQES);
  return rings != MAP_FAILED && entries != MAP_FAILED;
}

/* One operation, and its result. */
static int done(int operation, void *data, unsigned size, unsigned long offset) {
  unsigned tail = *word(params.sq_off.tail), at = tail & *word(params.sq_off.ring_mask);
  struct io_uring_sqe entry = {.opcode = operation, .flags = flags, .fd = connected, .off = offset, .addr = (unsigned long)data, .len = size};
  entries[at] = entry;
  word(params.sq_off.array)[at] = at;
  __atomic_store_n(word(params.sq_off.tail), tail + 1, __ATOMIC_SEQ_CST);
  unsigned head = *word(params.cq_off.head);
  for (int new = 1; __atomic_load_n(word(params.cq_off.tail), __ATOMIC_ACQUIRE) == head; new = 0)
    syscall(SYS_io_uring_enter, ring, new, 1, IORING_ENTER_GETEVENTS | IORING_ENTER_SQ_WAKEUP, 0, 0);
  struct io_uring_cqe *ended = (struct io_uring_cqe *)(rings + params.cq_off.cqes);
  int result = ended[head & *word(params.cq_off.ring_mask)].res;
  __atomic_store_n(word(params.cq_off.head), head + 1, __ATOMIC_RELEASE);
  return result;
}

static int flushed(void) {
  char data[20000];
  int size;
  while ((size = BIO_read(out, data, sizeof(data))) > 0)
    if (done(IORING_OP_SEND, data, size, 0) != size) return 0;
  return 1;
}

static int fed(void) {
  char data[20000];
  int size = flushed() ? done(IORING_OP_RECV, data, sizeof(data), 0) : 0;
  return size > 0 && BIO_write(in, data, size) == size;
}

int main(int count, char **arguments) {
  char answer[64], own[261] = "\x17\x03\x03\x01";
  struct sockaddr_in server = {AF_INET, htons(atoi(arguments[1])), {htonl(INADDR_LOOPBACK)}, {0}};
  SSL *ssl = SSL_new(SSL_CTX_new(TLS_client_method()));
  int size, one = 1;
  SSL_set_bio(ssl, in = BIO_new(BIO_s_mem()), out = BIO_new(BIO_s_mem()));
  if (!made(!strcmp(arguments[2], "poller"))) return 77;
  flags = strcmp(arguments[2], "worker") ? 0 : IOSQE_ASYNC;
  connected = socket(AF_INET, SOCK_STREAM, 0);
  setsockopt(connected, IPPROTO_TCP, 1 /* TCP_NODELAY */, &one, sizeof(one));
  if (done(IORING_OP_CONNECT, &server, 0, sizeof(server))) return 2;
  while (SSL_connect(ssl) != 1)
    if (!fed()) return 3;
  if (SSL_write(ssl, "0 5\n", 4) != 4 || !flushed()) return 4;
  if (count > 3 && done(IORING_OP_SEND, own, sizeof(own), 0) != sizeof(own)) return 5;
  while ((size = SSL_read(ssl, answer, sizeof(answer))) <= 0)
    if (!fed()) return 6;
  printf("%d\n", size);
  return count > 3 && fed() ? 7 : 0;
}
