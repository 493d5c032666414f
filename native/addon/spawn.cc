/** One of our static programs with a sealed configuration on fd 3 and stream sockets from fd 4 on. */
#include "spawn.h"

#include <fcntl.h>
#include <sys/socket.h>

#include "convert.h"
#include "process.h"
#include "program.h"
#include "worker.h"

namespace keelson {
namespace {

struct SpawnSpec {
  LaunchPlan plan;
  std::string config;
  int64_t sockets;
};

struct Spawned {
  Launched launched;
  std::vector<UniqueFd> sockets;
};

SpawnSpec specOf(const Napi::Object& object) {
  SpawnSpec spec;
  spec.plan.object = stringOf(object, "object");
  spec.plan.program = stringOf(object, "program");
  spec.plan.args = stringsOf(object, "args");
  spec.plan.cgroup = stringOr(object, "cgroup");
  const auto config = object.Get("config").As<Napi::Uint8Array>();
  spec.config.assign(reinterpret_cast<const char*>(config.Data()), config.ByteLength());
  spec.sockets = numberOf(object, "sockets");
  return spec;
}

Spawned spawn(SpawnSpec& spec) {
  Spawned spawned;
  std::vector<UniqueFd> theirs;
  theirs.push_back(sealedFd("keelson-config", spec.config, false));
  for (int64_t i = 0; i < spec.sockets; i++) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) fail("socketpair", spec.plan.object);
    spawned.sockets.emplace_back(pair[0]);
    theirs.emplace_back(pair[1]);
    fcntl(pair[0], F_SETFL, O_NONBLOCK);
  }
  for (const auto& fd : theirs) spec.plan.fds.push_back(fd.get());
  spawned.launched = launch(spec.plan);
  return spawned;
}

}  // namespace

Napi::Value spawnProgram(const Napi::CallbackInfo& info) {
  return runOnPool(
      info.Env(), [spec = specOf(info[0].As<Napi::Object>())]() mutable { return spawn(spec); },
      [](Napi::Env env, Spawned& spawned) -> Napi::Value {
        auto result = wrapProcess(env, spawned.launched, true);
        auto sockets = Napi::Array::New(env, spawned.sockets.size());
        for (uint32_t i = 0; i < spawned.sockets.size(); i++) sockets[i] = spawned.sockets[i].release();
        result.Set("sockets", sockets);
        return result;
      });
}

}  // namespace keelson
