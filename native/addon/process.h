/**
 * A process held by pidfd, seen from JavaScript as an opaque handle. Children of ours are always watched and reaped, also
 * after their handle was closed or collected: no zombie is left. Others are watched only while somebody waits.
 */
#pragma once
#include <optional>

#include <napi.h>

#include "launch.h"

namespace keelson {

/** Field 22 of /proc/PID/stat, clock ticks since boot. Nothing if there is no such process. */
std::optional<int64_t> startTimeOf(pid_t pid);

/** Loop thread. `{ handle, pid, startTime }`; takes the pidfd. */
Napi::Object wrapProcess(Napi::Env env, Launched& launched, bool ours);

Napi::Value processOpen(const Napi::CallbackInfo& info);
Napi::Value processWait(const Napi::CallbackInfo& info);
Napi::Value processSignal(const Napi::CallbackInfo& info);
Napi::Value processEnded(const Napi::CallbackInfo& info);
void processClose(const Napi::CallbackInfo& info);

}  // namespace keelson
