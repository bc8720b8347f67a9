#include "engine/run_checkpoint.h"

#include <chrono>
#include <csignal>
#include <thread>

#include "base/error.h"
#include "base/file.h"
#include "base/interrupt.h"
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

// The checkpoint of step 3 cannot be written behind the run; then there is room again, and a signal
// comes: within step 4, which is left, or at its end.
TEST(CheckpointWriter, ASignalAfterAFailureSavesOnceMore) {
  for (const bool within_the_step : {true, false}) {
    ScriptedRun run;
    const auto obstacle = run.folder.write("run/checkpoints", "a file where a folder should be");
    run.script = [&](test::ScriptedTrainer& trainer) {
      (within_the_step ? trainer.after_forward : trainer.after_step) = [&](std::int64_t step) {
        if (step != 4) return;
        std::this_thread::sleep_for(std::chrono::milliseconds(300));  // for the thread to fail
        std::filesystem::remove(obstacle);
        std::raise(SIGTERM);
      };
    };
    testing::internal::CaptureStderr();
    const InterruptGuard guard;
    EXPECT_EQ(run.train({"checkpoint.save_steps=3"}, /*resume=*/true), ExitCode::kRunAgain);
    EXPECT_TRUE(test::contains(testing::internal::GetCapturedStderr(),
                               "the checkpoint of step 3 was not written"));
    EXPECT_EQ(run.checkpoints(), (std::vector<std::int64_t>{within_the_step ? 3 : 4}));
    EXPECT_EQ(run.record()["status"], "stopped");
  }
}

TEST(CheckpointWriter, ASignalWhereNothingCanBeWrittenEndsTheRunAsFailed) {
  ScriptedRun run;
  run.folder.write("run/checkpoints", "a file where a folder should be");
  run.script = [](test::ScriptedTrainer& trainer) {
    trainer.after_forward = [](std::int64_t step) {
      if (step == 4) std::raise(SIGTERM);
    };
  };
  const InterruptGuard guard;
  EXPECT_THROW(run.train({"checkpoint.save_steps=3"}, /*resume=*/true), IoError);
  EXPECT_EQ(run.record()["status"], "failed");
}

}  // namespace
}  // namespace hone::engine
