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
             "one. 0: all are kept.")});
  return table;
}

}  // namespace hone::checkpoint
