#pragma once

#include <cstdint>
#include <string>
#include <string_view>

// Pages that hone writes for people: one file each, which opens offline, light or dark.

namespace hone::html {

/// Text as it stands in a page: & < > and both quotes are spelled out.
std::string escaped(std::string_view text);

/// 1234567 as "1,234,567". @param number not negative
std::string grouped(std::int64_t number);

/// A number and what it is, as a small card. @param number HTML @param label text
std::string tile(std::string_view number, std::string_view label);

/// A whole page. @param title text @param body HTML
std::string page(std::string_view title, std::string_view body);

}  // namespace hone::html
