#include "netlink.h"

#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "failure.h"

namespace keelson {
namespace {

constexpr size_t receiveBytes = 64 * 1024;  // the kernel fills dumps up to 32 KiB

struct Failed {
  size_t index;
  int error;
  std::string hint;
};

/** The kernel's extended message, if it sent one (NETLINK_EXT_ACK; the request is not echoed: NETLINK_CAP_ACK). */
std::string extendedText(const nlmsghdr* answer) {
  if (!(answer->nlmsg_flags & NLM_F_ACK_TLVS)) return {};
  const size_t skip = NLMSG_LENGTH(sizeof(nlmsgerr));
  if (answer->nlmsg_len <= skip) return {};
  return Attributes(reinterpret_cast<const uint8_t*>(answer) + skip, answer->nlmsg_len - skip).text(NLMSGERR_ATTR_MSG);
}

}  // namespace

void Batch::append(const void* data, size_t size) {
  const auto* bytes = static_cast<const uint8_t*>(data);
  buffer_.insert(buffer_.end(), bytes, bytes + size);
  buffer_.resize(NLMSG_ALIGN(buffer_.size()));
}

void Batch::beginMessage(uint16_t type, uint16_t flags, std::string what, std::string object) {
  finish();
  messages_.push_back({buffer_.size(), true, std::move(what), std::move(object)});
  nlmsghdr header = {};
  header.nlmsg_type = type;
  header.nlmsg_flags = static_cast<uint16_t>(flags | NLM_F_REQUEST | ((flags & NLM_F_DUMP) == NLM_F_DUMP ? 0 : NLM_F_ACK));
  append(&header, sizeof header);
}

void Batch::unacknowledged() {
  messages_.back().acknowledged = false;
  header(count() - 1)->nlmsg_flags &= static_cast<uint16_t>(~NLM_F_ACK);
}

void Batch::finish() {
  if (!messages_.empty()) header(count() - 1)->nlmsg_len = static_cast<uint32_t>(buffer_.size() - messages_.back().offset);
}

void Batch::put(uint16_t type, std::span<const uint8_t> value) {
  const nlattr attribute = {static_cast<uint16_t>(NLA_HDRLEN + value.size()), type};
  append(&attribute, sizeof attribute);
  append(value.data(), value.size());
}

void Batch::put(uint16_t type, std::string_view text) {
  const std::string terminated(text);
  put(type, std::span(reinterpret_cast<const uint8_t*>(terminated.c_str()), terminated.size() + 1));
}

void Batch::put8(uint16_t type, uint8_t value) { put(type, std::span(&value, 1)); }
void Batch::put16(uint16_t type, uint16_t value) {
  put(type, std::span(reinterpret_cast<const uint8_t*>(&value), sizeof value));
}
void Batch::put32(uint16_t type, uint32_t value) {
  put(type, std::span(reinterpret_cast<const uint8_t*>(&value), sizeof value));
}

size_t Batch::beginNest(uint16_t type) {
  const size_t start = buffer_.size();
  const nlattr attribute = {0, static_cast<uint16_t>(type | NLA_F_NESTED)};
  append(&attribute, sizeof attribute);
  return start;
}

void Batch::endNest(size_t start) {
  reinterpret_cast<nlattr*>(buffer_.data() + start)->nla_len = static_cast<uint16_t>(buffer_.size() - start);
}

std::span<const uint8_t> Attributes::get(uint16_t type) const {
  for (size_t at = 0; at + NLA_HDRLEN <= size_;) {
    nlattr attribute;
    std::memcpy(&attribute, data_ + at, sizeof attribute);
    if (attribute.nla_len < NLA_HDRLEN || at + attribute.nla_len > size_) break;
    if ((attribute.nla_type & NLA_TYPE_MASK) == type) return {data_ + at + NLA_HDRLEN, attribute.nla_len - size_t{NLA_HDRLEN}};
    at += NLA_ALIGN(attribute.nla_len);
  }
  return {};
}

std::string Attributes::text(uint16_t type) const {
  const auto bytes = get(type);
  const auto* chars = reinterpret_cast<const char*>(bytes.data());
  return std::string(chars, strnlen(chars ? chars : "", bytes.size()));
}

NetlinkSocket NetlinkSocket::open(int protocol) {
  NetlinkSocket result;
  result.fd_ = UniqueFd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol));
  if (!result.fd_) fail("socket(AF_NETLINK)", "netlink protocol " + std::to_string(protocol));
  // What an older kernel does not know is done without: shorter errors, longer acknowledgements.
  const int on = 1;
  for (int option : {NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK}) {
    setsockopt(result.fd_.get(), SOL_NETLINK, option, &on, sizeof on);
  }
  result.buffer_.resize(receiveBytes);
  return result;
}

uint32_t NetlinkSocket::linkIndex(const std::string& name, const std::string& object) const {
  ifreq request = {};
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  if (ioctl(fd_.get(), SIOCGIFINDEX, &request) != 0) fail("ioctl(SIOCGIFINDEX " + name + ")", object);
  return static_cast<uint32_t>(request.ifr_ifindex);
}

bool NetlinkSocket::linkIsUp(const std::string& name) const {
  ifreq request = {};
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  return ioctl(fd_.get(), SIOCGIFFLAGS, &request) == 0 && (request.ifr_flags & IFF_UP) != 0;
}

void NetlinkSocket::send(Batch& batch) {
  batch.finish();
  if (batch.size() > sendBytes_) {
    sendBytes_ = batch.size() * 2;
    const auto bytes = static_cast<int>(sendBytes_);
    setsockopt(fd_.get(), SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes);  // else the kernel says EMSGSIZE
  }
  for (size_t i = 0; i < batch.count(); i++) batch.header(i)->nlmsg_seq = sequence_ + 1 + static_cast<uint32_t>(i);
  ssize_t sent;
  do {
    sent = ::send(fd_.get(), batch.buffer_.data(), batch.buffer_.size(), 0);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) fail("send(" + batch.messages_[0].what + ")", batch.messages_[0].object);
}

void NetlinkSocket::receive(const std::function<void(const nlmsghdr*)>& handle) {
  ssize_t size;
  do {
    size = recv(fd_.get(), buffer_.data(), buffer_.size(), 0);
  } while (size < 0 && errno == EINTR);
  if (size < 0) fail("recv(AF_NETLINK)", "netlink");
  auto left = static_cast<uint32_t>(size);
  for (auto* message = reinterpret_cast<const nlmsghdr*>(buffer_.data()); NLMSG_OK(message, left);
       message = NLMSG_NEXT(message, left)) {
    handle(message);
  }
}

void NetlinkSocket::exchange(Batch& batch, const OnAnswer& onAnswer) {
  if (batch.count() == 0) return;
  send(batch);
  const uint32_t first = sequence_ + 1;
  sequence_ += static_cast<uint32_t>(batch.count());
  auto pending = static_cast<size_t>(
      std::count_if(batch.messages_.begin(), batch.messages_.end(), [](const auto& entry) { return entry.acknowledged; }));
  std::optional<Failed> failed;
  while (pending > 0) {
    receive([&](const nlmsghdr* message) {
      const size_t index = message->nlmsg_seq - first;
      if (index >= batch.count()) return;  // the rest of an exchange that was given up
      if (message->nlmsg_type != NLMSG_ERROR) {
        if (onAnswer) onAnswer(index, message);
        return;
      }
      const int error = -reinterpret_cast<const nlmsgerr*>(NLMSG_DATA(message))->error;
      if (batch.messages_[index].acknowledged) pending--;
      else if (index == 0 && error != 0) pending = 0;
      if (error != 0 && (!failed || index < failed->index)) failed = {index, error, extendedText(message)};
    });
  }
  if (!failed) return;
  const auto& entry = batch.messages_[failed->index];
  fail(entry.what, entry.object, failed->error, failed->hint);
}

void NetlinkSocket::dump(Batch& batch, const std::function<void()>& restart,
                         const std::function<void(const nlmsghdr*)>& onAnswer) {
  for (bool interrupted = true; interrupted;) {
    interrupted = false;
    restart();
    send(batch);
    const uint32_t expected = ++sequence_;
    for (bool done = false; !done;) {
      receive([&](const nlmsghdr* message) {
        if (message->nlmsg_seq != expected) return;
        if (message->nlmsg_flags & NLM_F_DUMP_INTR) interrupted = true;
        if (message->nlmsg_type == NLMSG_ERROR) {
          fail(batch.messages_[0].what, batch.messages_[0].object,
               -reinterpret_cast<const nlmsgerr*>(NLMSG_DATA(message))->error, extendedText(message));
        }
        if (message->nlmsg_type == NLMSG_DONE) done = true;
        else onAnswer(message);
      });
    }
  }
}

}  // namespace keelson
