/** What a tree of files takes on disk, counted on a pool thread. */
#pragma once
#include <napi.h>

namespace keelson {

Napi::Value diskUsage(const Napi::CallbackInfo& info);

}  // namespace keelson
