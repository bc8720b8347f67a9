#include "distributed/network.h"

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include "base/error.h"

namespace hone::distributed {
namespace {

/// The local address of a socket that is connected to `to`; empty, with errno set, where there is
/// no way to it. A datagram socket is connected without a word being sent.
std::string local_address(const addrinfo& to) {
  const int fd = ::socket(to.ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return "";
  sockaddr_storage own{};
  socklen_t size = sizeof own;
  auto* generic = reinterpret_cast<sockaddr*>(&own);
  std::array<char, NI_MAXHOST> text{};
  const bool found =
      ::connect(fd, to.ai_addr, to.ai_addrlen) == 0 && ::getsockname(fd, generic, &size) == 0 &&
      ::getnameinfo(generic, size, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST) == 0;
  const int error = errno;
  ::close(fd);
  errno = error;
  return found ? text.data() : "";
}

}  // namespace

std::string address_towards(const std::string& host, int port) {
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_DGRAM;
  addrinfo* first = nullptr;
  const int result = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &wanted, &first);
  HONE_CHECK(DistributedError, result == 0, "the name {} is unknown: {}", host,
             ::gai_strerror(result));
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> all(first, ::freeaddrinfo);
  for (const addrinfo* one = first; one != nullptr; one = one->ai_next)
    if (const std::string address = local_address(*one); !address.empty()) return address;
  throw DistributedError(
      fmt::format("no network leads from this machine to {}: {}", host, std::strerror(errno)));
}

}  // namespace hone::distributed
