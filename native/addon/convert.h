/**
 * The one place that reads JavaScript values into plain structs, so that the rest never sees N-API objects. index.ts
 * guarantees the types (they are its TypeScript contract); a wrong one throws a JavaScript TypeError from node-addon-api.
 */
#pragma once
#include <optional>
#include <string>
#include <vector>

#include <napi.h>

namespace keelson {

inline std::string toString(Napi::Value value) { return value.As<Napi::String>().Utf8Value(); }

inline bool has(const Napi::Object& object, const char* key) {
  const Napi::Value value = object.Get(key);
  return !value.IsUndefined() && !value.IsNull();
}
inline std::string stringOf(const Napi::Object& object, const char* key) { return toString(object.Get(key)); }
inline std::string stringOr(const Napi::Object& object, const char* key, std::string fallback = {}) {
  return has(object, key) ? stringOf(object, key) : std::move(fallback);
}
inline int64_t numberOf(const Napi::Object& object, const char* key) {
  return object.Get(key).As<Napi::Number>().Int64Value();
}
inline std::optional<int64_t> numberIf(const Napi::Object& object, const char* key) {
  if (!has(object, key)) return std::nullopt;
  return numberOf(object, key);
}
inline bool flagOf(const Napi::Object& object, const char* key) {
  return has(object, key) && object.Get(key).As<Napi::Boolean>().Value();
}
inline std::optional<bool> flagIf(const Napi::Object& object, const char* key) {
  if (!has(object, key)) return std::nullopt;
  return flagOf(object, key);
}

/** Applies `read` to each element. */
template <class Read>
auto listOf(Napi::Value value, Read read) {
  const auto array = value.As<Napi::Array>();
  std::vector<decltype(read(Napi::Value()))> result;
  result.reserve(array.Length());
  for (uint32_t i = 0; i < array.Length(); i++) result.push_back(read(array.Get(i)));
  return result;
}
inline std::vector<std::string> stringsOf(const Napi::Object& object, const char* key) {
  if (!has(object, key)) return {};
  return listOf(object.Get(key), toString);
}

}  // namespace keelson
