#pragma once

#include <vector>

#include "distributed/group.h"
#include "engine/batch.h"
#include "engine/evaluate.h"
#include "report/metrics_log.h"

namespace hone::reward {

using torch::Tensor;

/// What the model said of answers, beside what the data says of them: of a step, or of an
/// evaluation. In the order of the data.
struct Judgements {
  std::vector<double> outputs;  ///< of the head
  std::vector<double> values;   ///< margins, scores or labels
  std::vector<double> lengths;  ///< tokens of each document's answer

  void add(const Tensor& outputs_MA, const engine::DeviceBatch& batch);
  /// Takes in the other ranks', whose order is theirs.
  void gather(const distributed::Group& group);
};

/// Judgements among numbers, and taken out of them again, behind those that are there.
void put(const Judgements& judgements, eval::Numbers& numbers);
void take_more(engine::NumbersReader& next, Judgements& judgements);

/// accuracy (pairs whose chosen answer has the larger reward), margin, and the rewards' mean and
/// ends.
report::Metrics pair_metrics(const Judgements& judgements);
/// Of an evaluation: also how far confidence is from being right (calibration_error), how much
/// rewards follow length (length_correlation), and how often the longer answer is the chosen one
/// in the data (longer_is_chosen).
report::Metrics pair_evaluation(const Judgements& judgements);

/// The outputs' mean and ends.
report::Metrics score_metrics(const Judgements& judgements);
/// Also how outputs and scores correlate, over all rows and attributes, and outputs and lengths.
report::Metrics score_evaluation(const Judgements& judgements);

/// accuracy: steps whose label is on the output's side of 0.
report::Metrics step_metrics(const Judgements& judgements);
report::Metrics step_evaluation(const Judgements& judgements);

/// How far confidences are from what comes of them: the mean over ten bins of confidence of
/// |share that is right − mean confidence|, each bin by its size.
/// @param confidences [n] in [0, 1]; @param is_right [n]
/// @source Guo et al., "On calibration of modern neural networks", arXiv:1706.04599, eq. 3
double calibration_error(const std::vector<double>& confidences, const std::vector<bool>& is_right);

/// Pearson's; 0 where one of the two does not vary.
double correlation(const std::vector<double>& x, const std::vector<double>& y);

}  // namespace hone::reward
