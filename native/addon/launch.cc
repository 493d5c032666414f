#include "launch.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstring>

#include "failure.h"
#include "files.h"
#include "process.h"
#include "program.h"

#ifndef __x86_64__
#error "launch.cc speaks clone3 in x86-64 assembly only"
#endif

namespace keelson {
namespace {

constexpr size_t maxDescriptors = 32;

/** Where the child is; it stops at the step that failed. */
enum class Step : int { NotBorn, Born, User, Hostname, Loopback, File, OomScore, Descriptors, Exec };

struct ChildFile {
  const char* path;
  const char* value;
  size_t size;
};

/** Shared with the child through CLONE_VM: laid out before it is born, read after it has execed or ended. */
struct Message {
  char* const* argv = nullptr;
  int program = -1;
  int null = -1;
  const int* fds = nullptr;
  int count = 0;
  int above = 0;  ///< no descriptor from here on is needed
  const char* hostname = nullptr;
  size_t hostnameSize = 0;
  bool loopback = false;
  uint64_t blockedSignals = 0;
  const ChildFile* files = nullptr;
  int fileCount = 0;
  bool userNamespace = false;
  int mapped = 0;  ///< futex: the parent has written the ID maps
  int alive = 1;   ///< futex: cleared by the kernel when the child has execed or ended (CLONE_CHILD_CLEARTID)
  ChildFile oomScore = {"/proc/self/oom_score_adj", nullptr, 0};
  // Written by the child:
  volatile Step step = Step::NotBorn;
  volatile int file = 0;  ///< index into `files`
  volatile int error = 0;
};

#define IN_CHILD __attribute__((noinline, no_sanitize("address", "undefined")))

/** Handlers are already gone (CLONE_CLEAR_SIGHAND), but what Node ignores, SIGPIPE above all, would survive exec. */
IN_CHILD void resetSignals(uint64_t blocked) {
  struct {
    void* handler;
    unsigned long flags;
    void* restorer;
    uint64_t mask;
  } standard = {};
  for (int signal = 1; signal <= 64; signal++) syscall(SYS_rt_sigaction, signal, &standard, nullptr, sizeof(uint64_t));
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &blocked, nullptr, sizeof blocked);
}

/** Moves the given descriptors to 3, 4, …; everything else, the program included, closes on exec. */
IN_CHILD bool placeDescriptors(Message& message) {
  // Until here the table is the agent's own (CLONE_FILES): a copy of thousands of descriptors only to close them at exec
  // would cost more than the rest. This copies what is below `above`.
  if (syscall(SYS_close_range, message.above, ~0u, CLOSE_RANGE_UNSHARE) < 0) return false;
  int moved[maxDescriptors];
  const int above = 3 + message.count;
  for (int i = 0; i < 3; i++) {
    if (syscall(SYS_dup2, message.null, i) < 0) return false;
  }
  // First out of the way of each other's targets, then into place (dup2 clears close-on-exec).
  message.program = static_cast<int>(syscall(SYS_fcntl, message.program, F_DUPFD_CLOEXEC, above));
  if (message.program < 0) return false;
  for (int i = 0; i < message.count; i++) {
    moved[i] = static_cast<int>(syscall(SYS_fcntl, message.fds[i], F_DUPFD_CLOEXEC, above));
    if (moved[i] < 0) return false;
  }
  for (int i = 0; i < message.count; i++) {
    if (syscall(SYS_dup2, moved[i], 3 + i) < 0) return false;
  }
  return syscall(SYS_close_range, above, ~0u, CLOSE_RANGE_CLOEXEC) == 0;
}

/** `ip link set lo up`, without netlink: the child is in the new network namespace, its parent need not enter it. */
IN_CHILD bool raiseLoopback() {
  struct ifreq request = {};
  request.ifr_name[0] = 'l';
  request.ifr_name[1] = 'o';
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  const long fd = syscall(SYS_socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  const long result = syscall(SYS_ioctl, fd, SIOCSIFFLAGS, &request);
  const int error = errno;
  syscall(SYS_close, fd);  // the table is still the agent's
  errno = error;
  return result == 0;
}

IN_CHILD bool writeOne(const ChildFile& file) {
  const long fd = syscall(SYS_openat, AT_FDCWD, file.path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const long result = syscall(SYS_write, fd, file.value, file.size);
  const int error = errno;
  syscall(SYS_close, fd);
  errno = error;
  return result >= 0;
}

IN_CHILD bool writeFiles(Message& message) {
  for (int i = 0; i < message.fileCount; i++) {
    message.file = i;
    if (!writeOne(message.files[i])) return false;
  }
  return true;
}

/** futex(2) without errno: parent and child share the thread's while both run. */
IN_CHILD long rawFutex(int* word, long operation, long value) {
  long result = SYS_futex;
  register long timeout asm("r10") = 0;
  asm volatile("syscall" : "+a"(result) : "D"(word), "S"(operation), "d"(value), "r"(timeout) : "rcx", "r11", "memory");
  return result;
}

IN_CHILD void waitWhile(int* word, int value) {
  while (__atomic_load_n(word, __ATOMIC_ACQUIRE) == value) rawFutex(word, FUTEX_WAIT, value);
}

/** Root of the new user namespace, and of nothing else, as soon as that has its maps. */
IN_CHILD bool becomeRootInside(Message& message) {
  waitWhile(&message.mapped, 0);
  return syscall(SYS_setgroups, 0, nullptr) == 0 && syscall(SYS_setresgid, 0, 0, 0) == 0 && syscall(SYS_setresuid, 0, 0, 0) == 0;
}

/** In the order of `Step`; the first that fails is the one reported. Own session and root directory cannot fail. */
IN_CHILD bool prepare(Message& message) {
  syscall(SYS_setsid);
  syscall(SYS_chdir, "/");
  syscall(SYS_umask, 022);
  message.step = Step::User;
  if (message.userNamespace && !becomeRootInside(message)) return false;
  message.step = Step::Hostname;
  if (message.hostnameSize > 0 && syscall(SYS_sethostname, message.hostname, message.hostnameSize) < 0) return false;
  message.step = Step::Loopback;
  if (message.loopback && !raiseLoopback()) return false;
  message.step = Step::File;
  if (!writeFiles(message)) return false;
  message.step = Step::OomScore;
  if (!message.userNamespace && message.oomScore.size > 0 && !writeOne(message.oomScore) && errno != EACCES) return false;
  message.step = Step::Descriptors;
  return placeDescriptors(message);
}

/** Runs on its own stack in our memory while the calling thread is suspended: system calls only, no libc state, no locks. */
IN_CHILD [[noreturn]] void child(void* data) {
  Message& message = *static_cast<Message*>(data);
  message.step = Step::Born;
  if (prepare(message)) {
    message.step = Step::Exec;
    resetSignals(message.blockedSignals);
    static char* const environment[] = {nullptr};
    syscall(SYS_execveat, message.program, "", message.argv, environment, AT_EMPTY_PATH);
  }
  message.error = errno;
  for (;;) syscall(SYS_exit_group, 127);
}

/** clone3 whose child begins in `run` on the stack named in `arguments`; glibc offers no wrapper. @return pid or -errno */
IN_CHILD long cloneOnto(struct clone_args& arguments, void (*run)(void*), void* data) {
  long result = SYS_clone3;
  register void (*function)(void*) asm("r12") = run;
  register void* argument asm("r13") = data;
  asm volatile(
      "syscall\n\t"
      "test %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "xor %%ebp, %%ebp\n\t"
      "mov %[argument], %%rdi\n\t"
      "call *%[function]\n\t"
      "hlt\n"
      "1:"
      : "+a"(result)
      : "D"(&arguments), "S"(sizeof arguments), [function] "r"(function), [argument] "r"(argument)
      : "rcx", "r11", "memory", "cc");
  return result;
}

/** No signal may run a handler of ours in the child, which shares our memory. */
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

std::string namesOf(uint64_t namespaces) {
  static constexpr std::pair<uint64_t, const char*> known[] = {
      {CLONE_NEWNET, "CLONE_NEWNET"}, {CLONE_NEWIPC, "CLONE_NEWIPC"}, {CLONE_NEWUTS, "CLONE_NEWUTS"},
      {CLONE_NEWPID, "CLONE_NEWPID"}, {CLONE_NEWNS, "CLONE_NEWNS"},   {CLONE_NEWUSER, "CLONE_NEWUSER"},
  };
  std::string names;
  for (const auto& [flag, name] : known) {
    if (namespaces & flag) names += (names.empty() ? "" : "|") + std::string(name);
  }
  return names;
}

UniqueFd openCgroup(const LaunchPlan& plan) {
  if (plan.cgroup.empty()) return {};
  makeDirectories(plan.cgroup);
  UniqueFd fd(open(plan.cgroup.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd) fail("open(" + plan.cgroup + ")", plan.object);
  return fd;
}

int nullDevice() {
  static const UniqueFd fd(open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!fd) fail("open", "/dev/null", ENOENT);
  return fd.get();
}

/** What a person needs to know about a clone3 that failed. */
[[noreturn]] void failClone(const LaunchPlan& plan, int error) {
  std::string hint;
  if (error == EBUSY && !plan.cgroup.empty()) hint = plan.cgroup + " has controllers for its children; processes go into a leaf";
  if (error == ENOSPC) hint = "a limit in /proc/sys/user/max_*_namespaces is reached";
  fail("clone3(" + namesOf(plan.namespaces) + ")", plan.object, error, hint);
}

[[noreturn]] void failChild(const LaunchPlan& plan, const Message& message) {
  const std::string cgroup = plan.cgroup.empty() ? "its cgroup" : plan.cgroup;
  switch (message.step) {
    case Step::User:
      fail("setresuid", plan.object, message.error, "in its user namespace");
    case Step::Hostname:
      fail("sethostname(" + plan.hostname + ")", plan.object, message.error, "at most 64 bytes");
    case Step::Loopback:
      fail("ioctl(SIOCSIFFLAGS lo)", plan.object, message.error);
    case Step::File:
      fail("write(" + plan.files[message.file].first + ")", plan.object, message.error,
           "value \"" + plan.files[message.file].second + "\"");
    case Step::OomScore:
      fail("write(/proc/self/oom_score_adj)", plan.object, message.error, "value \"" + plan.oomScoreAdj + "\"");
    case Step::Descriptors:
      fail("dup2", plan.object, message.error);
    case Step::Exec:
      if (message.error != 0) fail("execveat(" + plan.program + ")", plan.object, message.error);
      [[fallthrough]];
    default:
      // cgroup.kill poisons a directory, and all below it, for clone3 (Linux 6.12 to 6.18 at least).
      fail("clone3(CLONE_INTO_CGROUP)", plan.object, ESRCH,
           "killed before it ran: " + cgroup + " or one above it was killed earlier; use a new directory");
  }
}

/** A child that never came to exec has no use: collect it. */
void reap(int pidfd) {
  siginfo_t info;
  while (waitid(P_PIDFD, static_cast<id_t>(pidfd), &info, WEXITED | __WALL) < 0 && errno == EINTR) {
  }
}

struct Prepared {
  std::vector<char*> argv;
  std::vector<ChildFile> files;
};

/** Pointers into the plan, laid out for the child before it exists. */
Prepared prepareChild(const LaunchPlan& plan, Message& message) {
  Prepared prepared;
  prepared.argv.push_back(const_cast<char*>(plan.program.c_str()));
  for (const auto& argument : plan.args) prepared.argv.push_back(const_cast<char*>(argument.c_str()));
  prepared.argv.push_back(nullptr);
  for (const auto& [path, value] : plan.files) prepared.files.push_back({path.c_str(), value.data(), value.size()});
  if (plan.fds.size() > maxDescriptors) fail("dup2", plan.object, EMFILE, "at most 32 descriptors");
  message.argv = prepared.argv.data();
  message.program = programFd(plan.program);
  message.null = nullDevice();
  message.fds = plan.fds.data();
  message.count = static_cast<int>(plan.fds.size());
  message.above = std::max(message.program, message.null) + 1;
  for (const int fd : plan.fds) message.above = std::max(message.above, fd + 1);
  message.hostname = plan.hostname.data();
  message.hostnameSize = plan.hostname.size();
  message.loopback = plan.loopback;
  message.userNamespace = plan.idBase >= 0;
  message.blockedSignals = plan.blockedSignals;
  message.oomScore.value = plan.oomScoreAdj.data();
  message.oomScore.size = plan.oomScoreAdj.size();
  message.files = prepared.files.data();
  message.fileCount = static_cast<int>(prepared.files.size());
  return prepared;
}

constexpr int idsPerPod = 65536;

/** Needs privileges over the parent namespace, so it is ours to do. */
void writeIdMaps(const LaunchPlan& plan, pid_t pid) {
  const std::string process = "/proc/" + std::to_string(pid);
  const std::string map = "0 " + std::to_string(plan.idBase) + " " + std::to_string(idsPerPod) + "\n";
  for (const char* file : {"/uid_map", "/gid_map"}) writeFile(process + file, map);
}

/**
 * The child of a user namespace cannot go on without its parent: it waits for its maps, and we for its exec. The user
 * that it becomes has made our shared memory undumpable; and a score written before the exec would have been ours too.
 */
void seeThroughUserNamespace(const LaunchPlan& plan, Message& message, const Launched& child, int dumpable) {
  const pid_t pid = child.pid;
  try {
    writeIdMaps(plan, pid);
  } catch (const KernelFailure&) {
    kill(pid, SIGKILL);
    waitWhile(&message.alive, 1);
    reap(child.pidfd.get());
    throw;
  }
  __atomic_store_n(&message.mapped, 1, __ATOMIC_RELEASE);
  rawFutex(&message.mapped, FUTEX_WAKE, 1);
  waitWhile(&message.alive, 1);
  prctl(PR_SET_DUMPABLE, dumpable);
  if (plan.oomScoreAdj.empty() || message.error != 0) return;
  try {
    writeFile("/proc/" + std::to_string(pid) + "/oom_score_adj", plan.oomScoreAdj);
  } catch (const KernelFailure&) {
    // no CAP_SYS_RESOURCE, or it has just ended: whoever waits for it sees that
  }
}

}  // namespace

Launched launch(const LaunchPlan& plan) {
  Message message;
  const Prepared prepared = prepareChild(plan, message);
  const UniqueFd cgroup = openCgroup(plan);

  alignas(16) std::byte stack[16 * 1024];
  int pidfd = -1;
  struct clone_args arguments = {};
  arguments.flags = plan.namespaces | CLONE_VM | CLONE_FILES | CLONE_VFORK | CLONE_PIDFD | CLONE_CLEAR_SIGHAND;
  arguments.pidfd = reinterpret_cast<uint64_t>(&pidfd);
  arguments.exit_signal = SIGCHLD;
  arguments.stack = reinterpret_cast<uint64_t>(stack);
  arguments.stack_size = sizeof stack;
  if (cgroup) {
    arguments.flags |= CLONE_INTO_CGROUP;
    arguments.cgroup = static_cast<uint64_t>(cgroup.get());
  }
  const bool userNamespace = plan.idBase >= 0;
  if (userNamespace) {
    arguments.flags = (arguments.flags & ~static_cast<uint64_t>(CLONE_VFORK)) | CLONE_NEWUSER | CLONE_CHILD_CLEARTID;
    arguments.child_tid = reinterpret_cast<uint64_t>(&message.alive);
  }
  long pid;
  Launched launched;
  {
    const SignalsBlocked blocked;
    const int dumpable = prctl(PR_GET_DUMPABLE);
    pid = cloneOnto(arguments, child, &message);
    if (pid > 0) launched = {static_cast<pid_t>(pid), 0, UniqueFd(pidfd)};
    if (pid > 0 && userNamespace) seeThroughUserNamespace(plan, message, launched, dumpable);
  }
  if (pid < 0) failClone(plan, static_cast<int>(-pid));

  const bool executed = message.step == Step::Exec && message.error == 0;
  if (!executed) {
    reap(pidfd);
    failChild(plan, message);
  }
  launched.startTime = startTimeOf(launched.pid).value_or(0);
  return launched;
}

}  // namespace keelson
