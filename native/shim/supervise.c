/*
 * Staying with a container: its output goes to the log and to attached clients; its end is recorded. The order at the
 * end is fixed: kill what is left of the cgroup, read the last output, count OOM kills while the cgroup still exists,
 * write the record, tell the clients, go.
 */
#include "shim.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

struct output {
  struct source source; /* must be first: the loop hands it back */
  int stream;
};

static struct output outputs[2];
static struct source children;
static pid_t container;
static struct ended how;

/* Returns 0 at the end of the stream. A pty without its container says EIO. */
static int copy_once(struct output *output) {
  static uint8_t data[65536];
  ssize_t n = read(output->source.fd, data, sizeof data);
  if (n < 0 && (errno == EINTR || errno == EAGAIN)) return 1;
  if (n <= 0) return 0;
  log_write(output->stream, data, (size_t)n);
  clients_output(output->stream, data, (size_t)n);
  return 1;
}

static void close_output(struct output *output) {
  if (output->source.fd < 0) return;
  loop_remove(&output->source);
  /* a pty master stays open for stdin and resizing until the container has ended */
  if (!(config.flags & FLAG_TTY)) close(output->source.fd);
  output->source.fd = -1;
}

static void output_ready(struct source *source, uint32_t events) {
  (void)events;
  if (!copy_once((struct output *)source)) close_output((struct output *)source);
}

static void watch_output(struct output *output, int fd, int stream) {
  *output = (struct output){.source = {.fd = fd, .ready = output_ready}, .stream = stream};
  if (fd < 0) return;
  set_nonblocking(fd);
  loop_add(&output->source, EPOLLIN);
}

/* What is in the pipe when the container has ended; bounded, for somebody else may hold the other end and write on. */
static void drain(struct output *output) {
  for (int i = 0; i < 64 && output->source.fd >= 0; i++) {
    errno = 0;
    if (!copy_once(output)) close_output(output);
    else if (errno == EAGAIN) return;
  }
}

static void children_ready(struct source *source, uint32_t events) {
  struct signalfd_siginfo ignored;
  siginfo_t info;
  (void)events;
  while (read(source->fd, &ignored, sizeof ignored) > 0) continue;
  for (;;) {
    memset(&info, 0, sizeof info);
    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG) || info.si_pid == 0) return;
    if (info.si_pid != container) continue; /* an orphan of the container that came to us, the subreaper */
    how.code = info.si_code == CLD_EXITED ? info.si_status : -1;
    how.signal = info.si_code == CLD_EXITED ? 0 : info.si_status;
    loop_stop();
  }
}

static void watch_children(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  sigprocmask(SIG_BLOCK, &set, NULL);
  children = (struct source){.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), .ready = children_ready};
  if (children.fd < 0) fail("signalfd", NULL);
  loop_add(&children, EPOLLIN);
  children_ready(&children, 0); /* it may have ended before the signal was blocked */
}

static void finish(void) {
  if (config.flags & (FLAG_SHARE_PID | FLAG_HOST_PID)) cgroup_write("cgroup.kill", "1");
  drain(&outputs[0]);
  drain(&outputs[1]);
  log_end();
  record_exit(&how, oom_kills() > 0);
  clients_exit(how.code, how.signal);
  unlink(config.socket);
}

void supervise(pid_t pid, int out, int err, int pty) {
  container = pid;
  watch_output(&outputs[0], pty >= 0 ? pty : out, 0);
  watch_output(&outputs[1], err, 1);
  if (pty >= 0) stdin_use(pty, 1);
  watch_children();
  loop_run();
  finish();
}
