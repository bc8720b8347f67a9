#include "datasets/contract.h"

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/log.h"

namespace hone::datasets {
namespace {

double share(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
}

class Examination {
 public:
  Examination(const Dataset& dataset, const DataOptions& options)
      : dataset_(dataset), options_(options), totals_(dataset.totals()) {
    report_.totals = totals_;
  }

  ContractReport run() {
    if (totals_.trained_tokens == 0) {
      find_nothing_trained();
    } else {
      find_untrained_rows();
      find_missing_stop();
      find_share();
    }
    find_straddling();
    find_equal_labels();
    return std::move(report_);
  }

 private:
  template <class... Args>
  void add(fmt::format_string<Args...> format, Args&&... args) {
    report_.problems.push_back(fmt::format(format, std::forward<Args>(args)...));
  }

  void find_nothing_trained() {
    add("{}: none of the {} tokens in {} rows is trained on, here as everywhere. Rows need an "
        "assistant message that the chat template prints, labels other than -100, or a "
        "completion_mask with ones",
        dataset_.where(totals_.first_untrained), totals_.tokens, totals_.rows);
  }

  void find_untrained_rows() {
    if (report_.untrained_row_share() <= options_.max_untrained_rows) return;
    add("{}: no token of the row is trained on; so it is with {} of {} rows ({:.2f} %, allowed "
        "{:.2f} %). Remove such rows, or allow them with data.max_untrained_rows",
        dataset_.where(totals_.first_untrained), totals_.untrained_rows, totals_.rows,
        100 * report_.untrained_row_share(), 100 * options_.max_untrained_rows);
  }

  void find_missing_stop() {
    const std::vector<std::int32_t>& stop_ids = dataset_.info().stop_ids;
    if (totals_.trained_stops > 0 || stop_ids.empty()) return;
    if (totals_.dangling_stops > 0) {
      add("{}: the stop token behind the response is not trained on, here or in any other row, so "
          "the model would not learn to stop. Give the stop token ({}) a label, or 1 in "
          "completion_mask",
          dataset_.where(totals_.first_dangling_stop), fmt::join(stop_ids, ", "));
    } else if (dataset_.counts().rendered > 0) {
      add("{}: no response ends in a stop token ({}), here or in any other row, so the model would "
          "not learn to stop. The chat template has to print the stop token after each assistant "
          "message: give one that does with data.template",
          dataset_.where(0), fmt::join(stop_ids, ", "));
    }
  }

  void find_share() {
    const double trained = report_.trained_share();
    if (trained >= options_.min_trained_share && trained <= options_.max_trained_share) return;
    const bool is_low = trained < options_.min_trained_share;
    const std::int64_t row = is_low ? totals_.least_trained : totals_.most_trained;
    const RowFacts facts = dataset_.facts(row);
    add("{}: {:.2f} % of the tokens are trained on, expected from {:.2f} % to {:.2f} %; in this "
        "row, the farthest from it, {} of {} are. Look at the masks, or move "
        "data.{}_trained_share",
        dataset_.where(row), 100 * trained, 100 * options_.min_trained_share,
        100 * options_.max_trained_share, facts.trained_tokens, facts.length,
        is_low ? "min" : "max");
  }

  void find_straddling() {
    if (report_.straddling_row_share() <= options_.max_straddling_rows) return;
    const std::int64_t row = totals_.first_straddling;
    add("{}: {} of the row's tokens lie across the border between prompt and response, so a "
        "server, which takes the prompt by itself, would not produce what is trained; so it is "
        "with {} of {} rows ({:.2f} %, allowed {:.2f} %). Have the template end the prompt with a "
        "special token or a newline, take white space off the ends of the messages, or allow it "
        "with data.max_straddling_rows",
        dataset_.where(row), dataset_.facts(row).straddling_tokens, totals_.straddling_rows,
        totals_.rows, 100 * report_.straddling_row_share(), 100 * options_.max_straddling_rows);
  }

  /// What is told apart by nothing cannot be learnt to tell apart.
  void find_equal_labels() {
    const RowCounts& counts = dataset_.counts();
    const std::int64_t labelled = counts.desirable + counts.undesirable;
    if (labelled == 0 || (counts.desirable > 0 && counts.undesirable > 0)) return;
    const std::string what = fmt::format(
        "{}: the label is {}, here and in all {} rows, so there is nothing to tell apart. Add rows "
        "of the other label, or train on these with train.method: sft",
        dataset_.where(0), counts.desirable > 0, labelled);
    if (options_.flawed_rows == "drop") {
      log::warn("{}", what);
    } else {
      add("{} (data.flawed_rows: drop makes a warning of this)", what);
    }
  }

  const Dataset& dataset_;
  const DataOptions& options_;
  const RowTotals& totals_;
  ContractReport report_;
};

}  // namespace

double ContractReport::trained_share() const { return share(totals.trained_tokens, totals.tokens); }
double ContractReport::untrained_row_share() const {
  return share(totals.untrained_rows, totals.rows);
}
double ContractReport::straddling_row_share() const {
  return share(totals.straddling_rows, totals.rows);
}

ContractReport examine_masks(const Dataset& dataset, const DataOptions& options) {
  HONE_CHECK(DataError, !dataset.empty(), "there are no rows to train on");
  return Examination(dataset, options).run();
}

ContractReport check_contract(const Dataset& dataset, const DataOptions& options) {
  ContractReport report = examine_masks(dataset, options);
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
