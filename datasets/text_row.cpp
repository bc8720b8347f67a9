#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "datasets/record_example.h"
#include "datasets/weights.h"
#include "tokenizer/tokenizer.h"

namespace hone::datasets {
namespace {

/// @param prompt_size bytes of the text that are prompt
Example to_document(const std::string& text, std::size_t prompt_size, const RowContext& context) {
  const tokenizer::Tokenizer& tokenizer = *context.tools.tokenizer;
  const std::optional<std::int32_t> eos = tokenizer.special().eos_id;
  HONE_CHECK(ConfigError, eos.has_value(),
             "rows of text end with the tokenizer's EOS token, and it has none; name one as "
             "\"eos_token\" in tokenizer_config.json");
  tokenizer::Encoding encoding = tokenizer.encode(
      text, {.add_special_tokens = true, .literal = {{.begin = 0, .end = text.size()}}});
  const std::vector<WeighedRange> ranges = {{.range = {.begin = prompt_size, .end = text.size()}}};
  const auto prompt_weight = static_cast<float>(context.options.prompt_loss_weight);
  TokenWeights weighed = weigh_tokens(encoding.offsets, ranges, prompt_weight);

  Example example;
  example.ids = std::move(encoding.ids);
  example.weights = std::move(weighed.weights);
  example.responses = std::move(weighed.responses);
  example.straddling_tokens = weighed.straddling_tokens;
  if (example.ids.empty() || example.ids.back() != *eos) {  // else the tokenizer has added it
    example.ids.push_back(*eos);
    example.weights.emplace_back();
    example.responses.emplace_back();
  }
  example.weights.back() = 1.0f;
  example.responses.back() = 1;
  return example;
}

const std::string& filled_text(const Row& row, const char* key) {
  const auto& text = row.at(key).get_ref<const std::string&>();
  HONE_CHECK(DataError, !text.empty(), "\"{}\" is empty; remove the row", key);
  return text;
}

}  // namespace

Example read_completion_row(const Row& row, const RowContext& context) {
  const auto& prompt = row.at("prompt").get_ref<const std::string&>();
  return to_document(prompt + filled_text(row, "completion"), prompt.size(), context);
}

Example read_text_row(const Row& row, const RowContext& context) {
  return to_document(filled_text(row, "text"), 0, context);
}

}  // namespace hone::datasets
