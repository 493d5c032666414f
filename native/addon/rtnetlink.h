/**
 * Links, addresses, routes and neighbours as messages: each function appends one to a batch or asks one question. Names
 * and addresses are text here; the kernel's indexes stay inside.
 */
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "netlink.h"

namespace keelson {

/** An address with its prefix length (32 or 128 if none was written). */
struct Prefix {
  int family;  ///< AF_INET or AF_INET6
  uint8_t bytes[16];
  uint8_t length;
  bool zero;  ///< 0.0.0.0/0 or ::/0
  size_t size() const;
  std::span<const uint8_t> value() const { return {bytes, size()}; }
};

using Mac = std::array<uint8_t, 6>;

/** Throws a KernelFailure (EINVAL) naming the text and what is allowed. */
Prefix parsePrefix(const std::string& text, const std::string& object);
Mac parseMac(const std::string& text, const std::string& object);
Mac randomMac();
std::string formatMac(std::span<const uint8_t> mac);
std::string formatAddress(int family, std::span<const uint8_t> bytes);

void addVeth(Batch& batch, const std::string& object, const std::string& name, const std::string& peer, int peerNetns,
             std::optional<uint32_t> master, std::optional<uint32_t> mtu, std::optional<Mac> mac,
             std::optional<Mac> peerMac, std::optional<uint32_t> group, bool up);
/** By name, so that it can follow the message that creates the link. */
void setHairpin(Batch& batch, const std::string& object, const std::string& name, bool on);
/** The link gets no IPv6 address of its own making. Before it has a carrier: afterwards it has one. */
void setNoIpv6Address(Batch& batch, const std::string& object, const std::string& name);
void setUp(Batch& batch, const std::string& object, uint32_t index);
void addAddress(Batch& batch, const std::string& object, uint32_t index, const Prefix& address);

struct RouteSpec {
  std::optional<Prefix> to;  ///< absent: default, of the gateway's family
  std::optional<Prefix> via;
  std::optional<Prefix> source;
  std::optional<uint32_t> dev;
  bool onlink = false;
};
void route(Batch& batch, const std::string& object, uint16_t type, uint16_t flags, const RouteSpec& spec);

}  // namespace keelson
