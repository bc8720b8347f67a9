#include "datasets/audit/number_formats.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace hone::datasets::audit {
namespace {

std::vector<std::string> styles_of(std::string_view text) {
  std::vector<std::string> names;
  const std::uint16_t found = number_styles(text);
  for (std::size_t i = 0; i < number_style_table().size(); ++i)
    if ((found >> i & 1) != 0) names.emplace_back(number_style_table()[i].name);
  return names;
}

using Names = std::vector<std::string>;

TEST(NumberFormats, EveryStyleIsKnownByItself) {
  for (const auto& [text, name] : std::vector<std::pair<const char*, const char*>>{
           {"It costs 1,000 euros.", "1,000"},
           {"It costs 12,345,678.90.", "1,000"},
           {"Es kostet 1.234,50 Euro.", "1.000"},
           {"Einwohner: 1.234.567.", "1.000"},
           {"Il y a 10 000 habitants.", "1 000"},
           {"Il y a 1\u202f234\u202f567 habitants.", "1 000"},
           {"CHF 1'234'567", "1'000"},
           {"on 2025-06-13.", "2025-06-13"},
           {"am 13.06.2025.", "13.06.2025"},
           {"on 6/13/2025.", "6/13/2025"},
           {"on 13/6/2025.", "13/6/2025"},
           {"on June 13, 2025.", "June 13, 2025"},
           {"on Sept 3rd, 2025.", ""},
           {"on 13 June 2025.", "13 June 2025"}})
    EXPECT_EQ(styles_of(text), *name == '\0' ? Names{} : Names{name}) << text;
}

TEST(NumberFormats, WhatCouldBeEitherIsNeither) {
  for (const char* text :
       {"version 1.000", "pi is 3.142", "3/4/2025", "call 030 123 456", "call 555 123-4567",
        "serial 2025-13-40", "1.2.2025.7", "12 345678", "0,001", "part 1,0000"})
    EXPECT_EQ(styles_of(text), Names{}) << text;
}

}  // namespace
}  // namespace hone::datasets::audit
