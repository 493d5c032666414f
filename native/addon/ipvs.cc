/** The kernel's virtual servers (ip_vs): services and their destinations, changed in batches and listed. */
#include "ipvs.h"

#include <arpa/inet.h>
#include <linux/genetlink.h>
#include <linux/ip_vs.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <exception>

#include "convert.h"
#include "netns.h"
#include "rtnetlink.h"
#include "worker.h"

namespace keelson {
namespace {

struct Destination {
  std::string address;
  uint16_t port;
  uint32_t weight;
  uint32_t active = 0;      ///< connections, as the kernel counts them
  uint32_t inactive = 0;
  uint32_t persistent = 0;  ///< clients that come back
};

struct Service {
  int family = AF_INET;
  uint16_t protocol = 0;
  std::string address;
  uint16_t port = 0;
  uint32_t mark = 0;  ///< instead of protocol, address and port
  std::string scheduler;
  uint32_t persistence = 0;  ///< seconds; 0: none
  std::vector<Destination> destinations;
};

struct IpvsOp {
  std::string op;
  Service service;
};

NetlinkSocket& genericSocket() {
  thread_local NetlinkSocket socket = NetlinkSocket::open(NETLINK_GENERIC);
  return socket;
}

/** Asking for it loads the module, where there is one. */
uint16_t ipvsFamily() {
  thread_local uint16_t known = 0;
  if (known != 0) return known;
  Batch batch;
  batch.begin(GENL_ID_CTRL, 0, genlmsghdr{CTRL_CMD_GETFAMILY, 1, 0}, "CTRL_CMD_GETFAMILY", IPVS_GENL_NAME);
  batch.put(CTRL_ATTR_FAMILY_NAME, IPVS_GENL_NAME);
  genericSocket().exchange(batch, [&](size_t, const nlmsghdr* answer) {
    known = attributesOf<genlmsghdr>(answer).value<uint16_t>(CTRL_ATTR_FAMILY_ID, 0);
  });
  if (known == 0) fail("CTRL_CMD_GETFAMILY", IPVS_GENL_NAME, ENOENT, "the kernel has no ip_vs");
  return known;
}

std::string nameOf(const Service& service) {
  if (service.mark != 0) return "service of mark " + std::to_string(service.mark);
  return "service " + service.address + " " + std::to_string(service.port) + " of protocol " +
         std::to_string(service.protocol);
}

void putAddress(Batch& batch, uint16_t type, const std::string& text, const std::string& object) {
  uint8_t bytes[16] = {};
  const auto address = parsePrefix(text, object);
  std::memcpy(bytes, address.bytes, address.size());
  batch.put(type, bytes);
}

void putIdentity(Batch& batch, const Service& service) {
  batch.put16(IPVS_SVC_ATTR_AF, static_cast<uint16_t>(service.family));
  if (service.mark != 0) return batch.put32(IPVS_SVC_ATTR_FWMARK, service.mark);
  batch.put16(IPVS_SVC_ATTR_PROTOCOL, service.protocol);
  putAddress(batch, IPVS_SVC_ATTR_ADDR, service.address, nameOf(service));
  batch.put16(IPVS_SVC_ATTR_PORT, htons(service.port));
}

void putBehaviour(Batch& batch, const Service& service) {
  const ip_vs_flags flags = {service.persistence > 0 ? uint32_t{IP_VS_SVC_F_PERSISTENT} : 0, ~uint32_t{0}};
  batch.put(IPVS_SVC_ATTR_SCHED_NAME, service.scheduler);
  batch.put(IPVS_SVC_ATTR_FLAGS, {reinterpret_cast<const uint8_t*>(&flags), sizeof flags});
  batch.put32(IPVS_SVC_ATTR_TIMEOUT, service.persistence);
  batch.put32(IPVS_SVC_ATTR_NETMASK, service.family == AF_INET ? ~uint32_t{0} : 128);
}

void putDestination(Batch& batch, const Service& service, const Destination& destination, bool whole) {
  batch.nest(IPVS_CMD_ATTR_DEST, [&] {
    batch.put16(IPVS_DEST_ATTR_ADDR_FAMILY, static_cast<uint16_t>(service.family));
    putAddress(batch, IPVS_DEST_ATTR_ADDR, destination.address, nameOf(service));
    batch.put16(IPVS_DEST_ATTR_PORT, htons(destination.port));
    if (!whole) return;
    batch.put32(IPVS_DEST_ATTR_FWD_METHOD, IP_VS_CONN_F_MASQ);
    batch.put32(IPVS_DEST_ATTR_WEIGHT, destination.weight);
    batch.put32(IPVS_DEST_ATTR_U_THRESH, 0);
    batch.put32(IPVS_DEST_ATTR_L_THRESH, 0);
  });
}

struct Command {
  const char* op;
  uint8_t command;
  bool destination;
  bool whole;  ///< with all that it shall be, not only its name
};
constexpr Command commands[] = {
    {"service.add", IPVS_CMD_NEW_SERVICE, false, true},  {"service.set", IPVS_CMD_SET_SERVICE, false, true},
    {"service.delete", IPVS_CMD_DEL_SERVICE, false, false}, {"destination.add", IPVS_CMD_NEW_DEST, true, true},
    {"destination.set", IPVS_CMD_SET_DEST, true, true},  {"destination.delete", IPVS_CMD_DEL_DEST, true, false},
};

const Command& commandOf(const std::string& op) {
  for (const auto& command : commands)
    if (op == command.op) return command;
  fail("ipvs", op, EINVAL, "there is no such operation");
}

void put(Batch& batch, const IpvsOp& op) {
  const auto& [name, command, destination, whole] = commandOf(op.op);
  batch.begin(ipvsFamily(), 0, genlmsghdr{command, IPVS_GENL_VERSION, 0}, std::string("ip_vs ") + name,
              nameOf(op.service));
  batch.nest(IPVS_CMD_ATTR_SERVICE, [&] {
    putIdentity(batch, op.service);
    if (whole && !destination) putBehaviour(batch, op.service);
  });
  if (destination) putDestination(batch, op.service, op.service.destinations.at(0), whole);
}

Service serviceOf(const Attributes& service) {
  Service found;
  found.family = service.value<uint16_t>(IPVS_SVC_ATTR_AF, AF_INET);
  found.mark = service.value<uint32_t>(IPVS_SVC_ATTR_FWMARK, 0);
  found.scheduler = service.text(IPVS_SVC_ATTR_SCHED_NAME);
  if (service.value<uint32_t>(IPVS_SVC_ATTR_FLAGS, 0) & IP_VS_SVC_F_PERSISTENT)
    found.persistence = service.value<uint32_t>(IPVS_SVC_ATTR_TIMEOUT, 0);
  if (found.mark != 0) return found;
  found.protocol = service.value<uint16_t>(IPVS_SVC_ATTR_PROTOCOL, 0);
  found.address = formatAddress(found.family, service.get(IPVS_SVC_ATTR_ADDR));
  found.port = ntohs(service.value<uint16_t>(IPVS_SVC_ATTR_PORT, 0));
  return found;
}

Destination destinationOf(const Attributes& destination, int family) {
  return {formatAddress(family, destination.get(IPVS_DEST_ATTR_ADDR)),
          ntohs(destination.value<uint16_t>(IPVS_DEST_ATTR_PORT, 0)),
          destination.value<uint32_t>(IPVS_DEST_ATTR_WEIGHT, 0),
          destination.value<uint32_t>(IPVS_DEST_ATTR_ACTIVE_CONNS, 0),
          destination.value<uint32_t>(IPVS_DEST_ATTR_INACT_CONNS, 0),
          destination.value<uint32_t>(IPVS_DEST_ATTR_PERSIST_CONNS, 0)};
}

std::vector<Service> listServices() {
  std::vector<Service> found;
  Batch batch;
  batch.begin(ipvsFamily(), NLM_F_DUMP, genlmsghdr{IPVS_CMD_GET_SERVICE, IPVS_GENL_VERSION, 0}, "ip_vs list", "services");
  genericSocket().dump(batch, [&] { found.clear(); }, [&](const nlmsghdr* answer) {
    found.push_back(serviceOf(Attributes::of(attributesOf<genlmsghdr>(answer).get(IPVS_CMD_ATTR_SERVICE))));
  });
  return found;
}

void listDestinations(Service& service) {
  Batch batch;
  batch.begin(ipvsFamily(), NLM_F_DUMP, genlmsghdr{IPVS_CMD_GET_DEST, IPVS_GENL_VERSION, 0}, "ip_vs list",
              nameOf(service));
  batch.nest(IPVS_CMD_ATTR_SERVICE, [&] { putIdentity(batch, service); });
  genericSocket().dump(batch, [&] { service.destinations.clear(); }, [&](const nlmsghdr* answer) {
    const auto destination = Attributes::of(attributesOf<genlmsghdr>(answer).get(IPVS_CMD_ATTR_DEST));
    service.destinations.push_back(destinationOf(destination, service.family));
  });
}

Service readService(const Napi::Object& object) {
  Service service;
  service.family = numberOf(object, "family") == 10 ? AF_INET6 : AF_INET;
  service.protocol = static_cast<uint16_t>(numberIf(object, "protocol").value_or(0));
  service.address = stringOr(object, "address");
  service.port = static_cast<uint16_t>(numberIf(object, "port").value_or(0));
  service.mark = static_cast<uint32_t>(numberIf(object, "mark").value_or(0));
  service.scheduler = stringOr(object, "scheduler", "rr");
  service.persistence = static_cast<uint32_t>(numberIf(object, "persistence").value_or(0));
  return service;
}

IpvsOp opOf(Napi::Value value) {
  const auto object = value.As<Napi::Object>();
  IpvsOp op{stringOf(object, "op"), readService(object.Get("service").As<Napi::Object>())};
  if (!has(object, "destination")) return op;
  const auto to = object.Get("destination").As<Napi::Object>();
  op.service.destinations.push_back({stringOf(to, "address"), static_cast<uint16_t>(numberOf(to, "port")),
                                     static_cast<uint32_t>(numberIf(to, "weight").value_or(1))});
  return op;
}

Napi::Object toObject(Napi::Env env, const Destination& destination) {
  auto object = Napi::Object::New(env);
  object.Set("address", destination.address);
  object.Set("port", destination.port);
  object.Set("weight", destination.weight);
  object.Set("active", destination.active);
  object.Set("inactive", destination.inactive);
  object.Set("persistent", destination.persistent);
  return object;
}

Napi::Object toObject(Napi::Env env, const Service& service) {
  auto object = Napi::Object::New(env);
  object.Set("family", service.family == AF_INET6 ? 10 : 2);
  object.Set("protocol", service.protocol);
  object.Set("address", service.address);
  object.Set("port", service.port);
  object.Set("mark", service.mark);
  object.Set("scheduler", service.scheduler);
  object.Set("persistence", service.persistence);
  auto destinations = Napi::Array::New(env, service.destinations.size());
  for (uint32_t i = 0; i < service.destinations.size(); i++) destinations.Set(i, toObject(env, service.destinations[i]));
  object.Set("destinations", destinations);
  return object;
}

/** The kernel has answered all that was sent before anybody reads: more answers do not fit into the socket (ENOBUFS). */
constexpr size_t opsAtOnce = 100;

void changeAll(const std::vector<IpvsOp>& ops) {
  if (ops.empty()) return;
  NetlinkSocket& socket = genericSocket();
  std::exception_ptr failed;
  for (size_t from = 0; from < ops.size(); from += opsAtOnce) {
    Batch batch;
    for (size_t i = from; i < std::min(ops.size(), from + opsAtOnce); i++) put(batch, ops[i]);
    try {
      socket.exchange(batch);
    } catch (...) {
      if (!failed) failed = std::current_exception();
    }
  }
  if (failed) std::rethrow_exception(failed);
}

}  // namespace

/** (ops: IpvsOp[]): all of them are tried; rejects with the first failure */
Napi::Value ipvs(const Napi::CallbackInfo& info) {
  return runOnPool(info.Env(), [ops = listOf(info[0], opOf)] { changeAll(ops); });
}

/** () → IpvsService[] */
Napi::Value ipvsList(const Napi::CallbackInfo& info) {
  return runOnPool(
      info.Env(),
      [] {
        auto services = listServices();
        for (auto& service : services) listDestinations(service);
        return services;
      },
      [](Napi::Env env, std::vector<Service>& services) -> Napi::Value {
        auto list = Napi::Array::New(env, services.size());
        for (uint32_t i = 0; i < services.size(); i++) list.Set(i, toObject(env, services[i]));
        return list;
      });
}

/** (name: string): a link that holds addresses and sends nothing; one that is there is success */
Napi::Value dummyLink(const Napi::CallbackInfo& info) {
  return runOnPool(info.Env(), [name = toString(info[0])] {
    Batch batch;
    batch.begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, ifinfomsg{}, "RTM_NEWLINK(dummy)", name);
    batch.put(IFLA_IFNAME, name);
    batch.nest(IFLA_LINKINFO, [&] { batch.put(IFLA_INFO_KIND, "dummy"); });
    try {
      nodeSocket().exchange(batch);
    } catch (const KernelFailure& failure) {
      if (failure.error != EEXIST) throw;
    }
  });
}

}  // namespace keelson
