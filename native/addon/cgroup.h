/** cgroup v2 (also the unified tree of a hybrid host): make, write, kill, freeze, remove, read many. */
#pragma once
#include <napi.h>

namespace keelson {

Napi::Value cgroupApply(const Napi::CallbackInfo& info);
Napi::Value cgroupKill(const Napi::CallbackInfo& info);
Napi::Value cgroupFreeze(const Napi::CallbackInfo& info);
Napi::Value cgroupRemove(const Napi::CallbackInfo& info);
Napi::Value cgroupStats(const Napi::CallbackInfo& info);
Napi::Value cgroupPids(const Napi::CallbackInfo& info);

}  // namespace keelson
