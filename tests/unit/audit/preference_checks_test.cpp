#include <gtest/gtest.h>

#include <fmt/format.h>

#include "audited.h"

// What is wrong with pairs and labels.

namespace hone::datasets::audit {
namespace {

using test::contains;

std::string pair(const std::string& prompt, const std::string& chosen,
                 const std::string& rejected) {
  return Row{{"prompt", prompt}, {"chosen", chosen}, {"rejected", rejected}}.dump() + "\n";
}

TEST(Audit, PreferencesMustNotContradictOrEqualEachOther) {
  const Audited audited(pair("p", "A", "B") + pair("p", "B ", "A") + pair("q", "A", "B") +
                        pair("p", "A", "C") + pair("r", "same", " same"));
  const Report report = audited.report();
  EXPECT_EQ(count(report, "conflicting_labels"), 2);
  EXPECT_EQ(count(report, "equal_pairs"), 1);
}

TEST(Audit, ACompletionLabelledBothWaysIsAConflict) {
  const auto row = [](const std::string& completion, bool label) {
    return Row{{"prompt", "p"}, {"completion", completion}, {"label", label}}.dump() + "\n";
  };
  const Audited audited(row("A", true) + row("A", false) + row("B", false));
  EXPECT_EQ(count(audited.report(), "conflicting_labels"), 2);
}

TEST(Audit, LengthBiasNeedsManyPairs) {
  std::string biased, balanced;
  for (int i = 0; i < 40; ++i) {
    const std::string prompt = fmt::format("prompt {}", i);
    biased += pair(prompt, i % 5 == 0 ? "No." : "A much longer answer.", "An answer.");
    balanced += pair(prompt, i % 2 == 0 ? "No." : "A much longer answer.", "An answer.");
  }
  const Report report = Audited(biased).report();
  ASSERT_EQ(count(report, "length_bias"), 32);
  EXPECT_TRUE(contains(finding(report, "length_bias")->note, "80.0 %"));
  EXPECT_EQ(count(Audited(balanced).report(), "length_bias"), 0);
  EXPECT_EQ(count(Audited(pair("p", "longer", "no")).report(), "length_bias"), 0);
}

}  // namespace
}  // namespace hone::datasets::audit
