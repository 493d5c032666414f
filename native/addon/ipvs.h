/** The kernel's virtual servers (ip_vs), by generic netlink. */
#pragma once
#include <napi.h>

namespace keelson {

Napi::Value ipvs(const Napi::CallbackInfo& info);
Napi::Value ipvsList(const Napi::CallbackInfo& info);
Napi::Value dummyLink(const Napi::CallbackInfo& info);

}  // namespace keelson
