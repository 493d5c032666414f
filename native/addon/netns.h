/**
 * Entering a network namespace on a pool thread for as long as a scope lasts. If the thread cannot be brought back, the
 * process is ended: a dirty thread would do the next caller's work in a pod's namespace.
 */
#pragma once
#include <string>

#include "handle.h"
#include "netlink.h"

namespace keelson {

class InNetns {
 public:
  /** @param netns a descriptor of a network namespace @param object for errors */
  InNetns(int netns, const std::string& object);
  ~InNetns();
  InNetns(const InNetns&) = delete;
  InNetns& operator=(const InNetns&) = delete;
};

/** @param path such as /proc/PID/ns/net */
UniqueFd openNetns(const std::string& path, const std::string& object);

/** A route socket of the node's namespace, kept by each pool thread. */
NetlinkSocket& nodeSocket();

/** A route socket of another namespace. */
NetlinkSocket socketIn(const std::string& path, const std::string& object);

}  // namespace keelson
