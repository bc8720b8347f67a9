#include "base/error.h"
#include "base/philox.h"
#include "config/load.h"
#include "options.h"
#include "support/support.h"

namespace hone::config {
namespace {

constexpr std::string_view kDocument = R"(# a run
seed: 7
model:
  base: "tiny"  # quoted
  revision: ~
  rope_scaling: {type: linear, factor: 2.5}
data:
  train: []
  columns:
    - text
    - 'label'
  mix: {a: 1, "b": 2e-1}
  shuffle: false
optim:
  name: >-
    sgd
  learning_rate: 1e-4
  fused: null
)";

/// Either loads or refuses with a ConfigError that says something; anything else fails the test.
void expect_loaded_or_refused(const std::string& text) {
  try {
    parse<test::RunOptions>(text, "fuzz.yaml", {"optim.weight_decay=" + text.substr(0, 20)});
  } catch (const ConfigError& error) {
    EXPECT_GT(std::string_view(error.what()).size(), 10u);
  } catch (const std::exception& error) {
    ADD_FAILURE() << error.what() << "\nfor:\n" << text;
  }
}

TEST(LoadFuzz, TheDocumentItselfLoads) {
  const auto loaded = parse<test::RunOptions>(kDocument, "run.yaml");
  EXPECT_EQ(loaded.options.optim.name, "sgd");
}

TEST(LoadFuzz, EveryTruncationIsReadOrRefused) {
  for (std::size_t size = 0; size <= kDocument.size(); ++size)
    expect_loaded_or_refused(std::string(kDocument.substr(0, size)));
}

TEST(LoadFuzz, EveryByteReplacedIsReadOrRefused) {
  for (std::size_t i = 0; i < kDocument.size(); ++i) {
    for (const char c : std::string("\0\x04\t\n :-[]{}\"'&*!|>%@,?#~\xff\x80", 27)) {
      std::string text(kDocument);
      text[i] = c;
      expect_loaded_or_refused(text);
    }
  }
}

TEST(LoadFuzz, RandomEditsAreReadOrRefused) {
  const std::string tokens = "[]{}:-?,&*!|>'\"%@`#~ \n\t<.x0";
  for (std::uint64_t round = 0; round < 20'000; ++round) {
    std::string text(kDocument);
    const Philox random(round);
    for (std::uint64_t edit = 0; edit < 1 + round % 8; ++edit) {
      const Philox::Words words = random(edit, 0);
      const std::size_t at = words.w[0] % text.size();
      const std::size_t length = words.w[1] % 8;
      const char token = tokens[words.w[2] % tokens.size()];
      if (words.w[3] % 3 == 0) {
        text.insert(at, 1 + length, token);
      } else if (words.w[3] % 3 == 1) {
        text.erase(at, length);
      } else {
        text.insert(at, text.substr(words.w[2] % text.size(), 4 * length));
      }
      if (text.empty()) break;
    }
    expect_loaded_or_refused(text);
  }
}

}  // namespace
}  // namespace hone::config
