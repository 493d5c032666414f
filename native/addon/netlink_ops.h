/** netlink(netns, ops[]): a list of rtnetlink operations in one namespace, in order, in one trip. */
#pragma once
#include <napi.h>

#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "netlink.h"

namespace keelson {

/** The fields of every operation of NetlinkOp (native/types.ts); which ones count depends on `op`. */
struct NetlinkOp {
  std::string op;
  std::string name, peer, peerNetns, mac, peerMac, local, dev, address, to, via, src, rename;
  std::optional<std::string> master;  ///< empty string: none (JavaScript's null)
  std::optional<uint32_t> mtu, group, id, port;
  std::optional<bool> up, hairpin, learning;
  bool onlink = false;
  bool ignore = false;  ///< ifMissing or ifExists
};

struct Link {
  uint32_t index, mtu, master, group;
  std::string name, kind, mac;
  bool up;
  uint64_t rxBytes, txBytes;
};
struct Address {
  uint32_t index;
  std::string address;
  int family;
};
struct Route {
  std::string to, via, src;
  uint32_t dev;
};
using NetlinkResult = std::variant<std::monostate, std::vector<Link>, std::vector<Address>, std::vector<Route>>;

std::vector<Link> listLinks(NetlinkSocket& socket);
std::vector<Address> listAddresses(NetlinkSocket& socket);
/** Of the main table, unicast. */
std::vector<Route> listRoutes(NetlinkSocket& socket);

/** Does one operation; throws a KernelFailure unless it is told to ignore that. */
NetlinkResult perform(NetlinkSocket& socket, const NetlinkOp& op);

Napi::Value netlink(const Napi::CallbackInfo& info);

}  // namespace keelson
