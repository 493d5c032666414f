/** Making and emptying groups. Waiting is left to the event loop: cgroup.events becomes readable when it changes. */
#include "cgroup.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <memory>
#include <sstream>

#include "convert.h"
#include "files.h"
#include "watch.h"
#include "worker.h"

namespace keelson {
namespace {

struct ApplySpec {
  std::string root;
  std::string path;
  std::vector<std::string> controllers;
  std::vector<std::pair<std::string, std::string>> files;
};

ApplySpec specOf(const Napi::Object& object) {
  ApplySpec spec;
  spec.root = stringOf(object, "root");
  spec.path = stringOf(object, "path");
  spec.controllers = stringsOf(object, "controllers");
  spec.files = listOf(object.Get("files"), [](Napi::Value value) {
    const auto pair = value.As<Napi::Array>();
    return std::pair(toString(pair.Get(0u)), toString(pair.Get(1u)));
  });
  return spec;
}

/** Each group from `root` down to the parent of `path`: processes belong into leaves, controllers into what is above. */
std::vector<std::string> ancestorsWithin(const std::string& root, const std::string& path) {
  std::vector<std::string> ancestors;
  if (path.compare(0, root.size(), root) != 0 || path[root.size()] != '/') {
    fail("mkdir", path, EINVAL, "expected a path below " + root);
  }
  for (size_t end = root.size(); end != std::string::npos; end = path.find('/', end + 1)) {
    ancestors.push_back(path.substr(0, end));
  }
  return ancestors;
}

bool listed(const std::string& words, const std::string& wanted) {
  std::istringstream stream(words);
  for (std::string word; stream >> word;) {
    if (word == wanted) return true;
  }
  return false;
}

/** Only what is not enabled yet: the write takes a lock of the whole machine. */
void enableControllers(const std::string& group, const std::vector<std::string>& controllers) {
  if (controllers.empty()) return;
  const std::string file = group + "/cgroup.subtree_control";
  const std::string enabled = readFile(file);
  for (const auto& controller : controllers) {
    if (!listed(enabled, controller)) writeFile(file, "+" + controller);
  }
}

void apply(const ApplySpec& spec) {
  for (const auto& group : ancestorsWithin(spec.root, spec.path)) {
    makeDirectories(group);
    enableControllers(group, spec.controllers);
  }
  makeDirectories(spec.path);
  for (const auto& [file, value] : spec.files) writeFile(spec.path + "/" + file, value);
}

/** Whether `cgroup.events` says `<key> <value>`. A group that was removed under way has nothing left to wait for. */
bool eventIs(int events, const std::string& key, char value) {
  char text[256];
  const ssize_t size = pread(events, text, sizeof text - 1, 0);
  if (size < 0) return true;
  text[size] = '\0';
  const std::string line = key + " " + value;
  return (std::string("\n") + text).find("\n" + line) != std::string::npos;
}

/** What the loop goes on waiting for after the pool has done the write. */
struct Change {
  UniqueFd events;  ///< closed: nothing to wait for
  std::string key;
  char value;
};

Change writeAndWatch(const std::string& path, const char* file, const std::string& content, std::string key, char value) {
  UniqueFd events(open((path + "/cgroup.events").c_str(), O_RDONLY | O_CLOEXEC));
  if (!events && errno == ENOENT) return {};
  if (!events) fail("open(cgroup.events)", path);
  try {
    writeFile(path + "/" + file, content);
  } catch (const KernelFailure& failure) {
    if (failure.error == ENODEV || failure.error == ENOENT) {
      if (access(path.c_str(), F_OK) != 0) return {};
    }
    throw;
  }
  if (eventIs(events.get(), key, value)) return {};
  return {std::move(events), std::move(key), value};
}

/** A promise for the change. The read that says "not yet" precedes the poll, so no change is missed. */
Napi::Value awaitChange(Napi::Env env, Change& change) {
  if (!change.events) return env.Undefined();
  struct Waiting {
    Change change;
    Napi::Promise::Deferred deferred;
    Watch* watch = nullptr;
  };
  auto waiting = std::make_shared<Waiting>(Waiting{std::move(change), Napi::Promise::Deferred::New(env)});
  const auto promise = waiting->deferred.Promise();
  const auto onReady = [waiting, env] {
    if (!eventIs(waiting->change.events.get(), waiting->change.key, waiting->change.value)) return;
    waiting->watch->stop();
    waiting->deferred.Resolve(env.Undefined());
  };
  waiting->watch = Watch::start(Environment::of(env), waiting->change.events.get(), UV_PRIORITIZED, true, onReady, [] {});
  return promise;
}

void removeTree(const std::string& path) {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir(path.c_str()), closedir);
  if (!directory && errno == ENOENT) return;
  if (!directory) fail("opendir", path);
  while (const dirent* entry = readdir(directory.get())) {
    if (entry->d_type == DT_DIR && entry->d_name[0] != '.') removeTree(path + "/" + entry->d_name);
  }
  if (rmdir(path.c_str()) == 0 || errno == ENOENT) return;
  fail("rmdir", path, errno, errno == EBUSY ? "a process lives in it" : "");
}

std::vector<int64_t> pidsOf(const std::string& path) {
  std::istringstream stream(readFile(path + "/cgroup.procs"));
  std::vector<int64_t> pids;
  for (int64_t pid; stream >> pid;) pids.push_back(pid);
  return pids;
}

}  // namespace

Napi::Value cgroupApply(const Napi::CallbackInfo& info) {
  return runOnPool(info.Env(), [spec = specOf(info[0].As<Napi::Object>())] { apply(spec); });
}

Napi::Value cgroupKill(const Napi::CallbackInfo& info) {
  return runOnPool(
      info.Env(), [path = toString(info[0])] { return writeAndWatch(path, "cgroup.kill", "1", "populated", '0'); },
      awaitChange);
}

Napi::Value cgroupFreeze(const Napi::CallbackInfo& info) {
  const char* wanted = info[1].As<Napi::Boolean>().Value() ? "1" : "0";
  return runOnPool(
      info.Env(),
      [path = toString(info[0]), wanted] { return writeAndWatch(path, "cgroup.freeze", wanted, "frozen", *wanted); },
      awaitChange);
}

Napi::Value cgroupRemove(const Napi::CallbackInfo& info) {
  return runOnPool(info.Env(), [path = toString(info[0])] { removeTree(path); });
}

Napi::Value cgroupPids(const Napi::CallbackInfo& info) {
  return runOnPool(
      info.Env(), [path = toString(info[0])] { return pidsOf(path); },
      [](Napi::Env env, std::vector<int64_t>& pids) -> Napi::Value {
        auto array = Napi::Array::New(env, pids.size());
        for (uint32_t i = 0; i < pids.size(); i++) array[i] = Napi::Number::New(env, static_cast<double>(pids[i]));
        return array;
      });
}

}  // namespace keelson
