#include "engine/sharding.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <map>
#include <mutex>

#include "config/load.h"
#include "engine/tensor_memory.h"
#include "model/load.h"
#include "model/weights.h"
#include "optim/optimizer.h"
#include "support/support.h"
#include "unit/distributed/rank_threads.h"

// Ranks are threads here, so that what LibTorch's memory holds is that of all of them together.

namespace hone::engine {
namespace {

struct Held {
  double between = 0;  ///< bytes a rank between passes: weights and the optimizer's state
  double peak = 0;     ///< the most in a forward pass of two tokens
  double largest = 0;  ///< of the places that are gathered at a time
};

RunOptions options_of(const std::string& adapter) {
  return config::parse<RunOptions>("model: {base: '" + test::fixture("train/_base").string() +
                                       "'}\nadapter: {method: " + adapter + "}\ndata: {train: '" +
                                       test::fixture("train/data/sft.jsonl").string() +
                                       "'}\ntrain: {output_dir: run}\n"
                                       "distributed: {strategy: fsdp, gather_ahead: false}\n",
                                   "a test")
      .options;
}

/// A layer's weights with its adapters', or what stands outside the layers.
double largest_place(model::Decoder& decoder, const Trainable& trainable) {
  std::map<std::string, double> bytes;
  const auto add = [&](const std::string& name, const Tensor& tensor) {
    const std::size_t at = name.find("layers.");
    bytes[at == std::string::npos ? "" : name.substr(at, 8)] += double(tensor.nbytes());
  };
  for (const model::WeightSlot& slot : model::weight_slots(decoder)) add(slot.name, *slot.tensor);
  if (trainable.adapter)
    for (const optim::Parameter& parameter : trainable.parameters)
      add(parameter.name, parameter.tensor);
  double largest = 0;
  for (const auto& [place, size] : bytes) largest = std::max(largest, size);
  return largest;
}

Held measure(int world, const std::string& adapter) {
  tensor_memory::count();
  const double before = double(tensor_memory::bytes());
  Held held;
  distributed::as_parting_ranks(world, [&](distributed::Group& group) {
    const RunOptions options = options_of(adapter);
    model::Decoder decoder = model::load_decoder(options.model.base, {});
    Trainable trainable =
        make_trainable(decoder, options.adapter, {}, {.added_ids = {}, .total_steps = 10});
    const double largest = largest_place(decoder, trainable);
    const auto sharding = divide_among_ranks(options, group, decoder, nullptr, trainable);
    const optim::Optimizer optimizer(trainable.parameters, options.optim);
    group.barrier("the start");
    if (group.is_first())
      held = {(double(tensor_memory::bytes()) - before) / world,
              std::numeric_limits<double>::infinity(), largest};
    // Gloo's threads let go of a buffer a moment after it has arrived, on a busy machine a longer
    // one: the pass in which they were quick counts.
    for (int pass = 0; pass < 60; ++pass) {
      if (sharding) sharding->rest();
      group.barrier("the rest");
      if (group.is_first()) tensor_memory::begin_peak();
      group.barrier("the pass");
      {
        const torch::NoGradGuard no_grad;
        const Tensor ids = torch::tensor({1, 2}, torch::kInt64);
        model::hidden_states(decoder, {ids, torch::arange(2, torch::kInt64), {0, 2}});
      }
      group.barrier("the end");
      if (group.is_first())
        held.peak = std::min(held.peak, (double(tensor_memory::peak_bytes()) - before) / world);
      group.barrier("the measure");
    }
  });
  return held;
}

/// What two tokens and the exchange of small numbers take.
constexpr double kBesides_bytes = 16 << 10;

class FsdpOn4 : public testing::TestWithParam<std::string> {};

TEST_P(FsdpOn4, KeepsAQuarterBetweenLayersAndGathersOneAtATime) {
  const Held alone = measure(1, GetParam()), shared = measure(4, GetParam());
  EXPECT_LE(shared.between, 0.3 * alone.between) << shared.between << " of " << alone.between;
  EXPECT_LE(shared.peak, shared.between + shared.largest + kBesides_bytes)
      << shared.between << " and " << shared.largest;
  RecordProperty("share", std::to_string(shared.between / alone.between));
}

INSTANTIATE_TEST_SUITE_P(Methods, FsdpOn4, testing::Values("full", "lora"),
                         [](const auto& one) { return one.param; });

}  // namespace
}  // namespace hone::engine
