#include "engine/run_checkpoint.h"

#include "base/error.h"
#include "base/file.h"
#include "checkpoint/checkpoints.h"
#include "unit/engine/scripted_run.h"

namespace hone::engine {
namespace {

using test::ScriptedRun;

// The run changes its weights while the thread writes what they were.
TEST(CheckpointWriter, WritesBehindTheRunWhatItWouldWriteWaiting) {
  const std::vector<std::string> more = {"checkpoint.save_steps=1", "checkpoint.keep_last=0"};
  ScriptedRun behind, waiting;
  ASSERT_EQ(behind.train(more), ExitCode::kDone);
  auto waits = more;
  waits.push_back("checkpoint.async_save=false");
  ASSERT_EQ(waiting.train(waits), ExitCode::kDone);
  ASSERT_EQ(behind.checkpoints().size(), 20u);
  for (const std::int64_t step : behind.checkpoints())
    for (const char* file : {"trainable.safetensors", "optimizer.safetensors", "state.json"})
      EXPECT_EQ(read_file(checkpoint::folder_of_step(behind.output(), step) / file),
                read_file(checkpoint::folder_of_step(waiting.output(), step) / file))
          << step << file;
}

TEST(CheckpointWriter, AFailureOfItsThreadEndsTheRun) {
  for (const char* way : {"true", "false"}) {
    ScriptedRun run;
    run.folder.write("run/checkpoints", "a file where a folder should be");
    const std::string message = test::message_of<IoError>([&] {
      run.train({"checkpoint.save_steps=3", std::string("checkpoint.async_save=") + way},
                /*resume=*/true);
    });
    EXPECT_TRUE(test::contains(message, "checkpoints"));
    EXPECT_EQ(run.record()["status"], "failed");
    EXPECT_LT(run.record()["steps"], 20) << "told at once, not at the end";
  }
}

}  // namespace
}  // namespace hone::engine
