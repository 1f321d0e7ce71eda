/* A client of tests/support/tls_server.py that calls libgnutls in every way that could be counted wrongly. PORT CERTIFICATE */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TOTAL 400000
#ifndef PIECE
#define PIECE 20000 /* more than a record holds */
#endif

static int connected;
static gnutls_session_t session;
static int retries[3];

static void must(int result, const char *what) {
  if (result >= 0) return;
  fprintf(stderr, "%s: %s\n", what, gnutls_strerror(result));
  exit(1);
}

static void await(short events) {
  struct pollfd wanted = {connected, events, 0};
  poll(&wanted, 1, -1);
}

static void set_blocking(int blocking) {
  int flags = fcntl(connected, F_GETFL);
  fcntl(connected, F_SETFL, blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK);
}

/* The socket as it is, but every third write is refused once while it does not block: a fast reader may never make that happen. */
static ssize_t push(gnutls_transport_ptr_t unused, const void *data, size_t size) {
  static int turn;
  (void)unused;
  if (fcntl(connected, F_GETFL) & O_NONBLOCK && turn++ % 3 == 2) {
    gnutls_transport_set_errno(session, EAGAIN);
    return -1;
  }
  return send(connected, data, size, MSG_NOSIGNAL);
}

static int again(ssize_t result) { return result == GNUTLS_E_AGAIN || result == GNUTLS_E_INTERRUPTED; }

/* One send to its acceptance. The retry: the same buffer, another one, or none; in the last two the first one is overwritten. */
static ssize_t send_once(const char *data, size_t size, int way) {
  static char first[PIECE], other[PIECE];
  memcpy(first, data, size);
  memcpy(other, data, size);
  ssize_t result = gnutls_record_send(session, first, size);
  while (again(result)) {
    retries[way]++;
    if (way) memset(first, '!', size);
    await(POLLOUT);
    if (way == 2) result = gnutls_record_send(session, NULL, 0);
    else result = gnutls_record_send(session, way ? other : first, size);
  }
  must(result, "send");
  return result;
}

static void receive(size_t size) {
  char buffer[5000];
  while (size) {
    ssize_t result = gnutls_record_recv(session, buffer, size < sizeof(buffer) ? size : sizeof(buffer));
    if (again(result)) await(POLLIN);
    else if (result <= 0) must(-1, "receive");
    else size -= result;
  }
}

static void send_in_pieces(void) {
  static char data[TOTAL];
  for (int i = 0; i < TOTAL; i++) data[i] = 'a' + i % 23 + i / 9973 % 3;
  char head[64];
  int size = sprintf(head, "%d 30000\n", TOTAL);
  set_blocking(0);
  send_once(head, size, 0);
  for (size_t sent = 0, turn = 0; sent < TOTAL; turn++)
    sent += send_once(data + sent, TOTAL - sent < PIECE ? TOTAL - sent : PIECE, turn % 3);
  receive(30000);
  set_blocking(1);
}

static void send_corked(void) {
  static char data[40000];
  memset(data, 'c', sizeof(data));
  char head[64];
  int size = sprintf(head, "%zu 10\n", sizeof(data));
  gnutls_record_cork(session);
  must(gnutls_record_send(session, head, size), "corked");
  must(gnutls_record_send(session, data, 15000), "corked");
  must(gnutls_record_send(session, data, sizeof(data) - 15000), "corked");
  must(gnutls_record_uncork(session, GNUTLS_RECORD_WAIT), "uncork");
  receive(10);
}

__attribute__((unused)) static void receive_packet(void) {
  must(gnutls_record_send2(session, "3 7\nabc", 7, 0, 0), "send2");
  gnutls_packet_t packet;
  must(gnutls_record_recv_packet(session, &packet), "packet");
  gnutls_packet_deinit(packet);
}

int main(int count, char **arguments) {
  gnutls_certificate_credentials_t credentials;
  int small = 4096;
  struct sockaddr_in server = {AF_INET, htons(atoi(arguments[1])), {htonl(INADDR_LOOPBACK)}, {0}};
  gnutls_certificate_allocate_credentials(&credentials);
  must(gnutls_certificate_set_x509_trust_file(credentials, arguments[2], GNUTLS_X509_FMT_PEM), "certificate");
  connected = socket(AF_INET, SOCK_STREAM, 0);
  setsockopt(connected, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
  if (connect(connected, (void *)&server, sizeof(server))) return 1;
  must(gnutls_init(&session, GNUTLS_CLIENT), "init");
  gnutls_set_default_priority(session);
  gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials);
  gnutls_session_set_verify_cert(session, "127.0.0.1", 0);
  gnutls_transport_set_int(session, connected);
  gnutls_transport_set_push_function(session, push);
  must(gnutls_handshake(session), "handshake");
  send_in_pieces();
  send_corked();
#ifndef NO_PACKET
  receive_packet();
#endif
  gnutls_bye(session, GNUTLS_SHUT_WR);
  gnutls_deinit(session);
  if (!retries[0] || !retries[1] || !retries[2]) return fprintf(stderr, "not every kind of retry came about\n"), 1;
  return count != 3;
}
