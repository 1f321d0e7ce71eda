/* A client of tests/support/tls_server.py that calls libssl in every way that could be counted wrongly. PORT CERTIFICATE [WHAT A PROXY IS ASKED] */
#include <arpa/inet.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TOTAL 400000
#define PIECE 50000

static int connected;
static SSL *ssl;
static int retries, partial, peeks;

static void fail(const char *what) {
  fprintf(stderr, "%s\n", what);
  ERR_print_errors_fp(stderr);
  exit(1);
}

/* Wait for what the last call wanted; the call is then to be made again. */
static void await(int result) {
  int error = SSL_get_error(ssl, result);
  if (error != SSL_ERROR_WANT_WRITE && error != SSL_ERROR_WANT_READ) fail("a call failed");
  struct pollfd wanted = {connected, error == SSL_ERROR_WANT_WRITE ? POLLOUT : POLLIN, 0};
  poll(&wanted, 1, -1);
}

/* One write to its acceptance, by SSL_write or SSL_write_ex; each retry comes from another buffer. */
static size_t write_once(const char *data, size_t size, int ex) {
  static char buffers[2][PIECE];
  for (int turn = 0;; turn++) {
    char *buffer = memcpy(buffers[turn % 2], data, size);
    size_t written = 0;
    int result = ex ? SSL_write_ex(ssl, buffer, size, &written) : SSL_write(ssl, buffer, size);
    memset(buffers[(turn + 1) % 2], '!', size);
    if (result > 0) {
      written = ex ? written : (size_t)result;
      partial += written < size;
      return written;
    }
    retries++;
    await(result);
  }
}

/* Each byte is looked at before it is taken, twice. */
static void read_all(size_t size) {
  char buffer[5000];
  while (size) {
    size_t most = size < sizeof(buffer) ? size : sizeof(buffer), got = 0;
    int result = SSL_peek(ssl, buffer, most);
    if (result > 0) peeks += SSL_peek_ex(ssl, buffer, most, &got);
    result = size % 2 ? SSL_read_ex(ssl, buffer, most, &got) : (int)(got = SSL_read(ssl, buffer, most));
    if (result > 0) size -= got;
    else await(result);
  }
}

static void talk(int ex) {
  static char data[TOTAL];
  for (int i = 0; i < TOTAL; i++) data[i] = 'a' + i % 23 + i / 9973 % 3;
  char head[64];
  int size = sprintf(head, "%d 30001\n", TOTAL);
  write_once(head, size, ex);
  for (size_t sent = 0; sent < TOTAL;) sent += write_once(data + sent, TOTAL - sent < PIECE ? TOTAL - sent : PIECE, ex);
  read_all(30001);
}

/* A tunnel, by HTTP: the answer ends with an empty line. */
static void ask_proxy(const char *what) {
  char end[4] = {0};
  if (write(connected, what, strlen(what)) != (ssize_t)strlen(what)) fail("proxy");
  while (memcmp(end, "\r\n\r\n", 4)) {
    memmove(end, end + 1, 3);
    if (read(connected, end + 3, 1) != 1) fail("no tunnel");
  }
}

int main(int count, char **arguments) {
  int small = 4096;
  struct sockaddr_in server = {AF_INET, htons(atoi(arguments[1])), {htonl(INADDR_LOOPBACK)}, {0}};
  SSL_CTX *context = SSL_CTX_new(TLS_client_method());
  if (!SSL_CTX_load_verify_locations(context, arguments[2], NULL)) fail("certificate");
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  connected = socket(AF_INET, SOCK_STREAM, 0);
  setsockopt(connected, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
  if (connect(connected, (void *)&server, sizeof(server))) return 1;
  if (count > 3) ask_proxy(arguments[3]);
  ssl = SSL_new(context);
  SSL_set_tlsext_host_name(ssl, "localhost");
  SSL_set_fd(ssl, connected);
  if (SSL_connect(ssl) != 1) fail("handshake");
  fcntl(connected, F_SETFL, fcntl(connected, F_GETFL) | O_NONBLOCK);
  talk(0);
  talk(1);
  SSL_shutdown(ssl);
  SSL_free(ssl);
  if (!retries || !partial || !peeks) return fprintf(stderr, "retries %d, partial %d, peeks %d\n", retries, partial, peeks), 1;
  return count < 3;
}
