/**
 * vethAttach: one message exchange on the node's side makes the pair, puts it on the bridge and raises the host end; then
 * one inside raises lo and the pod's end and gives it addresses and routes. The thread is in the pod's namespace only to
 * open a socket there.
 */
#include "veth.h"

#include <linux/rtnetlink.h>

#include "convert.h"
#include "files.h"
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
  std::vector<std::string> addresses;
  std::vector<std::string> gateways;
  bool ipv6;
};

struct VethInfo {
  LinkFacts host;
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
  spec.addresses = stringsOf(object, "addresses");
  spec.gateways = stringsOf(object, "gateways");
  spec.ipv6 = flagOf(object, "ipv6");
  return spec;
}

/** Before the link is up, so that it sends no neighbour discovery to every other port. A kernel without IPv6 is fine. */
void disableIpv6(const std::string& link) {
  try {
    writeFile("/proc/sys/net/ipv6/conf/" + link + "/disable_ipv6", "1");
  } catch (const KernelFailure& failure) {
    if (failure.error != ENOENT) throw;
  }
}

/** The pair; the host end on the bridge, but not up yet. */
void createPair(NetlinkSocket& node, const VethSpec& spec, int netns, Mac mac) {
  Batch batch;
  std::optional<uint32_t> master;
  if (!spec.bridge.empty()) master = askLink(node, spec.bridge, spec.object).index;
  addVeth(batch, spec.object, spec.hostName, spec.name, netns, master, spec.mtu, randomMac(), mac, std::nullopt, spec.ipv6);
  try {
    node.exchange(batch);
  } catch (KernelFailure& failure) {
    if (failure.error == EXFULL) failure.hint = "bridge " + spec.bridge + " has its 1,023 ports";
    throw;
  }
}

LinkFacts raiseHostEnd(NetlinkSocket& node, const VethSpec& spec) {
  Batch batch;
  LinkFacts facts;
  if (!spec.ipv6) disableIpv6(spec.hostName);
  if (spec.hairpin && !spec.bridge.empty()) setHairpin(batch, spec.object, spec.hostName, true);
  if (!spec.ipv6) setUp(batch, spec.object, spec.hostName, true);
  askLink(batch, spec.hostName, spec.object);
  node.exchange(batch, [&](size_t, const nlmsghdr* answer) { facts = readLink(answer); });
  return facts;
}

NetlinkSocket enter(const VethSpec& spec, int netns) {
  const InNetns inside(netns, spec.object);
  if (!spec.ipv6) disableIpv6(spec.name);
  return NetlinkSocket::open(NETLINK_ROUTE);
}

void configureInside(NetlinkSocket pod, const VethSpec& spec, uint32_t index) {
  Batch batch;
  setUp(batch, spec.object, loopbackIndex);
  setUp(batch, spec.object, index);
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
  const Mac mac = randomMac();
  createPair(node, spec, netns.get(), mac);
  try {
    const LinkFacts host = raiseHostEnd(node, spec);
    configureInside(enter(spec, netns.get()), spec, host.peer);
    return {host, mac};
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
        result.Set("hostIndex", veth.host.index);
        result.Set("hostMac", veth.host.mac);
        result.Set("mac", formatMac(veth.mac));
        return result;
      });
}

}  // namespace keelson
