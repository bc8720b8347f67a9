#include "base/file.h"
#include "support/tiny_run.h"

// `hone verify`: a config's steps, taken in several ways.

namespace hone {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::contains;
using test::Finished;
using test::run_hone;
using test::TinyRun;

const json& check_called(const std::vector<json>& rows, const std::string& name) {
  for (const json& row : rows)
    if (row["check"] == name) return row;
  ADD_FAILURE() << "no check is called " << name;
  return rows.front();
}

/// Some way to verify, and the folder of its runs.
struct Verified {
  std::vector<json> rows;
  fs::path work;
};

Verified verify(const TinyRun& run, const std::vector<std::string>& overrides) {
  const fs::path work = run.folder / "work";
  std::vector<std::string> arguments = {"verify", run.config, "--json", "--folder", work.string()};
  arguments.insert(arguments.end(), overrides.begin(), overrides.end());
  return {test::rows_of(run_hone(arguments)), work};
}

/// What holds of every config whose steps do not depend on how they are taken.
void expect_the_same(const std::vector<json>& rows) {
  for (const char* name : {"checkpointing", "resume", "repetition"})
    EXPECT_EQ(check_called(rows, name)["verdict"], "same bits") << name;
  for (const char* name : {"accumulation", "packing", "ranks"}) {
    const json& row = check_called(rows, name);
    EXPECT_NE(row["verdict"], "DIFFERENT") << row;
    EXPECT_LE(row["loss"].get<double>(), 1e-6) << name;
    EXPECT_GT(row["gradients"].get<double>(), 0) << "sums in another order round otherwise";
    EXPECT_LE(row["gradients"].get<double>(), 1e-5) << name;
  }
}

TEST(Verify, FindsTheStepsTheSameHoweverTheyAreTaken) {
  for (const char* adapter : {"{method: lora, r: 4, lora_dropout: 0.1}", "{method: full}"}) {
    const TinyRun run(adapter);
    const auto [rows, work] = verify(run, {"data.shuffle=true"});
    expect_the_same(rows);
    // The runs were what they say: the same rows, in as many micro-batches.
    const auto second_step = [&](const char* name) {
      return test::read_jsonl(work / name / "metrics.jsonl").at(1);
    };
    EXPECT_EQ(second_step("packing")["tokens"], second_step("plain")["tokens"]);
    EXPECT_LT(second_step("checkpointing")["activations_peak_bytes"],
              second_step("plain")["activations_peak_bytes"]);
    EXPECT_FALSE(fs::exists(run.output())) << "the user's own folder is left alone";
  }
}

TEST(Verify, HoldsForEveryMethod) {
  for (const std::string method : {"dpo", "kto", "orpo", "reward"}) {
    SCOPED_TRACE(method);
    const TinyRun run("{method: lora, r: 4}");
    const std::string rows = method == "kto" ? "kto" : "pref";
    expect_the_same(
        verify(run, {"train.method=" + method,
                     "data.train=" + test::fixture("train/data/" + rows + ".jsonl").string()})
            .rows);
  }
}

TEST(Verify, KeepsActivationsWhereTheConfigComputesThemAgain) {
  const TinyRun run("{method: lora, r: 4}");
  const auto [rows, work] = verify(
      run, {"train.gradient_checkpointing=every_kth", "train.gradient_checkpointing_interval=2"});
  expect_the_same(rows);
  const auto says = [&](const char* name, const std::string& what) {
    return contains(read_file(work / name / "config.resolved.yaml"),
                    "gradient_checkpointing: " + what);
  };
  EXPECT_TRUE(says("plain", "every_kth"));
  EXPECT_TRUE(says("checkpointing", "none"));
}

// TRL's baseline is a mean over a micro-batch, so that a step does depend on how it is cut.
TEST(Verify, TellsOfStepsThatDependOnHowTheyAreTaken) {
  const TinyRun run("{method: lora, r: 4}");
  const Finished finished = run_hone(
      {"verify", run.config, "--json", "train.method=kto", "kto.kl_scope=micro_batch",
       "data.train=" + test::fixture("train/data/kto.jsonl").string(), "optim.learning_rate=1e-2"});
  EXPECT_EQ(finished.exit_code, 1) << finished.err;
  EXPECT_TRUE(contains(finished.err, "depend on how they are taken"));
  EXPECT_TRUE(contains(finished.out, "\"verdict\":\"DIFFERENT\""));
}

TEST(Verify, PrintsATableAndLeavesNothing) {
  const TinyRun run("{method: lora, r: 4}");
  const fs::path temporary = run.folder / "temporary";
  fs::create_directory(temporary);
  ::setenv("TMPDIR", temporary.c_str(), 1);
  const Finished finished = run_hone({"verify", run.config, "--rows", "4", "--steps", "2"});
  ::unsetenv("TMPDIR");
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_TRUE(contains(finished.out, "same bits"));
  EXPECT_TRUE(contains(finished.out, "each row by itself"));
  EXPECT_FALSE(contains(finished.err, "step 1/2")) << "the runs' own progress is not told";
  for (const auto& entry : fs::directory_iterator(temporary))
    EXPECT_FALSE(entry.path().filename().string().starts_with("hone-verify")) << entry.path();
}

TEST(Verify, RefusesAnOddNumberOfRows) {
  const TinyRun run("{method: lora, r: 4}");
  const Finished finished = run_hone({"verify", run.config, "--rows", "5"});
  EXPECT_EQ(finished.exit_code, 2);
  EXPECT_TRUE(contains(finished.err, "--rows 5"));
}

}  // namespace
}  // namespace hone
