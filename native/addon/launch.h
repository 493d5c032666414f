/**
 * Starts one of our static programs without ever forking Node: clone3(CLONE_VM|CLONE_VFORK) on a stack of its own, then
 * execveat of a sealed memfd. What belongs inside the new namespaces (hostname, sysctls, loopback) is done by that child
 * before it execs, so a pod's namespaces are ready in one trip and no thread of ours ever enters them.
 */
#pragma once
#include <string>
#include <utility>
#include <vector>

#include <sys/types.h>

#include "handle.h"

namespace keelson {

struct LaunchPlan {
  std::string object;             ///< for errors
  std::string program;            ///< `pause` or `shim`
  std::vector<std::string> args;  ///< after argv[0]
  std::string cgroup;             ///< absolute; made with its parents; empty: the caller's own
  uint64_t namespaces = 0;        ///< CLONE_NEW*
  std::vector<int> fds;           ///< become 3, 4, 5, … of the program; 0, 1, 2 are /dev/null
  std::string hostname;
  std::vector<std::pair<std::string, std::string>> files;  ///< absolute path → value, written by the child, in order
  bool loopback = false;
  int64_t idBase = -1;    ///< with CLONE_NEWUSER: IDs 0 to 65535 inside are the node's from here on
  uint64_t blockedSignals = 0;  ///< stay blocked in the program, so none is lost before it asks for them
  std::string oomScoreAdj;  ///< stays as it is where the kernel refuses to lower it (no CAP_SYS_RESOURCE)
};

struct Launched {
  pid_t pid = -1;
  int64_t startTime = 0;  ///< field 22 of /proc/PID/stat
  UniqueFd pidfd;
};

/** Any thread that may block: it is suspended until the program runs. Throws KernelFailure; then no child is left. */
Launched launch(const LaunchPlan& plan);

}  // namespace keelson
