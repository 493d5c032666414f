/** netlink(): operations from JavaScript objects, answers to JavaScript objects. */
#include <sys/socket.h>

#include "convert.h"
#include "netlink_ops.h"
#include "netns.h"
#include "worker.h"

namespace keelson {
namespace {

NetlinkOp opOf(Napi::Value value) {
  const auto object = value.As<Napi::Object>();
  const auto text = [&](const char* key) { return stringOr(object, key); };
  const auto number = [&](const char* key) -> std::optional<uint32_t> { return numberIf(object, key); };
  NetlinkOp op;
  op.op = stringOf(object, "op");
  op.name = text("name");
  op.peer = text("peer");
  op.peerNetns = text("peerNetns");
  op.mac = text("mac");
  op.peerMac = text("peerMac");
  op.local = text("local");
  op.dev = text("dev");
  op.address = text("address");
  op.to = text("to");
  op.via = text("via");
  op.src = text("src");
  op.rename = text("rename");
  if (!object.Get("master").IsUndefined()) op.master = text("master");
  op.mtu = number("mtu");
  op.group = number("group");
  op.id = number("id");
  op.port = number("port");
  op.up = flagIf(object, "up");
  op.hairpin = flagIf(object, "hairpin");
  op.learning = flagIf(object, "learning");
  op.onlink = flagOf(object, "onlink");
  op.ignore = has(object, "ifMissing") || has(object, "ifExists");
  return op;
}

void setIfAny(Napi::Object& object, const char* key, const std::string& value) {
  if (!value.empty()) object.Set(key, value);
}
void setIfAny(Napi::Object& object, const char* key, uint32_t value) {
  if (value != 0) object.Set(key, value);
}

Napi::Object toObject(Napi::Env env, const Link& link) {
  auto object = Napi::Object::New(env);
  object.Set("index", link.index);
  object.Set("name", link.name);
  setIfAny(object, "kind", link.kind);
  object.Set("mac", link.mac);
  object.Set("mtu", link.mtu);
  object.Set("up", link.up);
  setIfAny(object, "master", link.master);
  object.Set("group", link.group);
  object.Set("rxBytes", static_cast<double>(link.rxBytes));
  object.Set("txBytes", static_cast<double>(link.txBytes));
  return object;
}

Napi::Object toObject(Napi::Env env, const Address& address) {
  auto object = Napi::Object::New(env);
  object.Set("index", address.index);
  object.Set("address", address.address);
  object.Set("family", address.family == AF_INET ? 4 : 6);
  return object;
}

Napi::Object toObject(Napi::Env env, const Route& route) {
  auto object = Napi::Object::New(env);
  object.Set("to", route.to);
  setIfAny(object, "via", route.via);
  setIfAny(object, "dev", route.dev);
  setIfAny(object, "src", route.src);
  return object;
}

Napi::Value toValue(Napi::Env env, std::monostate) { return env.Null(); }
template <class Item>
Napi::Value toValue(Napi::Env env, const std::vector<Item>& items) {
  auto array = Napi::Array::New(env, items.size());
  for (uint32_t i = 0; i < items.size(); i++) array[i] = toObject(env, items[i]);
  return array;
}

std::vector<NetlinkResult> performAll(NetlinkSocket& socket, const std::vector<NetlinkOp>& ops) {
  std::vector<NetlinkResult> results;
  for (const auto& op : ops) results.push_back(perform(socket, op));
  return results;
}

std::vector<NetlinkResult> performIn(const std::optional<std::string>& netns, const std::vector<NetlinkOp>& ops) {
  if (!netns) return performAll(nodeSocket(), ops);
  NetlinkSocket socket = socketIn(*netns, *netns);
  return performAll(socket, ops);
}

}  // namespace

/** (netns: string | null, ops) */
Napi::Value netlink(const Napi::CallbackInfo& info) {
  std::optional<std::string> netns;
  if (!info[0].IsNull()) netns = toString(info[0]);
  return runOnPool(
      info.Env(), [netns = std::move(netns), ops = listOf(info[1], opOf)] { return performIn(netns, ops); },
      [](Napi::Env env, std::vector<NetlinkResult>& results) -> Napi::Value {
        auto array = Napi::Array::New(env, results.size());
        for (uint32_t i = 0; i < results.size(); i++) {
          array[i] = std::visit([&](const auto& result) { return toValue(env, result); }, results[i]);
        }
        return array;
      });
}

}  // namespace keelson
