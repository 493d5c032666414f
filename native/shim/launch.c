/* The last steps of a container's process: signals, stdio, working directory, user, confinement, execve. */
#include "shim.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void reset_signals(void) {
  sigset_t none;
  sigemptyset(&none);
  signal(SIGPIPE, SIG_DFL);
  signal(SIGHUP, SIG_DFL);
  signal(SIGINT, SIG_DFL);
  signal(SIGTERM, SIG_DFL);
  sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Pipes are handed to the user, so that programs can open /dev/stdout anew. A device (/dev/null) keeps its owner. */
static void give_stdio(const int stdio[3], const struct identity *who) {
  for (int i = 0; i < 3; i++) {
    struct stat st;
    if (fstat(stdio[i], &st)) fail("stdio", NULL);
    if (S_ISFIFO(st.st_mode) && fchown(stdio[i], who->uid, (gid_t)-1)) fail("stdio", NULL);
  }
}

/* The status socket goes to 3, everything above is closed (not only close-on-exec: CVE-2024-21626). */
static int place_descriptors(int status_fd, const int stdio[3]) {
  int high[4];
  for (int i = 0; i < 3; i++)
    if ((high[i] = fcntl(stdio[i], F_DUPFD_CLOEXEC, 10)) < 0) fail("stdio", NULL);
  if ((high[3] = fcntl(status_fd, F_DUPFD_CLOEXEC, 10)) < 0) fail("stdio", NULL);
  for (int i = 0; i < 3; i++)
    if (dup2(high[i], i) < 0) fail("stdio", NULL);
  if (dup3(high[3], 3, O_CLOEXEC) < 0) fail("stdio", NULL);
  if (x_close_range(4, ~0U)) fail("close_range", NULL);
  fail_to_parent(3);
  return 3;
}

static void enter_cwd(void) {
  if (chdir(config.cwd)) fail("cwd", config.cwd);
}

/* After the user switch, last: a directory outside the root shows as "(unreachable)" or not absolute. */
static void verify_cwd(void) {
  char now[PATH_MAX];
  if (syscall(SYS_getcwd, now, sizeof now) < 0 || now[0] != '/') fail_with("cwd", ENOENT, config.cwd);
}

static const char *variable(const char *name) {
  size_t length = strlen(name);
  for (int i = 0; i < config.envc; i++)
    if (!strncmp(config.env[i], name, length) && config.env[i][length] == '=') return config.env[i] + length + 1;
  return NULL;
}

/* HOME as the image's passwd has it, unless the environment says otherwise (runc does the same). */
static void default_home(const struct identity *who) {
  static char home[600];
  const char *set = variable("HOME");
  if (set && *set) return;
  snprintf(home, sizeof home, "HOME=%s", who->home);
  config.env[config.envc++] = home;
}

static void try_exec(const char *path) { execve(path, config.argv, config.env); }

/* Like execvp, with the container's PATH. Returns the errno to report. */
static int exec_by_path(void) {
  char candidate[PATH_MAX];
  int denied = 0;
  const char *path = variable("PATH");
  for (const char *p = path ? path : ""; *p;) {
    size_t length = strcspn(p, ":");
    int n = snprintf(candidate, sizeof candidate, "%.*s/%s", (int)length, length ? p : ".", config.argv[0]);
    if (n < (int)sizeof candidate) try_exec(candidate);
    if (errno == EACCES) denied = 1;
    else if (errno != ENOENT && errno != ENOTDIR) return errno;
    p += length + (p[length] == ':');
  }
  return denied ? EACCES : ENOENT;
}

_Noreturn void launch(int status_fd, const int stdio[3], const struct identity *who) {
  reset_signals();
  default_home(who);
  limits_apply();
  give_stdio(stdio, who);
  status_fd = place_descriptors(status_fd, stdio);
  enter_cwd();
  confine(who);
  verify_cwd();
  umask(022);
  status_executing(status_fd);
  if (!strchr(config.argv[0], '/')) fail_with("lookup", exec_by_path(), config.argv[0]);
  try_exec(config.argv[0]);
  fail("exec", config.argv[0]);
}
