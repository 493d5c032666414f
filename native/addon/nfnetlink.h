/** What nftables and conntrack share: the family header of nfnetlink, and what JavaScript can call of both. */
#pragma once
#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>

#include <cstdint>
#include <string>

#include <napi.h>

#include "netlink.h"

namespace keelson {

constexpr uint16_t nfType(uint8_t subsystem, uint8_t message) {
  return static_cast<uint16_t>(subsystem << 8 | message);
}

inline nfgenmsg nfHeader(uint8_t family, uint16_t resource = 0) { return {family, NFNETLINK_V0, htons(resource)}; }

/** A netfilter socket of the node's namespace, kept by each pool thread. */
NetlinkSocket& netfilterSocket();

Napi::Value nftElements(const Napi::CallbackInfo& info);
Napi::Value nftGeneration(const Napi::CallbackInfo& info);
Napi::Value nftCount(const Napi::CallbackInfo& info);
Napi::Value conntrackDelete(const Napi::CallbackInfo& info);

}  // namespace keelson
