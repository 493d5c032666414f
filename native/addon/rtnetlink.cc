#include "rtnetlink.h"

#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sys/socket.h>

#include "failure.h"

namespace keelson {
namespace {

ifinfomsg linkHeader(bool up, bool change) {
  ifinfomsg header = {};
  header.ifi_flags = up ? IFF_UP : 0;
  header.ifi_change = change ? IFF_UP : 0;
  return header;
}

void putMac(Batch& batch, const std::optional<Mac>& mac) {
  if (mac) batch.put(IFLA_ADDRESS, *mac);
}

}  // namespace

/** The peer must not be up in this message (ENOTCONN); it is born in its namespace. */
void addVeth(Batch& batch, const std::string& object, const std::string& name, const std::string& peer, int peerNetns,
             std::optional<uint32_t> master, std::optional<uint32_t> mtu, std::optional<Mac> mac,
             std::optional<Mac> peerMac, std::optional<uint32_t> group, bool up) {
  batch.begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, linkHeader(up, up), "RTM_NEWLINK(veth " + name + ")", object);
  batch.put(IFLA_IFNAME, name);
  if (mtu) batch.put32(IFLA_MTU, *mtu);
  if (master) batch.put32(IFLA_MASTER, *master);
  if (group) batch.put32(IFLA_GROUP, *group);
  putMac(batch, mac);
  batch.nest(IFLA_LINKINFO, [&] {
    batch.put(IFLA_INFO_KIND, "veth");
    batch.nest(IFLA_INFO_DATA, [&] {
      batch.nest(VETH_INFO_PEER, [&] {
        batch.putHeader(linkHeader(false, false));
        batch.put(IFLA_IFNAME, peer);
        if (mtu) batch.put32(IFLA_MTU, *mtu);
        batch.put32(IFLA_NET_NS_FD, static_cast<uint32_t>(peerNetns));
        putMac(batch, peerMac);
      });
    });
  });
}

/** As the bridge's data about its port; RTM_SETLINK of family AF_BRIDGE would need the index. */
void setHairpin(Batch& batch, const std::string& object, const std::string& name, bool on) {
  batch.begin(RTM_NEWLINK, 0, ifinfomsg{}, "RTM_NEWLINK(" + name + " hairpin)", object);
  batch.put(IFLA_IFNAME, name);
  batch.nest(IFLA_LINKINFO, [&] {
    batch.put(IFLA_INFO_SLAVE_KIND, "bridge");
    batch.nest(IFLA_INFO_SLAVE_DATA, [&] { batch.put8(IFLA_BRPORT_MODE, on ? 1 : 0); });
  });
}

void setNoIpv6Address(Batch& batch, const std::string& object, const std::string& name) {
  batch.begin(RTM_NEWLINK, 0, ifinfomsg{}, "RTM_NEWLINK(" + name + " addrgenmode none)", object);
  batch.put(IFLA_IFNAME, name);
  batch.nest(IFLA_AF_SPEC, [&] {
    batch.nest(AF_INET6, [&] { batch.put8(IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE); });
  });
}

void setUp(Batch& batch, const std::string& object, uint32_t index) {
  ifinfomsg header = linkHeader(true, true);
  header.ifi_index = static_cast<int>(index);
  batch.begin(RTM_NEWLINK, 0, header, "RTM_NEWLINK(up)", object);
}

/** IPv6 addresses of ours are unique by allocation: no duplicate detection, usable at once. */
void addAddress(Batch& batch, const std::string& object, uint32_t index, const Prefix& address) {
  ifaddrmsg header = {};
  header.ifa_family = static_cast<uint8_t>(address.family);
  header.ifa_prefixlen = address.length;
  header.ifa_flags = address.family == AF_INET6 ? IFA_F_NODAD : 0;
  header.ifa_index = index;
  batch.begin(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, header, "RTM_NEWADDR", object);
  batch.put(IFA_LOCAL, address.value());
  batch.put(IFA_ADDRESS, address.value());
}

void route(Batch& batch, const std::string& object, uint16_t type, uint16_t flags, const RouteSpec& spec) {
  const bool toAll = !spec.to || spec.to->zero;
  const bool deleting = type == RTM_DELROUTE;
  rtmsg header = {};
  header.rtm_family = static_cast<uint8_t>(spec.via ? spec.via->family : spec.to ? spec.to->family : AF_INET);
  header.rtm_dst_len = toAll ? 0 : spec.to->length;
  header.rtm_table = RT_TABLE_MAIN;
  header.rtm_protocol = deleting ? RTPROT_UNSPEC : RTPROT_STATIC;
  const uint8_t scope = spec.via || header.rtm_family == AF_INET6 ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
  header.rtm_scope = deleting ? static_cast<uint8_t>(RT_SCOPE_NOWHERE) : scope;
  header.rtm_type = deleting ? RTN_UNSPEC : RTN_UNICAST;
  header.rtm_flags = spec.onlink ? RTNH_F_ONLINK : 0;
  batch.begin(type, flags, header, type == RTM_DELROUTE ? "RTM_DELROUTE" : "RTM_NEWROUTE", object);
  if (!toAll) batch.put(RTA_DST, spec.to->value());
  if (spec.via) batch.put(RTA_GATEWAY, spec.via->value());
  if (spec.source) batch.put(RTA_PREFSRC, spec.source->value());
  if (spec.dev) batch.put32(RTA_OIF, *spec.dev);
}

}  // namespace keelson
