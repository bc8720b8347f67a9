#pragma once

#include <string>
#include <vector>

#include "engine/options.h"
#include "engine/text.h"
#include "eval/evaluate.h"
#include "model/decoder.h"
#include "report/metrics_log.h"

namespace hone::engine {

/// The evaluations of eval.suite beside a training run: measured on the model that the run starts
/// from, and on what has become of it, so that what the training costs elsewhere is seen.
class SuiteWatch {
 public:
  /// @throws ConfigError where an evaluation cannot be made with such a model
  SuiteWatch(const RunOptions& options, Text text, const model::Spec& spec);

  /// The model before the first step. A resumed run measures it again, as it is not in the
  /// checkpoint.
  /// @param crew who measures together, each a share of the rows
  /// @return eval_NAME/METRIC of each; nothing without a suite
  report::Metrics measure_start(const model::Decoder& decoder, const eval::Crew& crew = {});

  /// The model as it is now. @pre measure_start
  report::Metrics measure(const model::Decoder& decoder, const eval::Crew& crew = {});

  /// What has changed since the start, a line each; what got worse by more than chance explains
  /// says so. Empty where nothing was measured.
  std::string changes() const;

 private:
  std::vector<eval::Evaluation> evaluate(const model::Decoder& decoder,
                                         const eval::Crew& crew) const;

  RunOptions options_;
  Text text_;
  std::int64_t vocab_size_, context_length_;
  std::vector<eval::Evaluation> start_, now_;
};

/// What evaluations of a run have in common. @param tools lives longer than the result
eval::Setting eval_setting(const RunOptions& options, const datasets::TextTools& tools,
                           std::int64_t context_length);

}  // namespace hone::engine
