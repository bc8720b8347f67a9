#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace hone::datasets::audit {

/// One way to write what can be written in several.
struct NumberStyle {
  std::string_view family;  ///< "thousands", "date": what is compared with what
  std::string_view name;    ///< an example: "1,000"
  std::string_view pattern;
};

/// At most 16: one bit each of what number_styles gives.
std::span<const NumberStyle> number_style_table();

/// Bit i: the text has a number in style i of the table.
std::uint16_t number_styles(std::string_view text);

}  // namespace hone::datasets::audit
