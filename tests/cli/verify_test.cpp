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

TEST(Verify, FindsTheStepsTheSameHoweverTheyAreTaken) {
  for (const char* adapter : {"{method: lora, r: 4, lora_dropout: 0.1}", "{method: full}"}) {
    const TinyRun run(adapter);
    const Finished finished = run_hone({"verify", run.config, "data.shuffle=true", "--json",
                                        "--folder", (run.folder / "work").string()});
    const std::vector<json> rows = test::rows_of(finished);
    for (const char* name : {"resume", "repetition"})
      EXPECT_EQ(check_called(rows, name)["verdict"], "same bits");
    for (const char* name : {"accumulation", "packing", "ranks"}) {
      const json& row = check_called(rows, name);
      EXPECT_NE(row["verdict"], "DIFFERENT");
      EXPECT_LE(row["loss"].get<double>(), 1e-6);
      EXPECT_GT(row["grad_norm"].get<double>(), 0) << "sums in another order round otherwise";
    }
    // The runs were what they say: the same rows, in as many micro-batches.
    const auto tokens = [&](const char* name) {
      return test::read_jsonl(run.folder / "work" / name / "metrics.jsonl").at(2)["tokens"];
    };
    EXPECT_EQ(tokens("packing"), tokens("plain"));
    EXPECT_FALSE(fs::exists(run.output())) << "the user's own folder is left alone";
  }
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
