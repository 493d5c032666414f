/*
 * pause: keeps a pod's namespaces alive. It is PID 1 when the pod shares its process namespace, so it reaps whatever
 * is orphaned there; SIGTERM and SIGINT end it. Hostname, sysctls and loopback were set by whoever cloned it.
 * It holds no file of the node: everything above standard error is closed first.
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void reap_all(void) {
  while (waitpid(-1, NULL, WNOHANG) > 0) {
  }
}

int main(void) {
  sigset_t awaited;
  syscall(SYS_close_range, 3u, ~0u, 0u);
  prctl(PR_SET_DUMPABLE, 0);
  prctl(PR_SET_NAME, "pause");

  /* Blocked and fetched, never handled: nothing can arrive between a check and a sleep, and PID 1 gets them too. */
  sigemptyset(&awaited);
  sigaddset(&awaited, SIGTERM);
  sigaddset(&awaited, SIGINT);
  sigaddset(&awaited, SIGCHLD);
  if (sigprocmask(SIG_BLOCK, &awaited, NULL) != 0) return EXIT_FAILURE;

  for (;;) {
    reap_all();
    int signal = sigwaitinfo(&awaited, NULL);
    if (signal == SIGTERM || signal == SIGINT) return EXIT_SUCCESS;
  }
}
