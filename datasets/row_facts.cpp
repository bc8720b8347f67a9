#include "datasets/row_facts.h"

#include <algorithm>

#include "base/error.h"

namespace hone::datasets {
namespace {

double weight_of(const Example& example) {
  double sum = 0;
  for (std::size_t t = 1; t < example.weights.size(); ++t) sum += example.weights[t];
  return sum;
}

/// What the mask contract asks of each document by itself.
struct DocumentFacts {
  std::int32_t trained_tokens = 0, trained_stops = 0, dangling_stops = 0;
};

DocumentFacts look_at(const Example& example, std::int64_t document,
                      std::span<const std::int32_t> stop_ids) {
  DocumentFacts facts;
  const auto end = static_cast<std::size_t>(example.document_end(document));
  for (auto t = static_cast<std::size_t>(example.document_begin(document)) + 1; t < end; ++t) {
    facts.trained_tokens += example.is_trained(t);
    if (std::find(stop_ids.begin(), stop_ids.end(), example.ids[t]) == stop_ids.end()) continue;
    if (example.is_trained(t)) {
      ++facts.trained_stops;
    } else if (example.is_trained(t - 1)) {
      ++facts.dangling_stops;
    }
  }
  return facts;
}

}  // namespace

RowFacts facts_of(const Example& example, std::span<const std::int32_t> stop_ids) {
  HONE_ASSERT(example.weights.size() == example.ids.size() &&
                  example.responses.size() == example.ids.size(),
              "{} ids, {} weights, {} response flags", example.ids.size(), example.weights.size(),
              example.responses.size());
  RowFacts facts = {.row = example.row,
                    .weight = weight_of(example),
                    .file = example.file,
                    .length = static_cast<std::int32_t>(example.length()),
                    .straddling_tokens = example.straddling_tokens,
                    .prompt_differs = example.prompt_differs};
  for (std::int64_t d = 0; d < example.documents(); ++d) {
    const DocumentFacts document = look_at(example, d, stop_ids);
    facts.trained_tokens += document.trained_tokens;
    facts.untrained_documents += document.trained_tokens == 0;
    facts.dangling_stops += document.dangling_stops;
    facts.trained_stops =
        d == 0 ? document.trained_stops : std::min(facts.trained_stops, document.trained_stops);
  }
  return facts;
}

void RowTotals::add(const RowFacts& facts) {
  const std::int64_t place = rows++;
  tokens += facts.length;
  weight += facts.weight;
  prompt_differs += facts.prompt_differs;
  trained_tokens += facts.trained_tokens;
  trained_stops += facts.trained_stops;
  dangling_stops += facts.dangling_stops;
  const auto note = [place](bool is_culprit, std::int64_t& first) {
    if (is_culprit && first < 0) first = place;
    return is_culprit;
  };
  untrained_rows += note(facts.untrained_documents > 0, first_untrained);
  straddling_rows += note(facts.straddling_tokens > 0, first_straddling);
  note(facts.dangling_stops > 0, first_dangling_stop);

  const double share = facts.trained_tokens / std::max(1.0, static_cast<double>(facts.length));
  if (place == 0 || share < least_share) {
    least_share = share;
    least_trained = place;
  }
  if (place == 0 || share > most_share) {
    most_share = share;
    most_trained = place;
  }
}

void RowTotals::append(const RowTotals& later) {
  const auto place = [this](std::int64_t of_later) { return of_later < 0 ? -1 : rows + of_later; };
  for (const auto first :
       {&RowTotals::first_untrained, &RowTotals::first_straddling, &RowTotals::first_dangling_stop})
    if (this->*first < 0) this->*first = place(later.*first);
  if (least_trained < 0 || (later.rows > 0 && later.least_share < least_share)) {
    least_trained = place(later.least_trained);
    least_share = later.least_share;
  }
  if (most_trained < 0 || (later.rows > 0 && later.most_share > most_share)) {
    most_trained = place(later.most_trained);
    most_share = later.most_share;
  }
  for (const auto sum :
       {&RowTotals::rows, &RowTotals::tokens, &RowTotals::trained_tokens,
        &RowTotals::untrained_rows, &RowTotals::straddling_rows, &RowTotals::prompt_differs,
        &RowTotals::trained_stops, &RowTotals::dangling_stops})
    this->*sum += later.*sum;
  weight += later.weight;
}

}  // namespace hone::datasets
