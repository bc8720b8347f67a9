#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace hone::datasets {

/// Why a row of answers to compare or to judge teaches nothing, or something else than it seems to.
enum class Flaw : std::uint8_t { kEqualAnswers, kEmptyAnswer, kPromptsDiffer };
inline constexpr std::size_t kFlaws = 3;

/// For summaries, by Flaw: "with answers that are equal", …
inline constexpr std::array<std::string_view, kFlaws> kFlawNames = {
    "with answers that are equal", "with an empty answer", "whose answers have different prompts"};

/// A row of that kind. data.flawed_rows says what becomes of it.
class FlawedRow : public DataError {
 public:
  FlawedRow(Flaw flaw, const std::string& what) : DataError(what), flaw_(flaw) {}
  Flaw flaw() const noexcept { return flaw_; }

 private:
  Flaw flaw_;
};

/// One type each, for HONE_CHECK.
template <Flaw kFlaw>
struct FlawedAs : FlawedRow {
  explicit FlawedAs(const std::string& what) : FlawedRow(kFlaw, what) {}
};
using EqualAnswers = FlawedAs<Flaw::kEqualAnswers>;
using EmptyAnswer = FlawedAs<Flaw::kEmptyAnswer>;
using PromptsDiffer = FlawedAs<Flaw::kPromptsDiffer>;

}  // namespace hone::datasets
