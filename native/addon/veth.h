/** The whole link of a pod in one trip. */
#pragma once
#include <napi.h>

namespace keelson {

Napi::Value vethAttach(const Napi::CallbackInfo& info);

}  // namespace keelson
