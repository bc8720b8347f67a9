#pragma once

#include "datasets/contract.h"
#include "datasets/load.h"
#include "datasets/sampler.h"
#include "engine/lineage.h"
#include "engine/options.h"
#include "engine/text.h"
#include "model/spec.h"

namespace hone::engine {

/// The rows that a run trains and evaluates on, tokenised, the training rows held to the contract.
struct RunData {
  datasets::Dataset train, eval;
  std::vector<std::int64_t> source_sizes;  ///< rows of each of data.sources; of data.train: one
  datasets::ContractReport contract;
  std::vector<DataInput> inputs;  ///< what the rows were read from, for the lineage
};

/// @throws DataError, ConfigError
RunData load_run_data(const RunOptions& options, const Text& text, const model::Spec& spec);

/// Whether rows are shared out to a step's micro-batches by their tokens (distributed.balance): of
/// itself only where that changes no number but by rounding, so that nothing about a row hangs on
/// its place or on its neighbours.
bool shares_out_rows(const RunOptions& options);

/// How rows become steps, as the options say.
/// @param world ranks that share a step, each of which accumulates as many micro-batches
datasets::Sampler make_sampler(const RunOptions& options, const RunData& data, int world = 1);
/// Optimizer steps of the whole run.
std::int64_t total_steps(const TrainOptions& train, const datasets::Sampler& sampler);

/// The evaluation rows alone. @throws DataError
datasets::Dataset load_eval_data(const RunOptions& options, const Text& text,
                                 const model::Spec& spec);

/// What rows of this model are tokenised with.
datasets::TextTools text_tools(const Text& text, const model::Spec& spec);
/// The same for the rows that train.method trains on.
datasets::TextTools training_tools(const RunOptions& options, const Text& text,
                                   const model::Spec& spec);

/// Rows of `files`, on the threads that LibTorch uses; what takes long shows its progress.
/// @throws DataError
datasets::Dataset load_rows(const std::vector<std::string>& files,
                            const datasets::DataOptions& options, const datasets::TextTools& tools,
                            std::int64_t context_length);

}  // namespace hone::engine
