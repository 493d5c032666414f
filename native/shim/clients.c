/*
 * The shim's unix socket (0600, and the peer must be of our own uid). Client frames: `A` attach (u8: 1 output, 2 stdin),
 * `I` stdin bytes, `C` end of stdin (closes it if stdinOnce), `W` resize (u16 columns, u16 rows), `R` reopen the log, `Q` ask.
 * Ours: `o` and `e` output, `x` exit, `k` done, `q` answer. A client that does not read is dropped when its buffer is
 * full; a stdin that is not read stops the client's frames (back-pressure), never the container.
 */
#include "shim.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

enum { MAX_CLIENTS = 32, OUT_SPACE = 1 << 20 };
enum { WANTS_OUTPUT = 1, WANTS_STDIN = 2 };

struct client {
  struct source source; /* must be first */
  unsigned wants;
  int stalled; /* its frame of stdin waits for the container */
  size_t in_length, in_used; /* in_used: payload bytes of the current stdin frame that are written already */
  size_t out_start, out_length;
  uint8_t in[FRAME_HEADER + FRAME_MAX];
  uint8_t out[OUT_SPACE];
};

static struct client *clients[MAX_CLIENTS];
static struct source listener;
static struct source stdin_source = {.fd = -1};
static int stdin_is_pty, stdin_watched;

static void client_ready(struct source *source, uint32_t events);

static uint32_t wanted_events(const struct client *c) {
  return (c->stalled ? 0 : EPOLLIN) | (c->out_length ? EPOLLOUT : 0);
}

static void client_close(struct client *c) {
  int had_stdin = c->wants & WANTS_STDIN;
  for (int i = 0; i < MAX_CLIENTS; i++)
    if (clients[i] == c) clients[i] = NULL;
  loop_remove(&c->source);
  close(c->source.fd);
  free(c);
  if (had_stdin && config.flags & FLAG_STDIN_ONCE) stdin_close();
}

/* Returns 0 if the peer is gone. */
static int flush_out(struct client *c) {
  while (c->out_length) {
    ssize_t n = send(c->source.fd, c->out + c->out_start, c->out_length, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno == EAGAIN;
    c->out_start += (size_t)n;
    c->out_length -= (size_t)n;
  }
  c->out_start = 0;
  return 1;
}

/* Appends one frame; returns 0 if it does not fit. */
static int put_frame(struct client *c, char type, const void *data, size_t length) {
  if (c->out_length + FRAME_HEADER + length > OUT_SPACE) return 0;
  if (c->out_start + c->out_length + FRAME_HEADER + length > OUT_SPACE) {
    memmove(c->out, c->out + c->out_start, c->out_length);
    c->out_start = 0;
  }
  uint8_t *end = c->out + c->out_start + c->out_length;
  frame_header(end, type, (uint32_t)length);
  memcpy(end + FRAME_HEADER, data, length);
  c->out_length += FRAME_HEADER + length;
  return 1;
}

static void send_frame(struct client *c, char type, const void *data, size_t length) {
  if (!put_frame(c, type, data, length) || !flush_out(c)) return client_close(c);
  loop_change(&c->source, wanted_events(c));
}

void clients_output(int stream, const uint8_t *data, size_t length) {
  for (int i = 0; i < MAX_CLIENTS; i++)
    if (clients[i] && clients[i]->wants & WANTS_OUTPUT) send_frame(clients[i], stream ? 'e' : 'o', data, length);
}

/* Readers get a second to take the last bytes. */
static void linger(struct client *c) {
  struct pollfd p = {.fd = c->source.fd, .events = POLLOUT};
  while (c->out_length && poll(&p, 1, 1000) == 1)
    if (!flush_out(c)) return;
}

void clients_exit(int code, int signal) {
  char text[32];
  int n = snprintf(text, sizeof text, "%d %d", code, signal);
  for (int i = 0; i < MAX_CLIENTS; i++) {
    if (!clients[i] || !put_frame(clients[i], 'x', text, (size_t)n)) continue;
    if (flush_out(clients[i])) linger(clients[i]);
  }
}

/* ---- stdin ---- */

static void resume_stalled(void) {
  for (int i = 0; i < MAX_CLIENTS; i++) {
    if (!clients[i] || !clients[i]->stalled) continue;
    clients[i]->stalled = 0;
    client_ready(&clients[i]->source, 0);
  }
}

static void stdin_ready(struct source *source, uint32_t events) {
  (void)events;
  loop_remove(source);
  stdin_watched = 0;
  resume_stalled();
}

void stdin_use(int fd, int is_pty) {
  /* a pty is in the loop for its output already: its other direction needs a number of its own */
  stdin_source = (struct source){.fd = is_pty ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : fd, .ready = stdin_ready};
  stdin_is_pty = is_pty;
  set_nonblocking(stdin_source.fd);
}

void stdin_close(void) {
  if (stdin_source.fd < 0 || stdin_is_pty) return;
  if (stdin_watched) loop_remove(&stdin_source);
  close(stdin_source.fd);
  stdin_source.fd = -1;
  stdin_watched = 0;
  resume_stalled();
}

/* Writes the current frame's payload. Returns 0 if the container does not take it now. */
static int write_stdin(struct client *c, const uint8_t *payload, uint32_t length) {
  while (stdin_source.fd >= 0 && c->in_used < length) {
    ssize_t n = write(stdin_source.fd, payload + c->in_used, length - c->in_used);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) {
      if (!stdin_watched) loop_add(&stdin_source, EPOLLOUT);
      stdin_watched = 1;
      c->stalled = 1;
      return 0;
    }
    if (n < 0) break; /* the container closed its stdin: swallow the rest */
    c->in_used += (size_t)n;
  }
  c->in_used = 0;
  return 1;
}

/* ---- frames from clients ---- */

static void answer_state(struct client *c) {
  char text[64];
  int n = snprintf(text, sizeof text, "%llu", (unsigned long long)log_dropped_bytes);
  send_frame(c, 'q', text, (size_t)n);
}

/* Returns 0 if the frame has to wait. The client may be gone afterwards only if -1. */
static int serve_frame(struct client *c, char type, const uint8_t *payload, uint32_t length) {
  switch (type) {
    case 'A': c->wants = length ? payload[0] : 0; return 1;
    case 'I': return !(c->wants & WANTS_STDIN) || write_stdin(c, payload, length);
    case 'C': if (c->wants & WANTS_STDIN && config.flags & FLAG_STDIN_ONCE) stdin_close(); return 1;
    case 'W':
      if (length == 4 && stdin_is_pty) pty_resize(stdin_source.fd, payload[0] | payload[1] << 8, payload[2] | payload[3] << 8);
      return 1;
    case 'R': log_open(); return put_frame(c, 'k', "", 0) ? 1 : -1;
    case 'Q': answer_state(c); return 1;
    default: return -1;
  }
}

/* Serves the whole frames in the buffer. Returns 0 if the client was closed. */
static int serve_buffer(struct client *c) {
  while (!c->stalled && c->in_length >= FRAME_HEADER) {
    uint32_t length = frame_length(c->in);
    if (length > FRAME_MAX) return client_close(c), 0;
    if (c->in_length < FRAME_HEADER + length) return 1;
    int served = serve_frame(c, (char)c->in[0], c->in + FRAME_HEADER, length);
    if (served < 0) return client_close(c), 0;
    if (!served) return 1;
    c->in_length -= FRAME_HEADER + length;
    memmove(c->in, c->in + FRAME_HEADER + length, c->in_length);
  }
  return 1;
}

/* Returns 0 at the end. */
static int fill_buffer(struct client *c) {
  ssize_t n = recv(c->source.fd, c->in + c->in_length, sizeof c->in - c->in_length, MSG_DONTWAIT);
  if (n < 0) return errno == EAGAIN || errno == EINTR;
  c->in_length += (size_t)n;
  return n > 0;
}

static void client_ready(struct source *source, uint32_t events) {
  struct client *c = (struct client *)source;
  int open = 1;
  if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) open = !c->stalled && fill_buffer(c);
  if (!serve_buffer(c)) return;
  if (!open || !flush_out(c)) return client_close(c);
  loop_change(&c->source, wanted_events(c));
}

static int accept_peer(void) {
  struct ucred peer;
  socklen_t size = sizeof peer;
  int fd = accept4(listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) return -1;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) || peer.uid != geteuid()) return close(fd), -1;
  return fd;
}

static void listener_ready(struct source *source, uint32_t events) {
  (void)source, (void)events;
  int fd = accept_peer(), slot = 0;
  if (fd < 0) return;
  while (slot < MAX_CLIENTS && clients[slot]) slot++;
  struct client *c = slot < MAX_CLIENTS ? calloc(1, sizeof *c) : NULL;
  if (!c) {
    close(fd);
    return;
  }
  c->source = (struct source){.fd = fd, .ready = client_ready};
  clients[slot] = c;
  loop_add(&c->source, EPOLLIN);
}

void clients_listen(void) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(config.socket) >= sizeof address.sun_path) fail_with("socket", ENAMETOOLONG, config.socket);
  strcpy(address.sun_path, config.socket);
  listener = (struct source){.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), .ready = listener_ready};
  if (listener.fd < 0 || bind(listener.fd, (struct sockaddr *)&address, sizeof address)) fail("socket", config.socket);
  /* before anybody can connect */
  if (chmod(config.socket, 0600) || listen(listener.fd, 16)) fail("socket", config.socket);
  loop_add(&listener, EPOLLIN);
}
