/**
 * The transport of netlink: sequence numbers, acknowledgements, dumps, attributes, the kernel's own error texts. It knows
 * no family. A socket belongs to the network namespace in which it was opened, wherever it is used.
 */
#pragma once
#include <linux/netlink.h>

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "handle.h"

namespace keelson {

/** Messages laid out one after another, to be sent by one system call. */
class Batch {
 public:
  /** Begins a message. Flags get NLM_F_REQUEST and NLM_F_ACK. @param what for errors: `RTM_NEWADDR` @param object ditto */
  template <class Header>
  void begin(uint16_t type, uint16_t flags, const Header& header, std::string what, std::string object) {
    beginMessage(type, flags, std::move(what), std::move(object));
    append(&header, sizeof header);
  }

  /** Nobody waits for the kernel's yes to the message begun last; its no is still heard. */
  void unacknowledged();

  void put(uint16_t type, std::span<const uint8_t> value);
  void put(uint16_t type, std::string_view text);  ///< NUL-terminated
  void put8(uint16_t type, uint8_t value);
  void put16(uint16_t type, uint16_t value);
  void put32(uint16_t type, uint32_t value);
  /** A header that nested attributes follow without an attribute of its own (veth's peer). */
  template <class Header>
  void putHeader(const Header& header) {
    append(&header, sizeof header);
  }

  /** Everything that `inside` puts becomes one nested attribute. */
  template <class Inside>
  void nest(uint16_t type, Inside inside) {
    const size_t start = beginNest(type);
    inside();
    endNest(start);
  }

  size_t count() const { return messages_.size(); }
  size_t size() const { return buffer_.size(); }  ///< bytes

 private:
  friend class NetlinkSocket;
  struct Entry {
    size_t offset;
    bool acknowledged;
    std::string what;
    std::string object;
  };
  void beginMessage(uint16_t type, uint16_t flags, std::string what, std::string object);
  void append(const void* data, size_t size);
  size_t beginNest(uint16_t type);
  void endNest(size_t start);
  nlmsghdr* header(size_t index) { return reinterpret_cast<nlmsghdr*>(buffer_.data() + messages_[index].offset); }
  void finish();

  std::vector<uint8_t> buffer_;
  std::vector<Entry> messages_;
};

/** The attributes of an answer, by type; views into the receive buffer. */
class Attributes {
 public:
  Attributes(const void* data, size_t size) : data_(static_cast<const uint8_t*>(data)), size_(size) {}
  static Attributes of(std::span<const uint8_t> nested) { return {nested.data(), nested.size()}; }
  /** Empty if absent. */
  std::span<const uint8_t> get(uint16_t type) const;
  std::string text(uint16_t type) const;
  /** The value's first bytes as T, or `fallback`. */
  template <class T>
  T value(uint16_t type, T fallback) const {
    const auto bytes = get(type);
    if (bytes.size() < sizeof(T)) return fallback;
    T result;
    __builtin_memcpy(&result, bytes.data(), sizeof(T));
    return result;
  }

 private:
  const uint8_t* data_;
  size_t size_;
};

/** The body of an answer after its family header, e.g. `attributesOf<ifinfomsg>(answer)`. */
template <class Header>
Attributes attributesOf(const nlmsghdr* answer) {
  const size_t skip = NLMSG_LENGTH(NLMSG_ALIGN(sizeof(Header)));
  return {reinterpret_cast<const uint8_t*>(answer) + skip, answer->nlmsg_len > skip ? answer->nlmsg_len - skip : 0};
}

class NetlinkSocket {
 public:
  using OnAnswer = std::function<void(size_t index, const nlmsghdr* answer)>;

  /** In the calling thread's network namespace. @param protocol NETLINK_ROUTE … */
  static NetlinkSocket open(int protocol);

  /**
   * Sends the batch at once and reads until every message is acknowledged. The kernel works through all of them even if
   * one fails: put together only what may be. Throws a KernelFailure for the first that failed, with the kernel's text.
   * A first message that nobody acknowledges speaks for the whole batch: if it fails, nothing more is waited for.
   */
  void exchange(Batch& batch, const OnAnswer& onAnswer = {});

  /** One dump request, asked again while the kernel says that it changed under way; `restart` then forgets the answers. */
  void dump(Batch& batch, const std::function<void()>& restart, const std::function<void(const nlmsghdr*)>& onAnswer);

  /**
   * Both ask by ioctl, which takes no lock: as a netlink question each would queue for the lock of all links.
   * @throws KernelFailure ENODEV
   */
  uint32_t linkIndex(const std::string& name, const std::string& object) const;
  bool linkIsUp(const std::string& name) const;

 private:
  void send(Batch& batch);
  /** Calls `handle` for each message of one datagram. */
  void receive(const std::function<void(const nlmsghdr*)>& handle);

  UniqueFd fd_;
  uint32_t sequence_ = 0;
  size_t sendBytes_ = 64 * 1024;  ///< below what every kernel gives a new socket
  std::vector<uint8_t> buffer_;
};

}  // namespace keelson
