/* Processes and their cgroup: identity by pid and start time, clone3 into a cgroup, files of the cgroup. */
#include "shim.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint64_t process_start_time(pid_t pid) {
  char path[64], text[1024];
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  ssize_t n = read(fd, text, sizeof text - 1);
  close(fd);
  if (n <= 0) return 0;
  text[n] = 0;
  /* the name in parentheses may hold spaces and parentheses: count fields after the last one */
  char *p = strrchr(text, ')');
  for (int field = 2; p && field < 22; field++) p = strchr(p + 1, ' ');
  return p ? strtoull(p + 1, NULL, 10) : 0;
}

int target_open(void) {
  int fd = x_pidfd_open((pid_t)config.target_pid);
  if (fd < 0) fail("target", "pidfd_open");
  /* read after the pidfd is held: the number cannot change hands any more */
  if (process_start_time((pid_t)config.target_pid) != config.target_start) fail_with("target", ESRCH, "start time");
  return fd;
}

pid_t clone_into(uint64_t flags, int *pidfd) {
  int cgroup = open(config.cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (cgroup < 0) fail("cgroup", config.cgroup);
  struct x_clone_args args = {
      .flags = flags | X_CLONE_PIDFD | X_CLONE_INTO_CGROUP,
      .pidfd = (uint64_t)(uintptr_t)pidfd,
      .exit_signal = SIGCHLD,
      .cgroup = (uint64_t)cgroup,
  };
  long pid = x_clone3(&args);
  if (pid < 0) fail("clone3", config.cgroup);
  close(cgroup);
  return (pid_t)pid;
}

void cgroup_write(const char *file, const char *text) {
  char path[4200];
  snprintf(path, sizeof path, "%s/%s", config.cgroup, file);
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return;
  if (write(fd, text, strlen(text)) < 0) errno = 0;
  close(fd);
}

/* Lowering needs CAP_SYS_RESOURCE: an agent without it (in a machine of machines) can only do without. */
void oom_score_set(int score) {
  static const char path[] = "/proc/self/oom_score_adj";
  char text[16];
  int length = snprintf(text, sizeof text, "%d", score), fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) fail("oom_score_adj", path);
  if (write(fd, text, (size_t)length) < 0 && errno != EACCES) fail("oom_score_adj", path);
  close(fd);
}
