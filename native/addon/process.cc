#include "process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cstdlib>
#include <cstring>

#include "convert.h"
#include "environment.h"
#include "failure.h"
#include "files.h"
#include "watch.h"

namespace keelson {
namespace {

struct Exit {
  int code = -1;    ///< -1: none
  int signal = -1;  ///< -1: none
};

/**
 * Lives on the loop's thread. Freed when JavaScript has let go of it *and* nothing is watched: a child of ours is watched
 * from birth to reaping, somebody else's process from the first wait to its end.
 */
class Process {
 public:
  Process(Environment& environment, Launched& launched, bool ours)
      : environment_(environment), pid_(launched.pid), pidfd_(std::move(launched.pidfd)), ours_(ours) {
    if (ours_) watch();
  }

  pid_t pid() const { return pid_; }
  bool closed() const { return closed_; }

  Napi::Promise wait() {
    auto deferred = Napi::Promise::Deferred::New(environment_.env);
    const auto promise = deferred.Promise();
    if (exit_) {
      deferred.Resolve(describe(*exit_));
      return promise;
    }
    if (watch_ == nullptr) watch();
    waiting_.push_back(std::move(deferred));
    watch_->keepAlive(true);
    return promise;
  }

  /** False if it has ended. */
  bool signal(int number) {
    if (exit_) return false;
    if (syscall(SYS_pidfd_send_signal, pidfd_.get(), number, nullptr, 0) == 0) return true;
    if (errno == ESRCH) return false;
    fail("pidfd_send_signal(" + std::to_string(number) + ")", "pid " + std::to_string(pid_));
  }

  bool ended() const {
    if (exit_) return true;
    if (!pidfd_) return true;
    struct pollfd descriptor = {pidfd_.get(), POLLIN, 0};
    return poll(&descriptor, 1, 0) == 1;
  }

  /** By `close()`, once. Waits already asked for still settle. */
  void close() {
    closed_ = true;
    if (watch_ == nullptr) pidfd_.reset();
  }

  /** By the collector: the last that JavaScript says. */
  void letGo() {
    close();
    held_ = false;
    freeIfUnused();
  }

 private:
  ~Process() = default;

  void watch() {
    watch_ = Watch::start(
        environment_, pidfd_.get(), UV_READABLE, false, [this] { onReadable(); }, [this] { onUnwatched(); });
  }

  void onReadable() {
    if (exit_) return;
    exit_ = reap();
    watch_->stop();
    const auto waiting = std::exchange(waiting_, {});
    for (const auto& deferred : waiting) deferred.Resolve(describe(*exit_));
  }

  void onUnwatched() {
    watch_ = nullptr;
    if (closed_ || exit_) pidfd_.reset();
    freeIfUnused();
  }

  /** Only what we launched: a child of libuv's, adopted here, is libuv's to reap; others give ECHILD anyway. */
  Exit reap() {
    siginfo_t info = {};
    if (!ours_) return {};
    if (waitid(P_PIDFD, static_cast<id_t>(pidfd_.get()), &info, WEXITED | WNOHANG | __WALL) != 0) return {};
    if (info.si_code == CLD_EXITED) return {info.si_status, -1};
    return {-1, info.si_status};
  }

  Napi::Value describe(const Exit& exit) const {
    auto status = Napi::Object::New(environment_.env);
    if (exit.code >= 0) status.Set("code", exit.code);
    if (exit.signal >= 0) status.Set("signal", exit.signal);
    return status;
  }

  void freeIfUnused() {
    if (!held_ && watch_ == nullptr) delete this;
  }

  Environment& environment_;
  pid_t pid_;
  UniqueFd pidfd_;
  bool ours_;
  bool held_ = true;     ///< by JavaScript
  bool closed_ = false;  ///< by close()
  std::optional<Exit> exit_;
  Watch* watch_ = nullptr;
  std::vector<Napi::Promise::Deferred> waiting_;
};

Process& processOf(const Napi::CallbackInfo& info) { return *info[0].As<Napi::External<Process>>().Data(); }

/** Like processOf, for what a closed handle cannot do. */
Process& openProcessOf(const Napi::CallbackInfo& info) {
  Process& process = processOf(info);
  if (!process.closed()) return process;
  throw Napi::Error::New(info.Env(), "The handle of pid " + std::to_string(process.pid()) + " is closed.");
}

/** Turns a KernelFailure into the exception that index.ts promises. */
template <class Call>
Napi::Value guarded(Napi::Env env, Call call) {
  try {
    return call();
  } catch (const KernelFailure& failure) {
    throw Napi::Error(env, toError(env, failure));
  }
}

}  // namespace

std::optional<int64_t> startTimeOf(pid_t pid) {
  std::string stat;
  const std::string path = "/proc/" + std::to_string(pid) + "/stat";
  if (!tryReadFile(AT_FDCWD, path.c_str(), stat)) return std::nullopt;
  // The name in parentheses may hold anything; fields are counted from its end: the next one is field 3.
  size_t at = stat.rfind(')');
  for (int field = 2; field < 22 && at != std::string::npos; field++) at = stat.find(' ', at + 1);
  if (at == std::string::npos) return std::nullopt;
  return std::strtoll(stat.c_str() + at, nullptr, 10);
}

Napi::Object wrapProcess(Napi::Env env, Launched& launched, bool ours) {
  auto result = Napi::Object::New(env);
  result.Set("pid", launched.pid);
  result.Set("startTime", static_cast<double>(launched.startTime));
  auto* process = new Process(Environment::of(env), launched, ours);
  result.Set("handle", Napi::External<Process>::New(env, process, [](Napi::Env, Process* data) { data->letGo(); }));
  return result;
}

/** (pid, startTime): the pid is taken by pidfd first and its start time compared after, so reuse cannot slip between. */
Napi::Value processOpen(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto pid = info[0].As<Napi::Number>().Int32Value();
  const auto startTime = info[1].As<Napi::Number>().Int64Value();
  return guarded(env, [&]() -> Napi::Value {
    UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
    if (!pidfd && (errno == ESRCH || errno == EINVAL)) return env.Undefined();
    if (!pidfd) fail("pidfd_open", "pid " + std::to_string(pid));
    if (startTimeOf(pid) != startTime) return env.Undefined();
    Launched taken{pid, startTime, std::move(pidfd)};
    return wrapProcess(env, taken, false);
  });
}

Napi::Value processWait(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value { return openProcessOf(info).wait(); });
}

Napi::Value processSignal(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const bool sent = openProcessOf(info).signal(info[1].As<Napi::Number>().Int32Value());
    return Napi::Boolean::New(info.Env(), sent);
  });
}

Napi::Value processEnded(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), openProcessOf(info).ended());
}

void processClose(const Napi::CallbackInfo& info) { processOf(info).close(); }

}  // namespace keelson
