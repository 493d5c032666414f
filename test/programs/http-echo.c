/*
 * A web server of a few kilobytes for tests and examples: answers every request with the host name, the request's path
 * and the client's address, one per line. `http-echo [port]` (8080). Ends on SIGTERM; one connection at a time.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static void stop(int signal) {
  (void)signal;
  _exit(0);
}

static int listen_on(int port) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 128)) {
    perror("http-echo: listen");
    exit(1);
  }
  return fd;
}

/* Reads the head of a request; its path ends up in `path`. */
static int read_request(int fd, char *path, size_t space) {
  char head[8192];
  size_t used = 0;
  while (used < sizeof head - 1) {
    ssize_t n = read(fd, head + used, sizeof head - 1 - used);
    if (n <= 0) return 0;
    head[used += (size_t)n] = 0;
    if (strstr(head, "\r\n\r\n")) break;
  }
  char format[32];
  snprintf(format, sizeof format, "%%*15s %%%zus", space - 1);
  return sscanf(head, format, path) == 1;
}

static void answer(int fd, const char *path, struct sockaddr_in *peer) {
  char host[256] = "", client[64] = "", body[2600], response[3000];
  gethostname(host, sizeof host - 1);
  inet_ntop(AF_INET, &peer->sin_addr, client, sizeof client);
  int length = snprintf(body, sizeof body, "host %s\npath %s\nclient %s\n", host, path, client);
  int total = snprintf(response, sizeof response,
                       "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
                       length, body);
  if (write(fd, response, (size_t)total) < 0) perror("http-echo: write");
}

int main(int argc, char **argv) {
  int port = argc > 1 ? atoi(argv[1]) : 8080, listener = listen_on(port);
  struct timeval patience = {.tv_sec = 5};
  signal(SIGPIPE, SIG_IGN);
  signal(SIGTERM, stop);
  signal(SIGINT, stop);
  printf("listening on port %d\n", port);
  fflush(stdout);
  for (;;) {
    char path[2048] = "/";
    struct sockaddr_in peer;
    socklen_t size = sizeof peer;
    int fd = accept(listener, (struct sockaddr *)&peer, &size);
    if (fd < 0) continue;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (read_request(fd, path, sizeof path)) answer(fd, path, &peer);
    close(fd);
  }
}
