#include "plan/cluster.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <vector>

#include "base/error.h"

namespace hone::plan {
namespace {

constexpr KnownLink kLinks[] = {
    {"nvlink3", 300, "NVIDIA A100 data sheet: 600 GB/s, both directions together"},
    {"nvlink4", 450, "NVIDIA H100 and H200 data sheets: 900 GB/s, both directions together"},
    {"nvlink5", 900, "NVIDIA B200 data sheet: 1.8 TB/s, both directions together"},
    {"pcie4", 31.5, "PCI Express 4.0: 16 lanes of 16 GT/s, 128b/130b"},
    {"pcie5", 63, "PCI Express 5.0: 16 lanes of 32 GT/s, 128b/130b"},
    {"hdr", 25, "InfiniBand HDR: 200 Gb/s, one adapter for each GPU"},
    {"ndr", 50, "InfiniBand NDR: 400 Gb/s, one adapter for each GPU"},
    {"xdr", 100, "InfiniBand XDR: 800 Gb/s, one adapter for each GPU"},
    {"ethernet100", 12.5, "100 Gb/s Ethernet, one adapter for each GPU"},
    {"ethernet25", 3.125, "25 Gb/s Ethernet, one adapter for each GPU"},
    {"ethernet10", 1.25, "10 Gb/s Ethernet, one adapter for each GPU"},
};

}  // namespace

std::span<const KnownLink> known_links() { return kLinks; }

double bandwidth_of(const std::string& text, const std::string& flag) {
  const auto found = std::ranges::find(kLinks, std::string_view(text), &KnownLink::name);
  if (found != std::end(kLinks)) return found->gigabytes_per_s * 1e9;
  double number = 0;
  const char* end = text.data() + text.size();
  const auto [last, error] = std::from_chars(text.data(), end, number);
  std::vector<std::string_view> names;
  for (const KnownLink& link : kLinks) names.push_back(link.name);
  HONE_CHECK(ConfigError, error == std::errc() && last == end && number > 0,
             "{}: {} is no bandwidth; expected GB/s above 0 of one GPU in one direction, or one "
             "of {}",
             flag, text, fmt::join(names, ", "));
  return number * 1e9;
}

}  // namespace hone::plan
