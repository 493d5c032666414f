/** spawnProgram and createSandbox: plain specs from JavaScript to a LaunchPlan. */
#pragma once
#include <napi.h>

namespace keelson {

Napi::Value spawnProgram(const Napi::CallbackInfo& info);
Napi::Value createSandbox(const Napi::CallbackInfo& info);

}  // namespace keelson
