/** Connections that the kernel remembers, and shall forget: UDP has no end of its own, so it would go on to an endpoint that is gone. */
#include <linux/netfilter/nfnetlink_conntrack.h>

#include <set>
#include <unordered_map>

#include "convert.h"
#include "nfnetlink.h"
#include "rtnetlink.h"
#include "worker.h"

namespace keelson {
namespace {

/** Connections to one service address. */
struct Forget {
  std::string address;  ///< empty: any of the node's, as long as it was translated
  uint16_t port;
  std::set<std::string> keep;  ///< `10.244.0.5 8080`: endpoints whose connections stay
};

struct Tuple {
  std::string source, destination;
  uint16_t sourcePort, destinationPort;
  uint8_t protocol;
};

struct Connection {
  std::vector<uint8_t> original;  ///< CTA_TUPLE_ORIG as the kernel sent it
  std::vector<uint8_t> zone;
};

Forget forgetOf(Napi::Value value) {
  const auto object = value.As<Napi::Object>();
  const auto keep = listOf(object.Get("keep"), toString);
  return {stringOr(object, "address"), static_cast<uint16_t>(numberOf(object, "port")), {keep.begin(), keep.end()}};
}

Tuple tupleOf(std::span<const uint8_t> nested, uint8_t family) {
  const auto tuple = Attributes::of(nested);
  const auto ip = Attributes::of(tuple.get(CTA_TUPLE_IP));
  const auto proto = Attributes::of(tuple.get(CTA_TUPLE_PROTO));
  const bool v4 = family == AF_INET;
  return {formatAddress(family, ip.get(v4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC)),
          formatAddress(family, ip.get(v4 ? CTA_IP_V4_DST : CTA_IP_V6_DST)),
          ntohs(proto.value<uint16_t>(CTA_PROTO_SRC_PORT, 0)), ntohs(proto.value<uint16_t>(CTA_PROTO_DST_PORT, 0)),
          proto.value<uint8_t>(CTA_PROTO_NUM, 0)};
}

using ForgetByPort = std::unordered_multimap<uint16_t, Forget>;

bool isForgotten(const Forget& forget, const Tuple& original, const Tuple& reply) {
  const bool translated = reply.source != original.destination || reply.sourcePort != original.destinationPort;
  if (forget.address.empty() ? !translated : original.destination != forget.address) return false;
  return !forget.keep.contains(reply.source + " " + std::to_string(reply.sourcePort));
}

std::vector<Connection> find(uint8_t family, uint8_t protocol, const ForgetByPort& wanted) {
  Batch batch;
  batch.begin(nfType(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET), NLM_F_DUMP, nfHeader(family), "IPCTNL_MSG_CT_GET",
              "conntrack");
  std::vector<Connection> found;
  netfilterSocket().dump(batch, [&] { found.clear(); }, [&](const nlmsghdr* answer) {
    const auto attributes = attributesOf<nfgenmsg>(answer);
    const auto raw = attributes.get(CTA_TUPLE_ORIG);
    const auto original = tupleOf(raw, family);
    if (original.protocol != protocol) return;
    const auto reply = tupleOf(attributes.get(CTA_TUPLE_REPLY), family);
    const auto [from, to] = wanted.equal_range(original.destinationPort);
    for (auto at = from; at != to; ++at) {
      if (!isForgotten(at->second, original, reply)) continue;
      const auto zone = attributes.get(CTA_ZONE);
      found.push_back({{raw.begin(), raw.end()}, {zone.begin(), zone.end()}});
      return;
    }
  });
  return found;
}

/** One that has ended by itself meanwhile is forgotten too. @returns whether it was there */
bool erase(uint8_t family, const Connection& connection) {
  Batch batch;
  batch.begin(nfType(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_DELETE), 0, nfHeader(family), "IPCTNL_MSG_CT_DELETE",
              "conntrack");
  batch.put(CTA_TUPLE_ORIG | NLA_F_NESTED, connection.original);
  if (!connection.zone.empty()) batch.put(CTA_ZONE, connection.zone);
  try {
    netfilterSocket().exchange(batch);
    return true;
  } catch (const KernelFailure& failure) {
    if (failure.error != ENOENT) throw;
    return false;
  }
}

}  // namespace

/** (family: 2 | 10, protocol: number, wanted: Forget[]) → how many were forgotten */
Napi::Value conntrackDelete(const Napi::CallbackInfo& info) {
  const auto family = static_cast<uint8_t>(info[0].As<Napi::Number>().Uint32Value());
  const auto protocol = static_cast<uint8_t>(info[1].As<Napi::Number>().Uint32Value());
  return runOnPool(
      info.Env(),
      [family, protocol, all = listOf(info[2], forgetOf)] {
        ForgetByPort wanted;
        for (const auto& forget : all) wanted.emplace(forget.port, forget);
        uint32_t count = 0;
        for (const auto& connection : find(family, protocol, wanted)) count += erase(family, connection) ? 1 : 0;
        return count;
      },
      [](Napi::Env env, uint32_t& count) -> Napi::Value { return Napi::Number::New(env, count); });
}

}  // namespace keelson
