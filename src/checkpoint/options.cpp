#include "checkpoint/options.h"

namespace hone::checkpoint {

using namespace config;

const Table<CheckpointOptions>& CheckpointOptions::table() {
  static const Table<CheckpointOptions> table(
      "checkpoint", "What is kept of a run for it to go on from.",
      {field("save_steps", &CheckpointOptions::save_steps, 500, at_least(0),
             unit("optimizer steps"),
             "A checkpoint is saved every so many steps, at the end, and on SIGINT or SIGTERM. 0: "
             "not in between."),
       field("keep_last", &CheckpointOptions::keep_last, 2, at_least(0),
             "Checkpoints kept, newest first; older ones are deleted, but never the newest valid "
             "one. 0: all are kept."),
       field("keep_every", &CheckpointOptions::keep_every, 0, at_least(0), unit("optimizer steps"),
             "Checkpoints of the multiples of this are kept besides. 0: none are."),
       field(
           "keep_best", &CheckpointOptions::keep_best, false,
           "An evaluation that is the best so far (eval.metric_for_best_model) is saved, and kept "
           "until a better one is."),
       field("load_best_model_at_end", &CheckpointOptions::load_best_model_at_end, false,
             "The run's product is the model of the best evaluation, not the last one; keep_best "
             "is then on."),
       field("async_save", &CheckpointOptions::async_save, true,
             "A checkpoint is copied in memory and written while the run goes on, which takes that "
             "memory. false: the run waits until it is written.")});
  return table;
}

}  // namespace hone::checkpoint
