/* A client of tests/support/tls_server.py that has the kernel encrypt: SSL_write, SSL_sendfile, and a plain write to the socket.
 * PORT CERTIFICATE FILE SIZE. Ends with 3 where the kernel does not encrypt. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static SSL *ssl;

static void fail(const char *what) {
  fprintf(stderr, "%s\n", what);
  ERR_print_errors_fp(stderr);
  exit(1);
}

static void ask(long size, int answer) {
  char head[64];
  int length = sprintf(head, "%ld %d\n", size, answer);
  if (SSL_write(ssl, head, length) != length) fail("write");
}

static void read_all(int size) {
  char buffer[4096];
  for (int got; size > 0; size -= got)
    if ((got = SSL_read(ssl, buffer, sizeof(buffer))) <= 0) fail("read");
}

int main(int count, char **arguments) {
  long size = count > 4 ? atol(arguments[4]) : 0;
  struct sockaddr_in server = {AF_INET, htons(atoi(arguments[1])), {htonl(INADDR_LOOPBACK)}, {0}};
  SSL_CTX *context = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_options(context, SSL_OP_ENABLE_KTLS);
  SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256");
  if (!SSL_CTX_load_verify_locations(context, arguments[2], NULL)) fail("certificate");
  int connected = socket(AF_INET, SOCK_STREAM, 0), file = open(arguments[3], O_RDONLY);
  if (file < 0 || connect(connected, (void *)&server, sizeof(server))) return 1;
  ssl = SSL_new(context);
  SSL_set_tlsext_host_name(ssl, "localhost");
  SSL_set_fd(ssl, connected);
  if (SSL_connect(ssl) != 1) fail("handshake");
  if (!BIO_get_ktls_send(SSL_get_wbio(ssl))) return 3;
  ask(size, 100);
  for (long sent = 0; sent < size;) {
    long more = SSL_sendfile(ssl, file, sent, size - sent, 0);
    if (more <= 0) fail("sendfile");
    sent += more;
  }
  read_all(100);
  ask(1000, 200);
  char plain[1000] = {0};
  if (write(connected, plain, sizeof(plain)) != sizeof(plain)) return 2;
  read_all(200);
  SSL_shutdown(ssl);
  SSL_free(ssl);
  return 0;
}
