#pragma once
#include <napi.h>

namespace keelson {

/** removeTrees(paths): each path with all below it, in the order given, in one trip. What is missing is success. */
Napi::Value removeTrees(const Napi::CallbackInfo& info);

}  // namespace keelson
