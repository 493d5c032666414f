/** Addresses as people write them. */
#include <arpa/inet.h>
#include <sys/random.h>

#include <cstdio>
#include <cstring>

#include "failure.h"
#include "rtnetlink.h"

namespace keelson {
namespace {

[[noreturn]] void refuse(const std::string& text, const std::string& object, const char* allowed) {
  fail("parse(\"" + text + "\")", object, EINVAL, std::string("expected ") + allowed);
}

}  // namespace

size_t Prefix::size() const { return family == AF_INET ? 4 : 16; }

Prefix parsePrefix(const std::string& text, const std::string& object) {
  constexpr const char* allowed = "an address such as 10.244.0.5, 10.244.0.5/24 or fd00::5/64";
  Prefix prefix = {};
  if (text == "default") {
    prefix.family = AF_INET;
    prefix.zero = true;
    return prefix;
  }
  const size_t slash = text.find('/');
  const std::string address = text.substr(0, slash);
  prefix.family = address.find(':') == std::string::npos ? AF_INET : AF_INET6;
  if (inet_pton(prefix.family, address.c_str(), prefix.bytes) != 1) refuse(text, object, allowed);
  const size_t most = prefix.size() * 8;
  size_t length = most;
  if (slash != std::string::npos) {
    const std::string digits = text.substr(slash + 1);
    if (digits.empty() || digits.size() > 3 || digits.find_first_not_of("0123456789") != std::string::npos) {
      refuse(text, object, allowed);
    }
    length = std::stoul(digits);
    if (length > most) refuse(text, object, allowed);
  }
  prefix.length = static_cast<uint8_t>(length);
  static const uint8_t none[16] = {};
  prefix.zero = length == 0 && std::memcmp(prefix.bytes, none, sizeof none) == 0;
  return prefix;
}

Mac parseMac(const std::string& text, const std::string& object) {
  unsigned part[6];
  int used = 0;
  const int count = std::sscanf(text.c_str(), "%2x:%2x:%2x:%2x:%2x:%2x%n", &part[0], &part[1], &part[2], &part[3],
                                &part[4], &part[5], &used);
  if (count != 6 || static_cast<size_t>(used) != text.size()) refuse(text, object, "a MAC such as 0a:58:0a:f4:00:05");
  Mac mac;
  for (size_t i = 0; i < mac.size(); i++) mac[i] = static_cast<uint8_t>(part[i]);
  return mac;
}

/** Locally administered, unicast. */
Mac randomMac() {
  Mac mac;
  if (getrandom(mac.data(), mac.size(), 0) != static_cast<ssize_t>(mac.size())) fail("getrandom", "a MAC");
  mac[0] = static_cast<uint8_t>((mac[0] & 0xfe) | 0x02);
  return mac;
}

std::string formatMac(std::span<const uint8_t> mac) {
  std::string text;
  char part[4];
  for (const uint8_t byte : mac) {
    std::snprintf(part, sizeof part, text.empty() ? "%02x" : ":%02x", byte);
    text += part;
  }
  return text;
}

std::string formatAddress(int family, std::span<const uint8_t> bytes) {
  char text[INET6_ADDRSTRLEN] = "";
  if (bytes.size() >= (family == AF_INET ? 4u : 16u)) inet_ntop(family, bytes.data(), text, sizeof text);
  return text;
}

}  // namespace keelson
