#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "distributed/rank_process.h"

// torchrun and Open MPI's mpirun, where they are installed, start ranks that take the steps of one.

namespace hone {
namespace {

namespace fs = std::filesystem;
using test::Finished;
using test::TinyRun;
using Texts = std::vector<std::string>;

int port() { return 20000 + ::getpid() % 1000; }

/// A program by the variable that names it or on the PATH; empty where there is none.
std::string program(const char* name, const char* variable) {
  if (const char* named = std::getenv(variable)) return named;
  std::string found = test::run_program({"which", name}).out;
  while (!found.empty() && found.back() == '\n') found.pop_back();
  return found;
}

struct Starter {
  const char* name;
  const char* variable;  ///< that may name the program
  Texts (*options)();
};

const Starter kStarters[] = {
    {"torchrun", "HONE_TORCHRUN",
     [] {
       return Texts{"--nnodes=1", "--nproc-per-node=2", "--master-addr=127.0.0.1",
                    fmt::format("--master-port={}", port()), "--no-python"};
     }},
    {"mpirun", "HONE_MPIRUN",
     [] {
       return Texts{"--allow-run-as-root",
                    "--oversubscribe",
                    "-np",
                    "2",
                    "-x",
                    fmt::format("MASTER_PORT={}", port())};
     }},
};

class Launcher : public testing::TestWithParam<Starter> {};

TEST_P(Launcher, StartsRanksThatTakeTheStepsOfOne) {
  const Starter& starter = GetParam();
  const std::string path = program(starter.name, starter.variable);
  if (path.empty())
    GTEST_SKIP() << starter.name << " is not installed, and " << starter.variable
                 << " names none: NOT TESTED";
  const TinyRun run("{method: lora, r: 4, lora_dropout: 0.1}");
  const fs::path other = run.folder / "alone";
  const Finished alone =
      test::run_hone(run.train({"train.max_steps=6", "train.output_dir=" + other.string()}));
  ASSERT_EQ(alone.exit_code, 0) << alone.err;

  Texts command = {path};
  const Texts options = starter.options();
  command.insert(command.end(), options.begin(), options.end());
  command.push_back(test::hone_binary());
  const Texts train = run.train({"train.max_steps=6", "train.gradient_accumulation_steps=2"});
  command.insert(command.end(), train.begin(), train.end());
  const Finished finished = test::run_program(command);
  ASSERT_EQ(finished.exit_code, 0) << finished.err << finished.out;
  EXPECT_TRUE(test::contains(finished.err, "ranks   2"));

  const auto expected = test::steps_in(other), steps = test::steps_in(run.output());
  ASSERT_EQ(steps.size(), 6u);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    EXPECT_EQ(steps[i]["tokens"], expected[i]["tokens"]);
    EXPECT_NEAR(steps[i]["loss"], expected[i]["loss"], 1e-6 * double(expected[i]["loss"]));
  }
}

INSTANTIATE_TEST_SUITE_P(Real, Launcher, testing::ValuesIn(kStarters),
                         [](const auto& one) { return std::string(one.param.name); });

}  // namespace
}  // namespace hone
