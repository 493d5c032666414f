/**
 * vethAttach: one message exchange on the node's side makes the pair, puts it on the bridge and raises the host end; then
 * one inside raises lo and the pod's end and gives it addresses and routes. The thread is in the pod's namespace only to
 * open a socket there. A pod without IPv6 gets no address by IFLA_INET6_ADDR_GEN_MODE, not by disable_ipv6: every path
 * below /proc/sys/net of another namespace stays in the machine's directory cache under the same names, so that the
 * thousandth pod would wait milliseconds for one open(2), and so would everybody else. A pod with IPv6 gets its link-local
 * address from us, too: the kernel's own would be looked for on the link for a second before it may be used. The host end
 * never has one: it is a port of a bridge.
 */
#include "veth.h"

#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include "convert.h"
#include "netns.h"
#include "rtnetlink.h"
#include "worker.h"

namespace keelson {
namespace {

constexpr uint32_t loopbackIndex = 1;  // LOOPBACK_IFINDEX, in every namespace

struct VethSpec {
  std::string object;
  std::string netns;
  std::string hostName;
  std::string name;
  std::string bridge;
  std::optional<uint32_t> mtu;
  bool hairpin;
  std::optional<uint32_t> group;
  std::vector<std::string> addresses;
  std::vector<std::string> gateways;
  bool ipv6;
};

struct VethInfo {
  uint32_t hostIndex;
  Mac hostMac;
  Mac mac;
};

VethSpec specOf(const Napi::Object& object) {
  VethSpec spec;
  spec.object = stringOf(object, "object");
  spec.netns = stringOf(object, "netns");
  spec.hostName = stringOf(object, "hostName");
  spec.name = stringOf(object, "name");
  spec.bridge = stringOr(object, "bridge");
  spec.mtu = numberIf(object, "mtu");
  spec.hairpin = flagOf(object, "hairpin");
  spec.group = numberIf(object, "group");
  spec.addresses = stringsOf(object, "addresses");
  spec.gateways = stringsOf(object, "gateways");
  spec.ipv6 = flagOf(object, "ipv6");
  return spec;
}

/** A kernel without IPv6 knows no such attribute, and has no need of it. */
bool kernelHasIpv6() {
  static const bool has = access("/proc/sys/net/ipv6", F_OK) == 0;
  return has;
}

/** The pair; the host end up and on the bridge. It has no carrier before the pod's end is up, so nothing happens yet. */
void createPair(NetlinkSocket& node, const VethSpec& spec, int netns, Mac hostMac, Mac mac) {
  Batch batch;
  std::optional<uint32_t> master;
  if (!spec.bridge.empty()) master = node.linkIndex(spec.bridge, spec.object);
  addVeth(batch, spec.object, spec.hostName, spec.name, netns, master, spec.mtu, hostMac, mac, spec.group, true);
  try {
    node.exchange(batch);
  } catch (KernelFailure& failure) {
    if (failure.error == EXFULL) failure.hint = "bridge " + spec.bridge + " has its 1,023 ports";
    throw;
  }
}

void configureHostEnd(NetlinkSocket& node, const VethSpec& spec) {
  Batch batch;
  if (kernelHasIpv6()) setNoIpv6Address(batch, spec.object, spec.hostName);
  if (spec.hairpin && !spec.bridge.empty()) setHairpin(batch, spec.object, spec.hostName, true);
  node.exchange(batch);
}

NetlinkSocket enter(const VethSpec& spec, int netns) {
  const InNetns inside(netns, spec.object);
  return NetlinkSocket::open(NETLINK_ROUTE);
}

/** fe80::/64 with the MAC in it (RFC 4291, appendix A). */
Prefix linkLocalOf(Mac mac) {
  return {AF_INET6,
          {0xfe, 0x80, 0, 0, 0, 0, 0, 0, static_cast<uint8_t>(mac[0] ^ 0x02), mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4],
           mac[5]},
          64,
          false};
}

void configureInside(NetlinkSocket pod, const VethSpec& spec, Mac mac) {
  Batch batch;
  const uint32_t index = pod.linkIndex(spec.name, spec.object);
  if (!pod.linkIsUp("lo")) setUp(batch, spec.object, loopbackIndex);
  if (kernelHasIpv6()) setNoIpv6Address(batch, spec.object, spec.name);
  setUp(batch, spec.object, index);
  if (spec.ipv6) addAddress(batch, spec.object + ", its link-local address", index, linkLocalOf(mac));
  for (const auto& address : spec.addresses) {
    addAddress(batch, spec.object + ", " + address, index, parsePrefix(address, spec.object));
  }
  for (const auto& gateway : spec.gateways) {
    RouteSpec fallback;
    fallback.via = parsePrefix(gateway, spec.object);
    fallback.dev = index;
    route(batch, spec.object + ", default via " + gateway, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, fallback);
  }
  pod.exchange(batch);
}

void removePair(NetlinkSocket& node, const VethSpec& spec) {
  Batch batch;
  batch.begin(RTM_DELLINK, 0, ifinfomsg{}, "RTM_DELLINK(" + spec.hostName + ")", spec.object);
  batch.put(IFLA_IFNAME, spec.hostName);
  try {
    node.exchange(batch);
  } catch (const KernelFailure&) {
    // The failure that brought us here is the one to tell.
  }
}

VethInfo attach(const VethSpec& spec) {
  NetlinkSocket& node = nodeSocket();
  const UniqueFd netns = openNetns(spec.netns, spec.object);
  const Mac hostMac = randomMac();
  const Mac mac = randomMac();
  createPair(node, spec, netns.get(), hostMac, mac);
  try {
    configureHostEnd(node, spec);
    configureInside(enter(spec, netns.get()), spec, mac);
    return {node.linkIndex(spec.hostName, spec.object), hostMac, mac};
  } catch (const KernelFailure&) {
    removePair(node, spec);
    throw;
  }
}

}  // namespace

Napi::Value vethAttach(const Napi::CallbackInfo& info) {
  return runOnPool(
      info.Env(), [spec = specOf(info[0].As<Napi::Object>())] { return attach(spec); },
      [](Napi::Env env, VethInfo& veth) -> Napi::Value {
        auto result = Napi::Object::New(env);
        result.Set("hostIndex", veth.hostIndex);
        result.Set("hostMac", formatMac(veth.hostMac));
        result.Set("mac", formatMac(veth.mac));
        return result;
      });
}

}  // namespace keelson
