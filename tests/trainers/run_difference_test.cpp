#include "engine/run_difference.h"

#include "base/error.h"
#include "support/tiny_run.h"

namespace hone::engine {
namespace {

using test::run_hone;
using test::TinyRun;

/// Three steps, but for `option` the same of every run.
void train(const TinyRun& run, const std::string& option = "data.shuffle=false") {
  ASSERT_EQ(run_hone(run.train({"train.max_steps=3", "schedule.warmup_steps=0", "train.seed=1",
                                "checkpoint.save_steps=1", "checkpoint.keep_last=0", option}))
                .exit_code,
            0);
}

TEST(RunDifference, IsZeroOfTheSameRunAndTellsOthersApart) {
  const std::string adapter = "{method: lora, r: 4}";
  const TinyRun run(adapter), same(adapter), faster(adapter), shuffled(adapter);
  train(run);
  train(same);
  train(faster, "optim.learning_rate=2e-3");
  train(shuffled, "data.shuffle=true");
  const RunDifference none = difference(run.output(), same.output(), 1, 3);
  EXPECT_EQ(none.loss, 0);
  EXPECT_EQ(none.grad_norm, 0);
  EXPECT_EQ(none.gradients, 0);
  EXPECT_EQ(none.weights, 0);
  const RunDifference rows = difference(run.output(), shuffled.output(), 1, 3);
  EXPECT_GT(rows.loss, 1e-3);
  EXPECT_GT(rows.grad_norm, 1e-3);
  EXPECT_GT(rows.gradients, 1e-3);
  const RunDifference rate = difference(run.output(), faster.output(), 1, 3);
  EXPECT_GT(rate.weights, 1e-3);
  EXPECT_EQ(rate.gradients, 0) << "those of the first step do not depend on the rate";
}

TEST(RunDifference, OfRunsThatCannotBeComparedIsRefused) {
  const TinyRun run("{method: lora, r: 4}"), wider("{method: lora, r: 8}");
  train(run);
  train(wider);
  EXPECT_THROW(difference(run.output(), wider.output(), 1, 3), DataError);
  EXPECT_THROW(difference(run.output(), run.output(), 1, 4), DataError);
}

}  // namespace
}  // namespace hone::engine
