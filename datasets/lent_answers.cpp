#include "datasets/lent_answers.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "base/error.h"

namespace hone::datasets {
namespace {

/// Tokens before the response.
std::int64_t prompt_of(const Example& example) {
  return std::find(example.responses.begin(), example.responses.end(), 1) -
         example.responses.begin();
}

class LentAnswers : public RowStore {
 public:
  LentAnswers(Dataset rows, std::int64_t limit) : rows_(std::move(rows)), limit_(limit) {}

  Example example(std::int64_t i) const override {
    const Example own = rows_.example(i);
    Example both = joined({own, with_answer_of(own, rows_.example(lender(i)))});
    both.values = own.values;
    both.straddling_tokens = own.straddling_tokens;
    both.prompt_differs = own.prompt_differs;
    return both;
  }

  /// Those of the row's own document: the other one is not trained on.
  RowFacts facts(std::int64_t i) const override { return rows_.facts(i); }

 private:
  std::int64_t lender(std::int64_t i) const {
    const std::int64_t neighbour = i % 2 == 0 ? i + 1 : i - 1;
    return neighbour < rows_.size() ? neighbour : i - 1;
  }

  Example with_answer_of(const Example& own, const Example& other) const {
    const std::int64_t prompt = prompt_of(own), answer = prompt_of(other);
    std::int64_t length = prompt + other.length() - answer;
    if (limit_ > 0) length = std::min(length, std::max(limit_, prompt + 1));
    const auto mix = [&](auto mixed, const auto& from) {
      mixed.resize(static_cast<std::size_t>(prompt));
      mixed.insert(mixed.end(), from.begin() + answer, from.begin() + answer + length - prompt);
      return mixed;
    };
    return {.ids = mix(own.ids, other.ids),
            .weights = mix(own.weights, other.weights),
            .responses = mix(own.responses, other.responses)};
  }

  Dataset rows_;
  std::int64_t limit_;
};

}  // namespace

Dataset with_lent_answers(const Dataset& rows, std::int64_t limit) {
  HONE_CHECK(DataError, rows.size() >= 2,
             "{}: there is one row, and the baseline needs the answer of another; give more rows, "
             "or a loss_type without a baseline",
             rows.where(0));
  const auto lent = std::make_shared<const LentAnswers>(rows, limit);
  std::vector<std::int64_t> lengths;
  for (std::int64_t i = 0; i < rows.size(); ++i) lengths.push_back(lent->example(i).length());
  return {rows.info(), rows.totals(), std::move(lengths), lent};
}

}  // namespace hone::datasets
