/* Failures. One shape everywhere: `<errno> <step> <path>`; agent/containers/failure.ts makes the sentence of it. */
#include "shim.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static int status_socket = -1;

void fail_to_parent(int status_fd) { status_socket = status_fd; }

_Noreturn void fail_with(const char *step, int error, const char *path) {
  char text[1400];
  int n = snprintf(text, sizeof text, "F%d %s %s", error, step, path ? path : "");
  if (n >= (int)sizeof text) n = sizeof text - 1;
  if (status_socket >= 0) {
    send(status_socket, text, (size_t)n, MSG_NOSIGNAL);
    _exit(127);
  }
  frame_send(CONTROL_FD, 'f', text + 1, (uint32_t)n - 1);
  _exit(1);
}

_Noreturn void fail(const char *step, const char *path) { fail_with(step, errno, path); }
