/** A TCP connection to the loopback of another network namespace. */
#pragma once
#include <napi.h>

namespace keelson {

/** ({netns, port, object}) → promise of a connected, non-blocking descriptor that the caller owns. */
Napi::Value netnsConnect(const Napi::CallbackInfo& info);

}  // namespace keelson
