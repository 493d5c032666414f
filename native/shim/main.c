/* Entry: configuration from fd 3, then one of the two modes. */
#include "shim.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>

/* An agent that stops must not stop us; what it sends to its own group is not meant for us. */
static void ignore_signals(void) {
  signal(SIGPIPE, SIG_IGN);
  signal(SIGHUP, SIG_IGN);
  signal(SIGINT, SIG_IGN);
  signal(SIGTERM, SIG_IGN);
}

int main(int argc, char **argv) {
  /* first of all: nothing that we enter may look at us or at our descriptors (CVE-2016-9962) */
  if (prctl(PR_SET_DUMPABLE, 0)) return 1;
  ignore_signals();
  const char *wrong = config_read(CONFIG_FD);
  if (wrong) fail_with("config", EINVAL, wrong);
  close(CONFIG_FD);
  fcntl(CONTROL_FD, F_SETFD, FD_CLOEXEC);
  if (argc == 2 && !strcmp(argv[1], "run")) return run_main();
  if (argc == 2 && !strcmp(argv[1], "exec")) return exec_main();
  fail_with("config", EINVAL, "the mode must be run or exec");
}
