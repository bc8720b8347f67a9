#pragma once

#include "datasets/batch.h"
#include "distributed/group.h"
#include "loss/kto.h"
#include "report/metrics_log.h"

namespace hone::kto {

using torch::Tensor;

/// [R] bool: the rows' labels.
Tensor labels_of(const datasets::Batch& batch, torch::Device device);

/// Sums over answers by their label, so that means are over all of a step's or an evaluation's.
class AnswerTally {
 public:
  /// @param policy [R] log-probabilities; losses of the same rows
  void add(const Tensor& policy, const Tensor& desirable, const loss::RowLosses& losses);
  /// Takes in what the other ranks have added.
  void sum_over(const distributed::Group& group);

  /// rewards/chosen and logps/chosen (label true), rewards/rejected and logps/rejected (false),
  /// where there are such answers; rewards/margins where there are both.
  report::Metrics metrics(const std::string& prefix = "") const;

 private:
  struct Side {
    double answers = 0, rewards = 0, logps = 0;
  };
  Side chosen_, rejected_;
};

}  // namespace hone::kto
