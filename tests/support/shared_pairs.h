#pragma once

#include <vector>

#include "model/decoder.h"

namespace hone::test {

using torch::Tensor;

/// Prompts with the answers that go on from each.
struct Answers {
  std::int64_t prompt;                ///< tokens
  std::vector<std::int64_t> answers;  ///< tokens of each; none: the prompt is a document
};

/// The same documents twice: with prompts computed once, and written out. The rows are those that
/// predict the answers' tokens, in one order.
struct SharedPairs {
  model::TokenStream shared, plain;
  Tensor shared_rows, plain_rows, targets;
};

/// Ids are random, below `vocab_size`.
inline SharedPairs make_shared_pairs(const std::vector<Answers>& rows, std::int64_t vocab_size) {
  struct Stream {
    std::vector<std::int64_t> ids, positions, borders{0}, prefix_of, rows;
    void append(const std::vector<std::int64_t>& tokens, std::int64_t first_position) {
      for (std::size_t i = 0; i < tokens.size(); ++i)
        positions.push_back(first_position + std::int64_t(i));
      ids.insert(ids.end(), tokens.begin(), tokens.end());
    }
    void end_span(std::int64_t prefix) {
      borders.push_back(std::ssize(ids));
      prefix_of.push_back(prefix);
    }
    model::TokenStream tokens() const {
      return {torch::tensor(ids), torch::tensor(positions), borders, prefix_of};
    }
  };
  std::uint64_t state = 7;
  const auto random_ids = [&](std::int64_t count) {
    std::vector<std::int64_t> ids;
    for (std::int64_t i = 0; i < count; ++i) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      ids.push_back(std::int64_t((state >> 33) % std::uint64_t(vocab_size)));
    }
    return ids;
  };
  Stream shared, plain;
  std::vector<std::int64_t> targets;
  for (const Answers& row : rows) {
    const std::vector<std::int64_t> prompt = random_ids(row.prompt);
    const std::int64_t prompt_span = std::ssize(shared.prefix_of);
    shared.append(prompt, 0);
    shared.end_span(-1);
    const std::int64_t prompt_end = std::ssize(shared.ids);
    if (row.answers.empty()) {
      plain.append(prompt, 0);
      plain.end_span(-1);
    }
    for (const std::int64_t length : row.answers) {
      const std::vector<std::int64_t> answer = random_ids(length);
      plain.append(prompt, 0);
      for (std::int64_t i = 0; i < length; ++i) {
        shared.rows.push_back(i == 0 ? prompt_end - 1 : std::ssize(shared.ids) + i - 1);
        plain.rows.push_back(std::ssize(plain.ids) + i - 1);
        targets.push_back(answer[std::size_t(i)]);
      }
      shared.append(answer, row.prompt);
      shared.end_span(prompt_span);
      plain.append(answer, row.prompt);
      plain.end_span(-1);
    }
  }
  SharedPairs pairs{shared.tokens(), plain.tokens(), torch::tensor(shared.rows),
                    torch::tensor(plain.rows), torch::tensor(targets)};
  pairs.plain.prefix_of.clear();
  return pairs;
}

}  // namespace hone::test
