/* A TLS stack of its own, as a library: OpenSSL linked in, with none of its functions to be seen from outside. */
#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Ask tests/support/tls_server.py for 5 bytes: how many came, or below 0 how far it got. */
__attribute__((visibility("default"))) int ask(int port) {
  char buffer[64];
  struct sockaddr_in server = {AF_INET, htons(port), {htonl(INADDR_LOOPBACK)}, {0}};
  SSL_CTX *context = SSL_CTX_new(TLS_client_method());
  int connected = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(connected, (void *)&server, sizeof(server))) return -1;
  SSL *ssl = SSL_new(context);
  SSL_set_fd(ssl, connected);
  if (SSL_connect(ssl) != 1) return -2;
  if (SSL_write(ssl, "0 5\n", 4) != 4) return -3;
  return SSL_read(ssl, buffer, 5);
}
