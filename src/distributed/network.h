#pragma once

#include <string>

namespace hone::distributed {

/// This machine's address on the network by which it reaches a host: what that host, and who
/// reaches it by the same network, can reach this machine at. Nothing is sent.
/// @throws DistributedError where the host's name is unknown, or no network leads to it
std::string address_towards(const std::string& host, int port);

}  // namespace hone::distributed
