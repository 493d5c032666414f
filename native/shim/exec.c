/*
 * `exec`: runs one command inside a container that is there, with all of its confinement, and relays its stdio between
 * pipes (or a pty) and the agent's sockets. The helper itself stays outside; the agent closing the control socket ends
 * the command's process group. Control frames from the agent: `W` resize; to it: `s` started, `f` failed, `x` exit.
 */
#include "shim.h"
#include "relay.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

static struct source control, children;
static struct relay in, out, err;
static pid_t command;
static int pty = -1;
static struct ended how;

static int pipe_ends[3][2];

static void open_pipes(void) {
  for (int i = 0; i < 3; i++)
    if (pipe2(pipe_ends[i], O_CLOEXEC)) fail("pipe", NULL);
  for (int i = 0; i < 3; i++) userns_give(pipe_ends[i][i ? 1 : 0]);
}

static _Noreturn void child(int status_fd, int target) {
  struct identity who;
  int stdio[3] = {pipe_ends[0][0], pipe_ends[1][1], pipe_ends[2][1]};
  fail_to_parent(status_fd);
  if (setsid() < 0) fail("setsid", NULL);
  oom_score_set(config.oom_score_adj);
  int wanted = (int)config.namespaces & ~X_CLONE_NEWPID;
  if (setns(target, wanted | (config.id_base ? X_CLONE_NEWUSER : 0))) fail("setns", "container");
  if (config.id_base) userns_become_root();
  user_lookup(&who);
  if (config.flags & FLAG_TTY) {
    int slave, master = pty_open(&slave, &who);
    pty_control(slave);
    status_pty(status_fd, master);
    stdio[0] = stdio[1] = stdio[2] = slave;
  }
  launch(status_fd, stdio, &who);
}

static void kill_command(void) {
  if (command > 0) kill(-command, SIGKILL);
}

static void serve_control(const uint8_t *frame, uint32_t length) {
  if (frame[0] == 'W' && length == 4 && pty >= 0) pty_resize(pty, frame[5] | frame[6] << 8, frame[7] | frame[8] << 8);
}

static void control_ready(struct source *source, uint32_t events) {
  static uint8_t buffer[256];
  static size_t used;
  (void)events;
  ssize_t n = recv(source->fd, buffer + used, sizeof buffer - used, MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n > 0) used += (size_t)n;
  while (n > 0 && used >= FRAME_HEADER) {
    uint32_t length = frame_length(buffer);
    if (length > sizeof buffer - FRAME_HEADER) n = 0;
    if (n == 0 || used < FRAME_HEADER + length) break;
    serve_control(buffer, length);
    used -= FRAME_HEADER + length;
    memmove(buffer, buffer + FRAME_HEADER + length, used);
  }
  if (n > 0) return;
  kill_command();
  _exit(0); /* nobody is left to be told */
}

static void children_ready(struct source *source, uint32_t events) {
  struct signalfd_siginfo ignored;
  siginfo_t info = {.si_pid = 0};
  (void)events;
  while (read(source->fd, &ignored, sizeof ignored) > 0) continue;
  if (waitid(P_PID, (id_t)command, &info, WEXITED | WNOHANG) || info.si_pid == 0) return;
  how.code = info.si_code == CLD_EXITED ? info.si_status : -1;
  how.signal = info.si_code == CLD_EXITED ? 0 : info.si_status;
  loop_stop();
}

static void watch(struct source *source, int fd, void (*ready)(struct source *, uint32_t)) {
  *source = (struct source){.fd = fd, .ready = ready};
  loop_add(source, EPOLLIN);
}

static void block_child_signal(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  sigprocmask(SIG_BLOCK, &set, NULL);
  watch(&children, signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), children_ready);
}

static void relay_pipes(void) {
  close(pipe_ends[0][0]), close(pipe_ends[1][1]), close(pipe_ends[2][1]);
  if (config.flags & FLAG_STDIN) relay_start(&in, EXEC_STDIN_FD, pipe_ends[0][1]);
  else close(pipe_ends[0][1]);
  relay_start(&out, pipe_ends[1][0], EXEC_STDOUT_FD);
  relay_start(&err, pipe_ends[2][0], EXEC_STDERR_FD);
}

static void relay_pty(void) {
  for (int i = 0; i < 3; i++) close(pipe_ends[i][0]), close(pipe_ends[i][1]);
  /* two directions of one terminal: each relay closes its own number */
  if (config.flags & FLAG_STDIN) relay_start(&in, EXEC_STDIN_FD, fcntl(pty, F_DUPFD_CLOEXEC, 3));
  relay_start(&out, fcntl(pty, F_DUPFD_CLOEXEC, 3), EXEC_STDOUT_FD);
}

/*
 * Until the agent has hung up: had it written a size meanwhile, the write would fail, and its socket be gone with the last
 * word still unread.
 */
static void linger(void) {
  struct pollfd wait = {.fd = CONTROL_FD, .events = POLLIN};
  char ignored[256];
  while (poll(&wait, 1, 5000) == 1 && recv(CONTROL_FD, ignored, sizeof ignored, MSG_DONTWAIT) > 0) continue;
}

static void report_failure(const struct launch_result *result) {
  if (result->failed) frame_send(CONTROL_FD, 'f', result->failure, (uint32_t)strlen(result->failure));
  else fail_with("setup", ECHILD, "died before exec");
  linger();
  _exit(1);
}

static void report_exit(void) {
  char text[32];
  int n = snprintf(text, sizeof text, "%d %d", how.code, how.signal);
  frame_send(CONTROL_FD, 'x', text, (uint32_t)n);
}

int exec_main(void) {
  int status[2], pidfd;
  struct launch_result result;
  setsid();
  for (int fd = EXEC_STDIN_FD; fd <= EXEC_STDERR_FD; fd++) fcntl(fd, F_SETFD, FD_CLOEXEC);
  int target = target_open();
  open_pipes();
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, status)) fail("socketpair", NULL);
  if (config.namespaces & X_CLONE_NEWPID && setns(target, X_CLONE_NEWPID)) fail("setns", "container pid");
  command = clone_into(0, &pidfd);
  if (command == 0) child(status[1], target);
  close(status[1]), close(target);
  status_wait(status[0], &result);
  if (result.failed || !result.executing) report_failure(&result);
  pty = result.pty;
  frame_send(CONTROL_FD, 's', "", 0);
  if (pty >= 0) relay_pty();
  else relay_pipes();
  watch(&control, CONTROL_FD, control_ready);
  block_child_signal();
  children_ready(&children, 0);
  loop_run();
  relay_finish(&out);
  relay_finish(&err);
  report_exit();
  linger();
  return 0;
}
