/** Which devices the processes of a group may open or make (cgroup v2 has a BPF program for it, and no file). */
#pragma once
#include <napi.h>

namespace keelson {

Napi::Value cgroupDevices(const Napi::CallbackInfo& info);

}  // namespace keelson
