#include "cli/size_argument.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <string_view>

#include "base/error.h"

namespace hone::cli {
namespace {

struct Unit {
  std::string_view name;
  double bytes;
};

constexpr Unit kUnits[] = {{"", 1},
                           {"B", 1},
                           {"KB", 1e3},
                           {"MB", 1e6},
                           {"GB", 1e9},
                           {"TB", 1e12},
                           {"MiB", 1048576.0},
                           {"GiB", 1073741824.0},
                           {"TiB", 1099511627776.0}};

/// Below the largest std::int64_t.
constexpr double kMostBytes = 9e18;

}  // namespace

std::int64_t size_of_text(const std::string& text, const std::string& flag) {
  if (text.empty()) return 0;
  double number = 0;
  const char* end = text.data() + text.size();
  const auto [last, error] = std::from_chars(text.data(), end, number);
  const std::string_view unit(last, static_cast<std::size_t>(end - last));
  const auto found = std::ranges::find(kUnits, unit, &Unit::name);
  const bool is_read = error == std::errc() && found != std::end(kUnits);
  const double bytes = is_read ? number * found->bytes : 0;
  HONE_CHECK(ConfigError, bytes >= 1 && bytes < kMostBytes,
             "{}: {} is no size; expected a number and KB, MB, GB, TB, MiB, GiB or TiB, as 24GiB",
             flag, text);
  return static_cast<std::int64_t>(bytes);
}

}  // namespace hone::cli
