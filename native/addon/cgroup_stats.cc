/** Reading many groups in one trip. A missing controller gives -1, a missing group null. */
#include <fcntl.h>

#include <algorithm>
#include <cstdlib>

#include "cgroup.h"
#include "convert.h"
#include "files.h"
#include "worker.h"

namespace keelson {
namespace {

constexpr int64_t unknown = -1;

struct Stats {
  bool gone = true;
  int64_t usageUsec = unknown, throttledUsec = unknown;
  int64_t current = unknown, workingSet = unknown, peak = unknown;
  int64_t oomKills = unknown, pids = unknown;
  bool populated = false;
};

/** The number after `key ` at a line's beginning. */
int64_t field(const std::string& text, const char* key) {
  const std::string start = std::string(key) + " ";
  size_t at = text.compare(0, start.size(), start) == 0 ? 0 : text.find("\n" + start);
  if (at == std::string::npos) return unknown;
  if (text[at] == '\n') at++;
  return std::strtoll(text.c_str() + at + start.size(), nullptr, 10);
}

/** Reads files of one group through its directory, reusing one buffer. */
class Reader {
 public:
  explicit Reader(int directory) : directory_(directory) {}
  const std::string& text(const char* file) {
    tryReadFile(directory_, file, text_);
    return text_;
  }
  int64_t number(const char* file) { return text(file).empty() ? unknown : std::strtoll(text_.c_str(), nullptr, 10); }

 private:
  int directory_;
  std::string text_;
};

void readMemory(Reader& group, Stats& stats) {
  stats.current = group.number("memory.current");
  if (stats.current == unknown) return;
  const int64_t inactive = field(group.text("memory.stat"), "inactive_file");
  if (inactive != unknown) stats.workingSet = std::max<int64_t>(0, stats.current - inactive);
  stats.peak = group.number("memory.peak");
  stats.oomKills = field(group.text("memory.events"), "oom_kill");
}

Stats readStats(const std::string& path) {
  Stats stats;
  const UniqueFd directory(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return stats;
  stats.gone = false;
  Reader group(directory.get());
  const std::string& cpu = group.text("cpu.stat");
  stats.usageUsec = field(cpu, "usage_usec");
  stats.throttledUsec = field(cpu, "throttled_usec");
  readMemory(group, stats);
  stats.pids = group.number("pids.current");
  stats.populated = field(group.text("cgroup.events"), "populated") == 1;
  return stats;
}

Napi::Value toValue(Napi::Env env, const Stats& stats) {
  if (stats.gone) return env.Null();
  auto object = Napi::Object::New(env);
  const auto set = [&](const char* key, int64_t value) { object.Set(key, static_cast<double>(value)); };
  set("cpuUsageUsec", stats.usageUsec);
  set("cpuThrottledUsec", stats.throttledUsec);
  set("memoryCurrentBytes", stats.current);
  set("memoryWorkingSetBytes", stats.workingSet);
  set("memoryPeakBytes", stats.peak);
  set("oomKills", stats.oomKills);
  set("pids", stats.pids);
  object.Set("populated", stats.populated);
  return object;
}

}  // namespace

Napi::Value cgroupStats(const Napi::CallbackInfo& info) {
  return runOnPool(
      info.Env(),
      [paths = listOf(info[0], toString)] {
        std::vector<Stats> all;
        all.reserve(paths.size());
        for (const auto& path : paths) all.push_back(readStats(path));
        return all;
      },
      [](Napi::Env env, std::vector<Stats>& all) -> Napi::Value {
        auto array = Napi::Array::New(env, all.size());
        for (uint32_t i = 0; i < all.size(); i++) array[i] = toValue(env, all[i]);
        return array;
      });
}

}  // namespace keelson
