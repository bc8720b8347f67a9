#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "datasets/dataset.h"
#include "datasets/load.h"
#include "datasets/options.h"
#include "eval/crew.h"
#include "eval/options.h"
#include "eval/tally.h"
#include "model/decoder.h"

namespace hone::eval {

/// What evaluations of a run have in common.
struct Setting {
  const datasets::DataOptions& data;
  const datasets::TextTools& tools;
  std::int64_t context_length;  ///< tokens that the model can take; longer rows: data.overlong
  std::int64_t tokens_per_batch;
  std::int64_t answers_per_batch;
  std::uint64_t seed;
  /// Called with what was measured of each row: the evaluation's name, the row's place and the
  /// outcome. Empty: nobody listens.
  std::function<void(const nlohmann::ordered_json& row)> on_row = {};
  Crew crew = {};  ///< who measures together; each of them hears of every row
};

/// What an evaluation found.
struct Evaluation {
  std::string name;
  std::vector<Tally> tallies = {};  ///< one for each metric, in the order of the options
  std::int64_t rows = 0;
  std::int64_t rows_left_out = 0;  ///< too long for the model
  std::int64_t tokens = 0;         ///< of documents that were scored
  std::int64_t trained_tokens = 0;
  std::int64_t generated_tokens = 0;
  double generation_s = 0;
  double seconds = 0;

  /// Null where it is not one of them.
  const Tally* find(std::string_view metric) const;
};

/// Refuses what cannot be measured on such a model, before its weights are read.
/// @throws ConfigError naming evaluation, metric and remedy
void check_possible(const SuiteOptions& options, const model::Spec& spec,
                    const datasets::TextTools& tools);

/// Measures a model on rows, which are read once for each kind of thing that metrics need of them,
/// and not kept.
/// @throws DataError naming a row that has not what a metric needs, or where no row is left
Evaluation evaluate(const model::Decoder& decoder, const SuiteOptions& options,
                    const Setting& setting);

/// The loss over the rows of a data set.
Evaluation evaluate_loss(const model::Decoder& decoder, const datasets::Dataset& data,
                         std::int64_t tokens_per_batch, const Crew& crew = {});

}  // namespace hone::eval
