/** The namespaces of a pod, held by pause: cgroup, clone3, hostname, sysctls and loopback in one trip. */
#include <linux/sched.h>
#include <signal.h>

#include <algorithm>

#include "convert.h"
#include "process.h"
#include "spawn.h"
#include "worker.h"

namespace keelson {
namespace {

uint64_t namespacesOf(const Napi::Object& wanted) {
  uint64_t flags = 0;
  if (flagOf(wanted, "net")) flags |= CLONE_NEWNET;
  if (flagOf(wanted, "ipc")) flags |= CLONE_NEWIPC;
  if (flagOf(wanted, "uts")) flags |= CLONE_NEWUTS;
  if (flagOf(wanted, "pid")) flags |= CLONE_NEWPID;
  return flags;
}

/** A PID 1 loses what arrives unblocked before it has a handler: pause fetches these (native/pause/pause.c). */
constexpr uint64_t bit(int signal) { return uint64_t{1} << (signal - 1); }
constexpr uint64_t fetchedByPause = bit(SIGTERM) | bit(SIGINT) | bit(SIGCHLD);

/** `net.ipv4.ip_forward` → `/proc/sys/net/ipv4/ip_forward`. index.ts has refused names that leave the folder. */
std::string pathOfSysctl(std::string name) {
  if (name.find('/') == std::string::npos) std::replace(name.begin(), name.end(), '.', '/');
  return "/proc/sys/" + name;
}

LaunchPlan planOf(const Napi::Object& spec) {
  LaunchPlan plan;
  plan.object = stringOf(spec, "object");
  plan.program = "pause";
  plan.blockedSignals = fetchedByPause;
  plan.cgroup = stringOf(spec, "cgroup");
  plan.namespaces = namespacesOf(spec.Get("namespaces").As<Napi::Object>());
  if (plan.namespaces & CLONE_NEWUTS) plan.hostname = stringOr(spec, "hostname");
  plan.loopback = plan.namespaces & CLONE_NEWNET;
  if (const auto base = numberIf(spec, "idBase")) {
    plan.namespaces |= CLONE_NEWUSER;
    plan.idBase = *base;
  }
  if (const auto score = numberIf(spec, "oomScoreAdj")) plan.oomScoreAdj = std::to_string(*score);
  if (!has(spec, "sysctls")) return plan;
  for (const auto& sysctl : listOf(spec.Get("sysctls"), [](Napi::Value value) { return value.As<Napi::Object>(); })) {
    plan.files.emplace_back(pathOfSysctl(stringOf(sysctl, "name")), stringOf(sysctl, "value"));
  }
  return plan;
}

}  // namespace

Napi::Value createSandbox(const Napi::CallbackInfo& info) {
  return runOnPool(
      info.Env(), [plan = planOf(info[0].As<Napi::Object>())] { return launch(plan); },
      [](Napi::Env env, Launched& launched) -> Napi::Value { return wrapProcess(env, launched, true); });
}

}  // namespace keelson
