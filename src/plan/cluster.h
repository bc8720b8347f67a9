#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace hone::plan {

/// A link between GPUs whose bandwidth is published.
struct KnownLink {
  std::string_view name;
  double gigabytes_per_s;  ///< of one GPU, in one direction
  std::string_view source;
};

std::span<const KnownLink> known_links();

/// @param text a known link's name, or GB/s of one GPU in one direction
/// @return bytes a second
/// @throws ConfigError naming the flag
double bandwidth_of(const std::string& text, const std::string& flag);

/// Nodes of the same kind.
struct Cluster {
  std::int64_t gpus_per_node = 8;
  double intra_bytes_per_s = 0, inter_bytes_per_s = 0;  ///< of one GPU, in one direction
  double intra_latency_s = 0, inter_latency_s = 0;      ///< of one hop
  double reached = 0.8;  ///< share of a link's bandwidth that large messages get
};

}  // namespace hone::plan
