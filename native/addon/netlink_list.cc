/** Dumps of links, addresses and routes. */
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include "netlink_ops.h"
#include "rtnetlink.h"

namespace keelson {
namespace {

Link linkOf(const nlmsghdr* answer) {
  const auto* header = static_cast<const ifinfomsg*>(NLMSG_DATA(answer));
  const auto attributes = attributesOf<ifinfomsg>(answer);
  const auto statistics = attributes.value<rtnl_link_stats64>(IFLA_STATS64, {});
  return {
      .index = static_cast<uint32_t>(header->ifi_index),
      .mtu = attributes.value<uint32_t>(IFLA_MTU, 0),
      .master = attributes.value<uint32_t>(IFLA_MASTER, 0),
      .group = attributes.value<uint32_t>(IFLA_GROUP, 0),
      .name = attributes.text(IFLA_IFNAME),
      .kind = Attributes::of(attributes.get(IFLA_LINKINFO)).text(IFLA_INFO_KIND),
      .mac = formatMac(attributes.get(IFLA_ADDRESS)),
      .up = (header->ifi_flags & IFF_UP) != 0,
      .rxBytes = statistics.rx_bytes,
      .txBytes = statistics.tx_bytes,
  };
}

/** IFA_LOCAL is the own address; IPv6 has IFA_ADDRESS alone. */
Address addressOf(const nlmsghdr* answer) {
  const auto* header = static_cast<const ifaddrmsg*>(NLMSG_DATA(answer));
  const auto attributes = attributesOf<ifaddrmsg>(answer);
  const auto local = attributes.get(IFA_LOCAL);
  const auto bytes = local.empty() ? attributes.get(IFA_ADDRESS) : local;
  return {header->ifa_index, formatAddress(header->ifa_family, bytes) + "/" + std::to_string(header->ifa_prefixlen),
          header->ifa_family};
}

Route routeOf(const nlmsghdr* answer) {
  const auto* header = static_cast<const rtmsg*>(NLMSG_DATA(answer));
  const auto attributes = attributesOf<rtmsg>(answer);
  const int family = header->rtm_family;
  const std::string to = formatAddress(family, attributes.get(RTA_DST));
  return {to.empty() ? "default" : to + "/" + std::to_string(header->rtm_dst_len),
          formatAddress(family, attributes.get(RTA_GATEWAY)), formatAddress(family, attributes.get(RTA_PREFSRC)),
          attributes.value<uint32_t>(RTA_OIF, 0)};
}

bool inMainTable(const nlmsghdr* answer) {
  const auto* header = static_cast<const rtmsg*>(NLMSG_DATA(answer));
  return header->rtm_table == RT_TABLE_MAIN && header->rtm_type == RTN_UNICAST;
}

template <class Header, class Read>
auto listWith(NetlinkSocket& socket, uint16_t type, const Header& header, const char* what, Read read) {
  Batch batch;
  batch.begin(type, NLM_F_DUMP, header, what, "all");
  std::vector<decltype(read(nullptr))> found;
  socket.dump(batch, [&] { found.clear(); }, [&](const nlmsghdr* answer) { found.push_back(read(answer)); });
  return found;
}

}  // namespace

std::vector<Link> listLinks(NetlinkSocket& socket) {
  return listWith(socket, RTM_GETLINK, ifinfomsg{}, "RTM_GETLINK", linkOf);
}

std::vector<Address> listAddresses(NetlinkSocket& socket) {
  return listWith(socket, RTM_GETADDR, ifaddrmsg{}, "RTM_GETADDR", addressOf);
}

std::vector<Route> listRoutes(NetlinkSocket& socket) {
  Batch batch;
  std::vector<Route> found;
  batch.begin(RTM_GETROUTE, NLM_F_DUMP, rtmsg{}, "RTM_GETROUTE", "all");
  socket.dump(batch, [&] { found.clear(); },
              [&](const nlmsghdr* answer) {
                if (inMainTable(answer)) found.push_back(routeOf(answer));
              });
  return found;
}

}  // namespace keelson
