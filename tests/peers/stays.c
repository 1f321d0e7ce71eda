/* A client of tests/support/tls_server.py that asks once and then keeps its connection until its input ends. PORT CERTIFICATE */
#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int count, char **arguments) {
  char buffer[64];
  struct sockaddr_in server = {AF_INET, htons(atoi(arguments[1])), {htonl(INADDR_LOOPBACK)}, {0}};
  SSL_CTX *context = SSL_CTX_new(TLS_client_method());
  if (!SSL_CTX_load_verify_locations(context, arguments[2], NULL)) return 1;
  int connected = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(connected, (void *)&server, sizeof(server))) return 1;
  SSL *ssl = SSL_new(context);
  SSL_set_tlsext_host_name(ssl, "localhost");
  SSL_set_fd(ssl, connected);
  if (SSL_connect(ssl) != 1 || SSL_write(ssl, "5 7\nhello", 9) != 9 || SSL_read(ssl, buffer, 7) <= 0) return 1;
  while (read(0, buffer, sizeof(buffer)) > 0) continue;
  SSL_shutdown(ssl);
  return count != 3;
}
