/*
 * The socket between the container's first process (before its exec) and the shim: SOCK_SEQPACKET and close-on-exec.
 * `E` says "execve comes next", so that an end of file after it means success, and before it death (for instance
 * SIGKILL from a cgroup that was once killed). `P` carries the pty master, `I` the number of a child made in its place. `F` is a failure.
 */
#include "shim.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

union control {
  struct cmsghdr header;
  char space[CMSG_SPACE(sizeof(int))];
};

void status_pty(int status_fd, int master) {
  union control control;
  struct iovec iov = {.iov_base = "P", .iov_len = 1};
  memset(&control, 0, sizeof control);
  struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  struct cmsghdr *c = CMSG_FIRSTHDR(&message);
  c->cmsg_level = SOL_SOCKET;
  c->cmsg_type = SCM_RIGHTS;
  c->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(c), &master, sizeof master);
  if (sendmsg(status_fd, &message, MSG_NOSIGNAL) < 0) fail("pty", "send master");
}

void status_executing(int status_fd) {
  if (send(status_fd, "E", 1, MSG_NOSIGNAL) < 0) fail("status", "send");
}

void status_successor(int status_fd, pid_t pid) {
  char text[1 + sizeof pid] = "I";
  memcpy(text + 1, &pid, sizeof pid);
  if (send(status_fd, text, sizeof text, MSG_NOSIGNAL) < 0) fail("status", "send");
}

static void take(struct launch_result *result, struct msghdr *message, const char *text, size_t length) {
  struct cmsghdr *c = CMSG_FIRSTHDR(message);
  if (text[0] == 'P' && c && c->cmsg_type == SCM_RIGHTS) memcpy(&result->pty, CMSG_DATA(c), sizeof result->pty);
  if (text[0] == 'E') result->executing = 1;
  if (text[0] == 'I' && length == 1 + sizeof result->pid) memcpy(&result->pid, text + 1, sizeof result->pid);
  if (text[0] != 'F') return;
  result->failed = 1;
  memcpy(result->failure, text + 1, length - 1);
  result->failure[length - 1] = 0;
}

void status_wait(int status_fd, struct launch_result *result) {
  *result = (struct launch_result){.pty = -1};
  for (;;) {
    char text[sizeof result->failure];
    union control control;
    struct iovec iov = {.iov_base = text, .iov_len = sizeof text};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t n = recvmsg(status_fd, &message, MSG_CMSG_CLOEXEC);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    take(result, &message, text, (size_t)n);
  }
}
