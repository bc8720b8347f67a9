#include "datasets/example.h"

#include <fmt/format.h>

#include <numeric>

namespace hone::datasets {

std::int64_t Example::trained_tokens() const {
  std::int64_t count = 0;
  for (std::size_t t = 0; t < ids.size(); ++t) count += is_trained(t);
  return count;
}

std::int64_t Dataset::tokens() const {
  return std::accumulate(
      examples.begin(), examples.end(), std::int64_t{0},
      [](std::int64_t sum, const Example& example) { return sum + example.length(); });
}

double Dataset::trained_weight() const {
  double sum = 0;
  for (const Example& example : examples) {
    for (std::size_t t = 1; t < example.weights.size(); ++t) sum += example.weights[t];
  }
  return sum;
}

std::vector<std::int64_t> Dataset::lengths() const {
  std::vector<std::int64_t> lengths;
  lengths.reserve(examples.size());
  for (const Example& example : examples) lengths.push_back(example.length());
  return lengths;
}

std::string Dataset::where(const Example& example) const {
  return fmt::format("{}:{}", files.at(static_cast<std::size_t>(example.file)), example.row);
}

std::vector<std::string> describe_changes(const RowCounts& counts) {
  constexpr std::array<std::string_view, kTemplateChangeKinds> kKinds = {
      "leaves something of the messages out", "prints something of the messages in part or changed",
      "takes white space off the messages' ends"};
  std::vector<std::string> lines;
  for (std::size_t kind = 0; kind < kKinds.size(); ++kind) {
    const ChangeCount& count = counts.changes[kind];
    if (count.rows == 0) continue;
    lines.push_back(fmt::format("the chat template {} in {} of {} rows; the first: {}",
                                kKinds[kind], count.rows, counts.rendered, count.first));
  }
  return lines;
}

std::string summary(const Dataset& dataset) {
  const std::int64_t tokens = dataset.tokens();
  std::int64_t trained = 0;
  for (const Example& example : dataset.examples) trained += example.trained_tokens();
  std::string text = fmt::format(
      "{} rows, {} tokens, {} of them trained on ({:.1f} %)", dataset.examples.size(), tokens,
      trained,
      tokens == 0 ? 0.0 : 100.0 * static_cast<double>(trained) / static_cast<double>(tokens));
  const auto add = [&](std::int64_t count, std::string_view what) {
    if (count > 0) text += fmt::format("; {} {}", count, what);
  };
  add(dataset.counts.dropped_overlong, "rows left out as too long");
  add(dataset.counts.truncated, "rows cut as too long");
  add(dataset.counts.straddling, "rows with a token across the border of prompt and response");
  add(dataset.counts.prompt_differs, "rows whose prompt a server would write otherwise");
  return text;
}

}  // namespace hone::datasets
