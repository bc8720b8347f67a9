#include "distributed/batch_job.h"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>

#include "base/error.h"
#include "base/file.h"
#include "distributed/sbatch.h"
#include "support/support.h"

// The script is run by bash, with small programs in the place of SLURM's: srun runs one rank.

namespace hone::distributed {
namespace {

namespace fs = std::filesystem;
using test::contains;
using test::message_of;

/// Ends with the first code of the list, and takes it off.
constexpr const char* kCodes = "code=$(head -n 1 codes)\nsed -i 1d codes\nexit ${code:-0}\n";

class Script : public testing::Test {
 protected:
  void SetUp() override {
    write_program("srun",
                  "while [ \"$1\" != sh ]; do echo \"srun $1\" >>calls; shift; done\n\"$@\"\n");
    write_program("squeue", "echo ${STATE-RUNNING}\n");
    write_program("scontrol", "echo \"scontrol $*\" >>calls\n");
    write_program("rank",
                  "printf '<%s>\\n' \"$@\" >>words\necho rank >>calls\n" + std::string(kCodes));
    job.name = "test";
    job.folder = folder.path().string();
    job.output = folder.path().string();
    fs::create_directory(folder / "submit");
    job.log = (folder / "log-%j").string();
    job.command = {(folder / "rank").string(), "train", "config.yaml"};
  }

  void write_program(const char* name, const std::string& body) const {
    fs::permissions(folder.write(name, "#!/bin/sh\n" + body), fs::perms{0755});
  }

  /// @param codes that the rank ends with, one after the other; then 0
  /// @return the script's exit code
  int run(const std::vector<int>& codes, const std::string& environment = "") const {
    std::string text;
    for (const int code : codes) text += std::to_string(code) + "\n";
    folder.write("codes", text);
    const std::string script = folder.write("job.sbatch", sbatch_script(job)).string();
    const std::string command = "PATH=" + folder.path().string() + ":$PATH SLURM_JOB_ID=7 " +
                                environment + " bash " + shell_quoted(script) + " 2>" +
                                (folder / "said").string();
    const int status = std::system(command.c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  std::string text_of(const char* name) const {
    return fs::exists(folder / name) ? read_file(folder / name) : "";
  }

  test::TempFolder folder;
  BatchJob job;
};

TEST_F(Script, EndsWithTheRanksCode) {
  EXPECT_EQ(run({0}), 0);
  EXPECT_EQ(run({1}), 1);
  EXPECT_EQ(run({2}), 2);
  EXPECT_FALSE(contains(text_of("calls"), "scontrol"));
  EXPECT_TRUE(contains(text_of("words"), "<train>\n<config.yaml>\n<--resume>\n<auto>\n"));
}

TEST_F(Script, GoesBackIntoTheQueueWhereTheRanksWereSaved) {
  EXPECT_EQ(run({75}), 0);
  EXPECT_TRUE(contains(text_of("calls"), "scontrol requeue 7\n"));
  EXPECT_FALSE(fs::exists(folder / "submit/again-7"));
}

TEST_F(Script, DoesSoNoMoreOftenThanItMay) {
  job.max_requeues = 3;
  EXPECT_EQ(run({75}, "SLURM_RESTART_COUNT=2"), 0);
  EXPECT_TRUE(contains(text_of("calls"), "scontrol requeue"));
  folder.write("calls", "");
  EXPECT_EQ(run({75}, "SLURM_RESTART_COUNT=3"), 75);
  EXPECT_FALSE(contains(text_of("calls"), "scontrol requeue"));
  EXPECT_TRUE(contains(text_of("said"), "it was 3 times before"));
}

TEST_F(Script, LeavesACancelledJobCancelled) {
  EXPECT_EQ(run({75}, "STATE="), 75);
  EXPECT_FALSE(contains(text_of("calls"), "scontrol requeue"));
}

TEST_F(Script, StartsFailedRanksAgainAsOftenAsItMay) {
  job.max_restarts = 2;
  EXPECT_EQ(run({1, 137}), 0);
  EXPECT_EQ(run({1, 1, 9, 0}), 9);
  EXPECT_EQ(run({2, 0}), 2) << "a wrong config fails again";
}

TEST_F(Script, HandsEveryTextOnAsItIs) {
  const std::vector<std::string> hostile = {"it's",
                                            "a \"b\"",
                                            "$HOME",
                                            "`touch broken`",
                                            "$(touch broken)",
                                            "; touch broken",
                                            "\\",
                                            "*",
                                            "!history",
                                            "# no comment",
                                            "EOF",
                                            "&& touch broken",
                                            "ä→",
                                            "-x",
                                            "{a,b}",
                                            "~",
                                            "train.x='; touch broken; '",
                                            "%j %a",
                                            "",
                                            "a\\'; touch broken #"};
  job.command.insert(job.command.end(), hostile.begin(), hostile.end());
  job.tasks = {{"wrong"}, {"own=it's $(touch broken)"}};
  EXPECT_EQ(run({0}, "SLURM_ARRAY_TASK_ID=1"), 0);
  std::string expected = "<train>\n<config.yaml>\n";
  for (const std::string& word : hostile) expected += "<" + word + ">\n";
  EXPECT_EQ(text_of("words"), expected + "<own=it's $(touch broken)>\n<--resume>\n<auto>\n");
  EXPECT_FALSE(fs::exists(folder / "broken"));
}

TEST_F(Script, EndsWhereTheSetUpFails) {
  job.setup = {"export FIRST=1", "false", "touch broken"};
  EXPECT_NE(run({0}), 0);
  EXPECT_FALSE(fs::exists(folder / "broken"));
  EXPECT_EQ(text_of("calls"), "");
}

TEST_F(Script, AsksSlurmForWhatIsAskedFor) {
  job.nodes = 2;
  job.ntasks_per_node = job.gpus_per_node = 8;
  job.cpus_per_task = 4;
  job.time = "1-12:00:00";
  job.mem = "64G";
  job.dependency = "afterok:1234";
  job.tasks = {{"a=1"}, {"a=2"}, {"a=3"}};
  job.array_parallel = 2;
  const std::string text = sbatch_script(job);
  for (const char* line :
       {"--nodes=2", "--ntasks-per-node=8", "--gpus-per-node=8", "--cpus-per-task=4",
        "--time=1-12:00:00", "--mem=64G", "--dependency=afterok:1234", "--array=0-2%2",
        "--signal=USR1@180", "--requeue"})
    EXPECT_TRUE(contains(text, "\n#SBATCH " + std::string(line) + "\n"));
  EXPECT_FALSE(contains(text, "--partition")) << "what is not asked for is left to the cluster";
}

TEST_F(Script, RunsRanksInAContainer) {
  job.container = "registry/image:1";
  EXPECT_EQ(run({0}), 0);
  EXPECT_TRUE(contains(text_of("calls"), "srun --container-image=registry/image:1\n"));
  job.container_runtime = "apptainer";
  job.gpus_per_node = 1;
  write_program("apptainer",
                "while [ \"$1\" != registry/image:1 ]; do echo \"$1\" >>calls; shift; "
                "done\nshift\n\"$@\"\n");
  EXPECT_EQ(run({75}), 0);
  EXPECT_TRUE(contains(text_of("calls"), "exec\n--nv\n"));
  EXPECT_TRUE(contains(text_of("calls"), "scontrol requeue"));
  job.container_runtime = "docker";
  EXPECT_TRUE(contains(message_of<ConfigError>([&] { sbatch_script(job); }), "pyxis, apptainer"));
}

TEST_F(Script, RefusesWhatALineCannotHold) {
  const auto refusal = [&](std::string BatchJob::*member, const std::string& text) {
    BatchJob wrong = job;
    wrong.*member = text;
    return message_of<ConfigError>([&] { sbatch_script(wrong); });
  };
  EXPECT_TRUE(contains(refusal(&BatchJob::name, "a\nrm -rf x"), "--job-name"));
  EXPECT_TRUE(contains(refusal(&BatchJob::partition, "a b"), "--partition"));
  EXPECT_TRUE(contains(refusal(&BatchJob::time, "1;2"), "--time"));
  EXPECT_TRUE(contains(refusal(&BatchJob::output, "/a\nb"), "train.output_dir"));
  EXPECT_TRUE(contains(refusal(&BatchJob::log, "/a\\b"), "log"));
  job.setup = {"true\nfalse"};
  EXPECT_TRUE(contains(message_of<ConfigError>([&] { sbatch_script(job); }), "--setup"));
}

TEST(Sbatch, ARefusalHasARemedyWhereOneIsKnown) {
  EXPECT_TRUE(contains(
      remedy_for("sbatch: error: Batch job submission failed: Invalid partition name specified"),
      "--partition"));
  EXPECT_TRUE(contains(remedy_for("sbatch: error: Memory specification can not be satisfied\n"
                                  "sbatch: error: Batch job submission failed: Requested node "
                                  "configuration is not available"),
                       "--mem"));
  EXPECT_EQ(remedy_for("sbatch: error: something new"), "");
}

}  // namespace
}  // namespace hone::distributed
