#include "base/file.h"
#include "support/tiny_run.h"

// What a run leaves for people to look at, and the verbs that show it.

namespace hone {
namespace {

using nlohmann::json;
using test::contains;
using test::Finished;
using test::run_hone;
using test::TinyRun;

TEST(Report, LiesInTheRunsFolderAtItsEnd) {
  const TinyRun run("{method: lora, r: 4}");
  const Finished finished =
      run_hone(run.train({"train.max_steps=3", "report.report_to=[tensorboard, csv]"}));
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  const std::string page = read_file(run.output() / "report.html");
  EXPECT_TRUE(contains(page, "loss over the steps"));
  EXPECT_TRUE(contains(page, "href=\"adapter\""));
  EXPECT_TRUE(contains(page, "max_steps: 3"));
  const std::string csv = read_file(run.output() / "metrics.csv");
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 4);
  EXPECT_EQ(files_matching(run.output() / "tensorboard/events.out.tfevents.*").size(), 1u);
}

TEST(Report, IsLeftOutOnDemand) {
  const TinyRun run("{method: lora, r: 4}");
  ASSERT_EQ(run_hone(run.train({"train.max_steps=1", "report.html=false"})).exit_code, 0);
  EXPECT_FALSE(std::filesystem::exists(run.output() / "report.html"));
  EXPECT_FALSE(std::filesystem::exists(run.output() / "metrics.csv"));
  EXPECT_FALSE(std::filesystem::exists(run.output() / "tensorboard"));
  EXPECT_EQ(run_hone({"report", run.output()}).exit_code, 0);
  EXPECT_TRUE(std::filesystem::exists(run.output() / "report.html"));
}

TEST(Report, SetsRunsSideBySide) {
  const TinyRun a("{method: lora, r: 4}"), b("{method: lora, r: 8}");
  for (const TinyRun* run : {&a, &b})
    ASSERT_EQ(run_hone(run->train({"train.max_steps=2"})).exit_code, 0);
  const std::string page = a.folder / "page.html";
  EXPECT_EQ(run_hone({"report", a.output(), b.output()}).exit_code, 2) << "where to?";
  const Finished finished = run_hone({"report", a.output(), b.output(), "--output", page});
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_TRUE(contains(read_file(page), "<code>adapter.r</code></td><td>4</td><td>8</td>"));
}

TEST(Report, RefusesAFolderThatIsNoRuns) {
  const test::TempFolder folder;
  const Finished finished = run_hone({"report", folder / ""});
  EXPECT_EQ(finished.exit_code, 2);
  EXPECT_TRUE(contains(finished.err, "run.json"));
}

TEST(Runs, AreShownAsATableAndSorted) {
  const TinyRun run("{method: lora, r: 4}");
  for (const char* steps : {"2", "1"})
    ASSERT_EQ(run_hone(run.train({std::string("train.max_steps=") + steps,
                                  "train.output_dir=" +
                                      (run.folder / ("all/by-" + std::string(steps))).string()}))
                  .exit_code,
              0);
  const Finished table = run_hone({"runs", run.folder / "all"});
  EXPECT_EQ(table.exit_code, 0) << table.err;
  EXPECT_TRUE(contains(table.out, "eval loss"));
  EXPECT_LT(table.out.find("by-1"), table.out.find("by-2"));
  const Finished sorted = run_hone({"runs", run.folder / "all", "--sort", "final_loss", "--json"});
  std::vector<double> losses;
  std::istringstream lines(sorted.out);
  for (std::string line; std::getline(lines, line);)
    losses.push_back(json::parse(line).at("final_loss").get<double>());
  ASSERT_EQ(losses.size(), 2u);
  EXPECT_LE(losses[0], losses[1]);
}

}  // namespace
}  // namespace hone
