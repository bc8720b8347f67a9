#include <array>
#include <limits>
#include <optional>
#include <string>

#include "base/error.h"
#include "datasets/flawed_row.h"
#include "datasets/record_example.h"

namespace hone::datasets {
namespace {

constexpr std::int64_t kIgnoredLabel = -100;

const Row& array_at(const Row& row, std::string_view key) {
  const Row& array = row.at(std::string(key));
  HONE_CHECK(DataError, array.is_array(), "\"{}\" is {}, expected an array of integers", key,
             array.type_name());
  return array;
}

/// Integers that do not fit come out as the largest one, which no vocabulary reaches.
std::int64_t integer_at(const Row& array, std::size_t i, std::string_view key) {
  const Row& item = array[i];
  HONE_CHECK(DataError, item.is_number_integer(), "{}[{}] is {}, expected an integer", key, i,
             item.dump());
  if (item.is_number_unsigned() &&
      item.get<std::uint64_t>() > std::numeric_limits<std::int64_t>::max())
    return std::numeric_limits<std::int64_t>::max();
  return item.get<std::int64_t>();
}

/// An array that says something of each id.
const Row& companion_at(const Row& row, std::string_view key, std::size_t size) {
  const Row& array = array_at(row, key);
  HONE_CHECK(DataError, array.size() == size,
             "\"{}\" has {} items and \"input_ids\" {}; expected one for each id", key,
             array.size(), size);
  return array;
}

std::vector<std::int32_t> read_ids(const Row& row, std::string_view key, std::int64_t vocab_size) {
  const Row& array = array_at(row, key);
  const std::int64_t limit = vocab_size > 0 ? vocab_size : std::numeric_limits<std::int32_t>::max();
  std::vector<std::int32_t> ids;
  ids.reserve(array.size());
  for (std::size_t i = 0; i < array.size(); ++i) {
    const std::int64_t id = integer_at(array, i, key);
    HONE_CHECK(DataError, id >= 0 && id < limit,
               "{}[{}] is {}, expected an id from 0 to {}; tokenise the rows with the tokenizer of "
               "this model",
               key, i, array[i].dump(), limit - 1);
    ids.push_back(static_cast<std::int32_t>(id));
  }
  return ids;
}

/// 1 where a token is of the response, as everything below that says which are.
std::vector<std::uint8_t> read_labels(const Row& row, const std::vector<std::int32_t>& ids) {
  const Row& labels = companion_at(row, "labels", ids.size());
  std::vector<std::uint8_t> responses;
  responses.reserve(ids.size());
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const std::int64_t label = integer_at(labels, i, "labels");
    HONE_CHECK(DataError, label == kIgnoredLabel || label == ids[i],
               "labels[{}] is {} and input_ids[{}] is {}; expected the same id, or {} where it is "
               "not trained. Labels are not shifted: each one stands beside its own id",
               i, label, i, ids[i], kIgnoredLabel);
    responses.push_back(label != kIgnoredLabel);
  }
  return responses;
}

std::vector<std::uint8_t> read_completion_mask(const Row& row, std::size_t size) {
  const Row& mask = companion_at(row, "completion_mask", size);
  std::vector<std::uint8_t> responses;
  responses.reserve(size);
  for (std::size_t i = 0; i < size; ++i) {
    const std::int64_t value =
        mask[i].is_boolean() ? mask[i].get<bool>() : integer_at(mask, i, "completion_mask");
    HONE_CHECK(DataError, value == 0 || value == 1,
               "completion_mask[{}] is {}, expected 0 (prompt) or 1 (trained)", i, value);
    responses.push_back(value == 1);
  }
  return responses;
}

/// Other tools' masks. Passing over one would train on everything without a word.
void refuse_other_masks(const Row& row) {
  constexpr std::array kOthers = {"assistant_masks", "assistant_mask", "loss_mask",
                                  "label_mask",      "target_mask",    "loss_weights"};
  for (const char* key : kOthers) {
    HONE_CHECK(DataError, !row.contains(key),
               "\"{}\" is not a key that hone reads; name it \"completion_mask\" (0: prompt, 1: "
               "trained) or give \"labels\"",
               key);
  }
}

void refuse_padding(const Row& row, std::size_t size) {
  if (!row.contains("attention_mask")) return;
  const Row& mask = companion_at(row, "attention_mask", size);
  for (std::size_t i = 0; i < size; ++i) {
    HONE_CHECK(DataError, integer_at(mask, i, "attention_mask") == 1,
               "attention_mask[{}] is {}, so the row is padded; hone packs rows without padding: "
               "remove the padding from every array of the row",
               i, mask[i].dump());
  }
}

}  // namespace

Example read_token_row(const Row& row, const RowContext& context) {
  HONE_CHECK(DataError, row.contains("input_ids"), "the row has no \"input_ids\"");
  const bool has_labels = row.contains("labels");
  const bool has_mask = row.contains("completion_mask");
  HONE_CHECK(DataError, !(has_labels && has_mask),
             "the row has \"labels\" and \"completion_mask\"; keep the one that is meant");
  if (!has_labels && !has_mask) refuse_other_masks(row);
  Example example;
  example.ids = read_ids(row, "input_ids", context.tools.vocab_size);
  HONE_CHECK(DataError, !example.ids.empty(), "\"input_ids\" is empty; remove the row");
  refuse_padding(row, example.ids.size());
  if (has_labels) {
    example.responses = read_labels(row, example.ids);
  } else if (has_mask) {
    example.responses = read_completion_mask(row, example.ids.size());
  } else {
    example.responses.assign(example.ids.size(), 1);
  }
  const float prompt = has_labels ? 0 : static_cast<float>(context.options.prompt_loss_weight);
  for (const std::uint8_t is_response : example.responses)
    example.weights.push_back(is_response ? 1.0f : prompt);
  return example;
}

Example read_token_answer(const Row& row, const char* answer, const RowContext& context) {
  Example example;
  example.ids = read_ids(row, "prompt_ids", context.tools.vocab_size);
  const auto prompt = example.ids.size();
  const std::vector<std::int32_t> ids = read_ids(row, answer, context.tools.vocab_size);
  HONE_CHECK(EmptyAnswer, !ids.empty(), "\"{}\" is empty, so there is no answer", answer);
  example.ids.insert(example.ids.end(), ids.begin(), ids.end());
  example.responses.assign(prompt, 0);
  example.responses.resize(example.ids.size(), 1);
  example.weights.assign(example.responses.begin(), example.responses.end());
  return example;
}

}  // namespace hone::datasets
