#include "datasets/contract.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "base/error.h"
#include "base/log.h"

namespace hone::datasets {
namespace {

double share(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
}

/// One example of each kind of trouble, for the messages.
struct Culprits {
  const Example* untrained = nullptr;
  const Example* straddling = nullptr;
  const Example* dangling_stop = nullptr;
};

class Examination {
 public:
  Examination(const Dataset& dataset, const DataOptions& options,
              const std::vector<std::int32_t>& stop_ids)
      : dataset_(dataset), options_(options), stop_ids_(stop_ids) {}

  ContractReport run() {
    for (const Example& example : dataset_.examples) count(example);
    if (report_.trained_tokens == 0) {
      find_nothing_trained();
    } else {
      find_untrained_rows();
      find_missing_stop();
      find_share();
    }
    find_straddling();
    return std::move(report_);
  }

 private:
  void count(const Example& example) {
    const std::int64_t trained = example.trained_tokens();
    ++report_.rows;
    report_.tokens += example.length();
    report_.trained_tokens += trained;
    if (trained == 0) {
      ++report_.untrained_rows;
      if (culprits_.untrained == nullptr) culprits_.untrained = &example;
    }
    if (example.straddling_tokens > 0) {
      ++report_.straddling_rows;
      if (culprits_.straddling == nullptr) culprits_.straddling = &example;
    }
    if (!stop_ids_.empty()) count_stops(example);
  }

  void count_stops(const Example& example) {
    for (std::size_t t = 1; t < example.ids.size(); ++t) {
      if (std::find(stop_ids_.begin(), stop_ids_.end(), example.ids[t]) == stop_ids_.end())
        continue;
      if (example.is_trained(t)) {
        ++report_.trained_stops;
      } else if (example.is_trained(t - 1)) {
        ++report_.dangling_stops;
        if (culprits_.dangling_stop == nullptr) culprits_.dangling_stop = &example;
      }
    }
  }

  template <class... Args>
  void add(fmt::format_string<Args...> format, Args&&... args) {
    report_.problems.push_back(fmt::format(format, std::forward<Args>(args)...));
  }

  void find_nothing_trained() {
    add("{}: none of the {} tokens in {} rows is trained on, here as everywhere. Rows need an "
        "assistant message that the chat template prints, labels other than -100, or a "
        "completion_mask with ones",
        dataset_.where(*culprits_.untrained), report_.tokens, report_.rows);
  }

  void find_untrained_rows() {
    if (report_.untrained_row_share() <= options_.max_untrained_rows) return;
    add("{}: no token of the row is trained on; so it is with {} of {} rows ({:.2f} %, allowed "
        "{:.2f} %). Remove such rows, or allow them with data.max_untrained_rows",
        dataset_.where(*culprits_.untrained), report_.untrained_rows, report_.rows,
        100 * report_.untrained_row_share(), 100 * options_.max_untrained_rows);
  }

  void find_missing_stop() {
    if (report_.trained_stops > 0 || stop_ids_.empty()) return;
    if (report_.dangling_stops > 0) {
      add("{}: the stop token behind the response is not trained on, here or in any other row, so "
          "the model would not learn to stop. Give the stop token ({}) a label, or 1 in "
          "completion_mask",
          dataset_.where(*culprits_.dangling_stop), fmt::join(stop_ids_, ", "));
    } else if (dataset_.counts.rendered > 0) {
      add("{}: no response ends in a stop token ({}), here or in any other row, so the model would "
          "not learn to stop. The chat template has to print the stop token after each assistant "
          "message: give one that does with data.template",
          dataset_.where(dataset_.examples.front()), fmt::join(stop_ids_, ", "));
    }
  }

  void find_share() {
    const double trained = report_.trained_share();
    if (trained >= options_.min_trained_share && trained <= options_.max_trained_share) return;
    const bool is_low = trained < options_.min_trained_share;
    const auto of_row = [](const Example& e) { return share(e.trained_tokens(), e.length()); };
    const auto [low, high] = std::minmax_element(
        dataset_.examples.begin(), dataset_.examples.end(),
        [&](const Example& a, const Example& b) { return of_row(a) < of_row(b); });
    const Example& example = is_low ? *low : *high;
    add("{}: {:.2f} % of the tokens are trained on, expected from {:.2f} % to {:.2f} %; in this "
        "row, the farthest from it, {} of {} are. Look at the masks, or move "
        "data.{}_trained_share",
        dataset_.where(example), 100 * trained, 100 * options_.min_trained_share,
        100 * options_.max_trained_share, example.trained_tokens(), example.length(),
        is_low ? "min" : "max");
  }

  void find_straddling() {
    if (report_.straddling_row_share() <= options_.max_straddling_rows) return;
    add("{}: {} of the row's tokens lie across the border between prompt and response, so a "
        "server, "
        "which takes the prompt by itself, would not produce what is trained; so it is with {} of "
        "{} rows ({:.2f} %, allowed {:.2f} %). Have the template end the prompt with a special "
        "token or a newline, take white space off the ends of the messages, or allow it with "
        "data.max_straddling_rows",
        dataset_.where(*culprits_.straddling), culprits_.straddling->straddling_tokens,
        report_.straddling_rows, report_.rows, 100 * report_.straddling_row_share(),
        100 * options_.max_straddling_rows);
  }

  const Dataset& dataset_;
  const DataOptions& options_;
  const std::vector<std::int32_t>& stop_ids_;
  ContractReport report_;
  Culprits culprits_;
};

}  // namespace

double ContractReport::trained_share() const { return share(trained_tokens, tokens); }
double ContractReport::untrained_row_share() const { return share(untrained_rows, rows); }
double ContractReport::straddling_row_share() const { return share(straddling_rows, rows); }

ContractReport examine_masks(const Dataset& dataset, const DataOptions& options,
                             const std::vector<std::int32_t>& stop_ids) {
  HONE_CHECK(DataError, !dataset.examples.empty(), "there are no rows to train on");
  return Examination(dataset, options, stop_ids).run();
}

ContractReport check_contract(const Dataset& dataset, const DataOptions& options,
                              const std::vector<std::int32_t>& stop_ids) {
  ContractReport report = examine_masks(dataset, options, stop_ids);
  if (!options.mask_contract) {
    for (const std::string& problem : report.problems) log::warn("mask contract: {}", problem);
    return report;
  }
  HONE_CHECK(DataError, report.problems.empty(),
             "The mask contract is broken, so nothing was trained:\n{}\n(data.mask_contract: false "
             "turns this refusal into a warning.)",
             fmt::join(report.problems, "\n"));
  return report;
}

}  // namespace hone::datasets
