/* One direction of stdio. Reads only when its buffer is empty, so a slow reader slows the writer and nothing grows. */
#include "relay.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>

/* Out of the loop while not wanted: a hang-up is reported whatever the mask says, and would spin. */
static void watch_end(struct relay_end *end, int wanted, uint32_t events) {
  if (end->source.fd < 0 || end->watched == wanted) return;
  if (wanted) loop_add(&end->source, events);
  else loop_remove(&end->source);
  end->watched = wanted;
}

static void close_end(struct relay_end *end) {
  if (end->source.fd < 0) return;
  watch_end(end, 0, 0);
  close(end->source.fd);
  end->source.fd = -1;
}

static void stop(struct relay *relay) {
  close_end(&relay->from);
  close_end(&relay->to);
}

/* Returns 1 on progress, 0 if it has to wait, -1 at the end or if it is broken. */
static int pull(struct relay *relay) {
  ssize_t n = read(relay->from.source.fd, relay->buffer, sizeof relay->buffer);
  if (n < 0) return errno == EAGAIN || errno == EINTR ? 0 : -1;
  relay->start = 0;
  relay->length = (size_t)n;
  return n > 0 ? 1 : -1;
}

static int push(struct relay *relay) {
  while (relay->length) {
    ssize_t n = write(relay->to.source.fd, relay->buffer + relay->start, relay->length);
    if (n < 0) return errno == EAGAIN || errno == EINTR ? 0 : -1;
    relay->start += (size_t)n;
    relay->length -= (size_t)n;
  }
  return 1;
}

static void ready(struct source *source, uint32_t events) {
  struct relay *relay = ((struct relay_end *)source)->relay;
  (void)events;
  int moved = relay->length ? 1 : pull(relay);
  if (moved > 0) moved = push(relay);
  if (moved < 0) return stop(relay);
  watch_end(&relay->from, !relay->length, EPOLLIN);
  watch_end(&relay->to, relay->length > 0, EPOLLOUT);
}

void relay_start(struct relay *relay, int from, int to) {
  relay->from = (struct relay_end){.source = {.fd = from, .ready = ready}, .relay = relay};
  relay->to = (struct relay_end){.source = {.fd = to, .ready = ready}, .relay = relay};
  set_nonblocking(from);
  set_nonblocking(to);
  watch_end(&relay->from, 1, EPOLLIN);
}

void relay_finish(struct relay *relay) {
  while (relay->from.source.fd > 0 && relay->to.source.fd > 0) {
    struct pollfd wait = {.fd = relay->to.source.fd, .events = POLLOUT};
    int moved = relay->length ? 1 : pull(relay);
    if (moved == 0) break; /* empty, though somebody holds it open: a process left in the background */
    if (moved > 0) moved = push(relay);
    if (moved < 0 || (moved == 0 && poll(&wait, 1, 10000) != 1)) break;
  }
  if (relay->from.relay) stop(relay);
}
