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

constexpr Unit kUnits[] = {
    {"", 1},      {"B", 1},           {"MB", 1e6},           {"GB", 1e9},
    {"TB", 1e12}, {"MiB", 1048576.0}, {"GiB", 1073741824.0}, {"TiB", 1099511627776.0}};

}  // namespace

std::int64_t size_of_text(const std::string& text, const std::string& flag) {
  if (text.empty()) return 0;
  double number = 0;
  const char* end = text.data() + text.size();
  const auto [last, error] = std::from_chars(text.data(), end, number);
  const std::string_view unit(last, static_cast<std::size_t>(end - last));
  const auto found = std::ranges::find(kUnits, unit, &Unit::name);
  HONE_CHECK(
      ConfigError, error == std::errc() && found != std::end(kUnits) && number > 0 && number < 1e12,
      "{}: {} is no size; expected a number and MB, GB, TB, MiB, GiB or TiB, as 24GiB", flag, text);
  return static_cast<std::int64_t>(number * found->bytes);
}

}  // namespace hone::cli
