/** Each operation of NetlinkOp as one message (some ask for an index first). */
#include "netlink_ops.h"

#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include <arpa/inet.h>

#include "failure.h"
#include "netns.h"
#include "rtnetlink.h"

namespace keelson {
namespace {

using Perform = void (*)(NetlinkSocket&, const NetlinkOp&);

uint32_t indexOf(NetlinkSocket& socket, const std::string& name) { return socket.linkIndex(name, name); }

std::optional<Mac> macIf(const std::string& text, const std::string& object) {
  return text.empty() ? std::nullopt : std::optional(parseMac(text, object));
}

std::optional<Prefix> prefixIf(const std::string& text, const std::string& object) {
  return text.empty() ? std::nullopt : std::optional(parsePrefix(text, object));
}

void addBridge(NetlinkSocket& socket, const NetlinkOp& op) {
  Batch batch;
  batch.begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, ifinfomsg{}, "RTM_NEWLINK(bridge)", op.name);
  batch.put(IFLA_IFNAME, op.name);
  if (op.mtu) batch.put32(IFLA_MTU, *op.mtu);
  if (const auto mac = macIf(op.mac, op.name)) batch.put(IFLA_ADDRESS, *mac);
  batch.nest(IFLA_LINKINFO, [&] { batch.put(IFLA_INFO_KIND, "bridge"); });
  socket.exchange(batch);
}

void addVethPair(NetlinkSocket& socket, const NetlinkOp& op) {
  Batch batch;
  const UniqueFd netns = openNetns(op.peerNetns, op.name);
  std::optional<uint32_t> master;
  if (op.master && !op.master->empty()) master = indexOf(socket, *op.master);
  addVeth(batch, op.name, op.name, op.peer, netns.get(), master, op.mtu, macIf(op.mac, op.name),
          macIf(op.peerMac, op.name), op.group, true);
  if (op.hairpin) setHairpin(batch, op.name, op.name, *op.hairpin);
  socket.exchange(batch);
}

void addVxlan(NetlinkSocket& socket, const NetlinkOp& op) {
  Batch batch;
  const auto local = prefixIf(op.local, op.name);
  const uint32_t under = op.dev.empty() ? 0 : indexOf(socket, op.dev);
  batch.begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, ifinfomsg{}, "RTM_NEWLINK(vxlan)", op.name);
  batch.put(IFLA_IFNAME, op.name);
  if (op.mtu) batch.put32(IFLA_MTU, *op.mtu);
  if (const auto mac = macIf(op.mac, op.name)) batch.put(IFLA_ADDRESS, *mac);
  batch.nest(IFLA_LINKINFO, [&] {
    batch.put(IFLA_INFO_KIND, "vxlan");
    batch.nest(IFLA_INFO_DATA, [&] {
      batch.put32(IFLA_VXLAN_ID, op.id.value_or(0));
      batch.put16(IFLA_VXLAN_PORT, htons(static_cast<uint16_t>(op.port.value_or(0))));
      batch.put8(IFLA_VXLAN_LEARNING, op.learning.value_or(false) ? 1 : 0);
      if (under != 0) batch.put32(IFLA_VXLAN_LINK, under);
      if (local) batch.put(local->family == AF_INET ? IFLA_VXLAN_LOCAL : IFLA_VXLAN_LOCAL6, local->value());
    });
  });
  socket.exchange(batch);
}

void setLink(NetlinkSocket& socket, const NetlinkOp& op) {
  Batch batch;
  ifinfomsg header = {};
  header.ifi_index = static_cast<int>(indexOf(socket, op.name));
  if (op.up) {
    header.ifi_flags = *op.up ? IFF_UP : 0;
    header.ifi_change = IFF_UP;
  }
  const uint32_t master = op.master.value_or("").empty() ? 0 : indexOf(socket, *op.master);
  batch.begin(RTM_NEWLINK, 0, header, "RTM_NEWLINK", op.name);
  if (!op.rename.empty()) batch.put(IFLA_IFNAME, op.rename);
  if (op.mtu) batch.put32(IFLA_MTU, *op.mtu);
  if (const auto mac = macIf(op.mac, op.name)) batch.put(IFLA_ADDRESS, *mac);
  if (op.master) batch.put32(IFLA_MASTER, master);
  if (op.group) batch.put32(IFLA_GROUP, *op.group);
  socket.exchange(batch);
  if (!op.hairpin) return;
  Batch port;  // after the master is set
  setHairpin(port, op.name, op.rename.empty() ? op.name : op.rename, *op.hairpin);
  socket.exchange(port);
}

void deleteLink(NetlinkSocket& socket, const NetlinkOp& op) {
  Batch batch;
  batch.begin(RTM_DELLINK, 0, ifinfomsg{}, "RTM_DELLINK", op.name);
  batch.put(IFLA_IFNAME, op.name);
  socket.exchange(batch);
}

/** One message, one wait for RCU, however many links. Group 0 is everybody's default. */
void deleteGroup(NetlinkSocket& socket, const NetlinkOp& op) {
  const std::string object = "group " + std::to_string(op.group.value_or(0));
  if (op.group.value_or(0) == 0) fail("RTM_DELLINK", object, EINVAL, "group 0 holds every link that was given none");
  Batch batch;
  batch.begin(RTM_DELLINK, 0, ifinfomsg{}, "RTM_DELLINK", object);
  batch.put32(IFLA_GROUP, *op.group);
  try {
    socket.exchange(batch);
  } catch (const KernelFailure& failure) {
    if (failure.error != ENODEV) throw;  // an empty group
  }
}

void addAddressTo(NetlinkSocket& socket, const NetlinkOp& op) {
  Batch batch;
  addAddress(batch, op.address + " on " + op.dev, indexOf(socket, op.dev), parsePrefix(op.address, op.dev));
  socket.exchange(batch);
}

void deleteAddress(NetlinkSocket& socket, const NetlinkOp& op) {
  Batch batch;
  const Prefix address = parsePrefix(op.address, op.dev);
  ifaddrmsg header = {};
  header.ifa_family = static_cast<uint8_t>(address.family);
  header.ifa_prefixlen = address.length;
  header.ifa_index = indexOf(socket, op.dev);
  batch.begin(RTM_DELADDR, 0, header, "RTM_DELADDR", op.address + " on " + op.dev);
  batch.put(IFA_LOCAL, address.value());
  socket.exchange(batch);
}

void changeRoute(NetlinkSocket& socket, const NetlinkOp& op, uint16_t type, uint16_t flags) {
  Batch batch;
  const std::string object = op.to + (op.via.empty() ? "" : " via " + op.via) + (op.dev.empty() ? "" : " dev " + op.dev);
  RouteSpec spec;
  spec.to = parsePrefix(op.to, object);
  spec.via = prefixIf(op.via, object);
  spec.source = prefixIf(op.src, object);
  if (!op.dev.empty()) spec.dev = indexOf(socket, op.dev);
  spec.onlink = op.onlink;
  route(batch, object, type, flags, spec);
  socket.exchange(batch);
}

void addRoute(NetlinkSocket& socket, const NetlinkOp& op) {
  changeRoute(socket, op, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL);
}
void replaceRoute(NetlinkSocket& socket, const NetlinkOp& op) {
  changeRoute(socket, op, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE);
}
void deleteRoute(NetlinkSocket& socket, const NetlinkOp& op) { changeRoute(socket, op, RTM_DELROUTE, 0); }

void changeNeighbour(NetlinkSocket& socket, const NetlinkOp& op, bool add) {
  Batch batch;
  const Prefix address = parsePrefix(op.address, op.dev);
  ndmsg header = {};
  header.ndm_family = static_cast<uint8_t>(address.family);
  header.ndm_ifindex = static_cast<int>(indexOf(socket, op.dev));
  header.ndm_state = NUD_PERMANENT;
  const uint16_t flags = add ? NLM_F_CREATE | NLM_F_REPLACE : 0;
  batch.begin(add ? RTM_NEWNEIGH : RTM_DELNEIGH, flags, header, add ? "RTM_NEWNEIGH" : "RTM_DELNEIGH",
              op.address + " dev " + op.dev);
  batch.put(NDA_DST, address.value());
  if (add) batch.put(NDA_LLADDR, parseMac(op.mac, op.dev));
  socket.exchange(batch);
}

void replaceNeighbour(NetlinkSocket& socket, const NetlinkOp& op) { changeNeighbour(socket, op, true); }
void deleteNeighbour(NetlinkSocket& socket, const NetlinkOp& op) { changeNeighbour(socket, op, false); }

/** Where a VXLAN sends frames for a MAC: an entry of the device itself (NTF_SELF). */
void changeForwarding(NetlinkSocket& socket, const NetlinkOp& op, bool add) {
  Batch batch;
  ndmsg header = {};
  header.ndm_family = AF_BRIDGE;
  header.ndm_ifindex = static_cast<int>(indexOf(socket, op.dev));
  header.ndm_state = NUD_PERMANENT | NUD_NOARP;
  header.ndm_flags = NTF_SELF;
  const uint16_t flags = add ? NLM_F_CREATE | NLM_F_REPLACE : 0;
  batch.begin(add ? RTM_NEWNEIGH : RTM_DELNEIGH, flags, header, add ? "RTM_NEWNEIGH(fdb)" : "RTM_DELNEIGH(fdb)",
              op.mac + " to " + op.to + " dev " + op.dev);
  batch.put(NDA_LLADDR, parseMac(op.mac, op.dev));
  batch.put(NDA_DST, parsePrefix(op.to, op.dev).value());
  socket.exchange(batch);
}

void replaceForwarding(NetlinkSocket& socket, const NetlinkOp& op) { changeForwarding(socket, op, true); }
void deleteForwarding(NetlinkSocket& socket, const NetlinkOp& op) { changeForwarding(socket, op, false); }

const std::map<std::string, Perform>& changes() {
  static const std::map<std::string, Perform> table = {
      {"bridge.add", addBridge},
      {"veth.add", addVethPair},
      {"vxlan.add", addVxlan},
      {"link.set", setLink},
      {"link.delete", deleteLink},
      {"link.deleteGroup", deleteGroup},
      {"address.add", addAddressTo},
      {"address.delete", deleteAddress},
      {"route.add", addRoute},
      {"route.replace", replaceRoute},
      {"route.delete", deleteRoute},
      {"neighbour.replace", replaceNeighbour},
      {"neighbour.delete", deleteNeighbour},
      {"fdb.replace", replaceForwarding},
      {"fdb.delete", deleteForwarding},
  };
  return table;
}

/** "Not there" for things to delete, "there already" for things to add. */
bool ignorable(int error, bool adds) {
  if (adds) return error == EEXIST;
  return error == ENODEV || error == ENOENT || error == ESRCH || error == EADDRNOTAVAIL;
}

}  // namespace

NetlinkResult perform(NetlinkSocket& socket, const NetlinkOp& op) {
  if (op.op == "link.list") return listLinks(socket);
  if (op.op == "address.list") return listAddresses(socket);
  if (op.op == "route.list") return listRoutes(socket);
  const auto found = changes().find(op.op);
  if (found == changes().end()) fail("netlink", "operation \"" + op.op + "\"", EINVAL, "see NetlinkOp in native/types.ts");
  try {
    found->second(socket, op);
  } catch (const KernelFailure& failure) {
    if (!op.ignore || !ignorable(failure.error, op.op.ends_with(".add"))) throw;
  }
  return {};
}

}  // namespace keelson
