#include <string>
#include <vector>

#include "base/error.h"
#include "datasets/flawed_row.h"
#include "datasets/record_example.h"
#include "tokenizer/tokenizer.h"

namespace hone::datasets {
namespace {

/// What stands behind each step, and is judged: a step is over when it is there.
constexpr std::string_view kStepEnd = "\n";

}  // namespace

Example read_stepwise_row(const Row& row, const RowContext& context) {
  const tokenizer::Tokenizer& tokenizer = *context.tools.tokenizer;
  // A step is tokenised by itself, so that its tokens do not depend on the steps to come.
  const auto append = [&](Example& example, const std::string& text, bool is_prompt) {
    const tokenizer::Encoding encoding = tokenizer.encode(
        text, {.add_special_tokens = is_prompt, .literal = {{.begin = 0, .end = text.size()}}});
    example.ids.insert(example.ids.end(), encoding.ids.begin(), encoding.ids.end());
    example.weights.resize(example.ids.size());
    example.responses.resize(example.ids.size(), is_prompt ? 0 : 1);
  };
  Example example;
  append(example, row.at("prompt").get_ref<const std::string&>(), /*is_prompt=*/true);
  const Row& steps = row.at("completions");
  HONE_CHECK(EmptyAnswer, !steps.empty(), "\"completions\" is empty, so there is no answer");
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const auto& step = steps[i].get_ref<const std::string&>();
    HONE_CHECK(EmptyAnswer, step.find_first_not_of(" \t\r\n") != std::string::npos,
               "completions[{}] is empty, so there is no step", i);
    append(example, step + std::string(kStepEnd), /*is_prompt=*/false);
    example.weights.back() = 1;
    example.values.push_back(row.at("labels").at(i).get<bool>() ? 1.0f : 0.0f);
  }
  return example;
}

}  // namespace hone::datasets
