/* The event loop: one epoll instance; each source names the function that serves it. */
#include "shim.h"

#include <errno.h>
#include <sys/epoll.h>

static int epoll_fd = -1, stopping;

static int control(int op, struct source *source, uint32_t events) {
  struct epoll_event event = {.events = events, .data.ptr = source};
  if (epoll_fd < 0) epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  return epoll_ctl(epoll_fd, op, source->fd, &event);
}

void loop_add(struct source *source, uint32_t events) { control(EPOLL_CTL_ADD, source, events); }
void loop_change(struct source *source, uint32_t events) { control(EPOLL_CTL_MOD, source, events); }
void loop_remove(struct source *source) { control(EPOLL_CTL_DEL, source, 0); }
void loop_stop(void) { stopping = 1; }

/* One event at a time: a source may be closed by another's function, and must then not be served from a stale list. */
void loop_run(void) {
  while (!stopping) {
    struct epoll_event event;
    int n = epoll_wait(epoll_fd, &event, 1, -1);
    if (n < 0 && errno != EINTR) return;
    if (n < 1) continue;
    struct source *source = event.data.ptr;
    source->ready(source, event.events);
  }
}

void set_nonblocking(int fd) { fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK); }
