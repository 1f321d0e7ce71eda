/* A client of tests/support/tls_server.py whose one big write is not in memory any more when SSL_write returns, and is overwritten then.
 * PORT CERTIFICATE FILE SIZE WAY
 *
 *   evicted  the pages of FILE, mapped, are given back (they can be brought in again)
 *   cut      the same, and FILE is cut short: nobody can read them any more
 *   awaited  the pages are brought in by this program itself (userfaultfd), which does not do so after the write */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE 4096L

static char *area, pattern[PAGE];
static long size, wire;
static int file, faults;
static const char *way;
static volatile int is_over;

static void require(int is_so, const char *what) {
  if (is_so) return;
  perror(what);
  exit(1);
}

static void *serve(void *unused) {
  struct uffd_msg fault;
  while (read(faults, &fault, sizeof(fault)) == sizeof(fault)) {
    if (is_over) pause();
    struct uffdio_copy copy = {fault.arg.pagefault.address & -PAGE, (unsigned long)pattern, PAGE, 0, 0};
    ioctl(faults, UFFDIO_COPY, &copy);
  }
  return unused;
}

static void map_awaited(void) {
  pthread_t thread;
  struct uffdio_api api = {UFFD_API, 0, 0};
  faults = syscall(SYS_userfaultfd, O_CLOEXEC);
  area = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  struct uffdio_register missing = {{(unsigned long)area, (size + PAGE - 1) & -PAGE}, UFFDIO_REGISTER_MODE_MISSING, 0};
  require(faults >= 0 && !ioctl(faults, UFFDIO_API, &api) && !ioctl(faults, UFFDIO_REGISTER, &missing), "userfaultfd");
  pthread_create(&thread, 0, serve, 0);
}

static void map_file(void) {
  require(!ftruncate(file, size), "ftruncate");
  area = mmap(0, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  for (long at = 0; at < size; at++) area[at] = pattern[at % PAGE];
}

/* After each write to the socket; the last one is known by what went out, TLS adding little. */
static long after_write(BIO *bio, int what, const char *data, size_t length, int i, long l, int result, size_t *done) {
  if (what != (BIO_CB_WRITE | BIO_CB_RETURN) || !done) return result;
  wire += *done;
  if (wire < size) return result;
  is_over = 1;
  madvise(area, size, MADV_DONTNEED);
  if (!strcmp(way, "cut")) require(!ftruncate(file, 0), "ftruncate");
  return result;
}

int main(int count, char **arguments) {
  require(count == 6, "usage");
  struct sockaddr_in server = {AF_INET, htons(atoi(arguments[1])), {htonl(INADDR_LOOPBACK)}, {0}};
  file = open(arguments[3], O_RDWR | O_CREAT, 0600);
  size = atol(arguments[4]);
  way = arguments[5];
  for (int at = 0; at < PAGE; at++) pattern[at] = 'a' + at % 23 + at / 997;
  if (strcmp(way, "awaited")) map_file();
  else map_awaited();
  SSL_CTX *context = SSL_CTX_new(TLS_client_method());
  SSL *ssl = SSL_new(context);
  int connected = socket(AF_INET, SOCK_STREAM, 0);
  require(!connect(connected, (void *)&server, sizeof(server)), "connect");
  SSL_set_fd(ssl, connected);
  require(SSL_connect(ssl) == 1, "SSL_connect");
  char head[64], answer[4];
  SSL_write(ssl, head, sprintf(head, "%ld 4\n", size));
  BIO_set_callback_ex(SSL_get_wbio(ssl), after_write);
  require(SSL_write(ssl, area, size) == size, "SSL_write");
  BIO_set_callback_ex(SSL_get_wbio(ssl), NULL);
  if (!strcmp(way, "evicted")) memset(area, '!', size);
  require(SSL_read(ssl, answer, 4) == 4, "SSL_read");
  SSL_write(ssl, "3 4\nend", 7);
  require(SSL_read(ssl, answer, 4) == 4, "SSL_read");
  SSL_shutdown(ssl);
  return 0;
}
