#include "report/history.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "report/run_page.h"
#include "support/support.h"

namespace hone::report {
namespace {

namespace fs = std::filesystem;
using test::contains;

struct RunFolder : test::TempFolder {
  explicit RunFolder(const std::string& metrics,
                     const std::string& record = R"({"status":"done"})") {
    write("run.json", record);
    write("metrics.jsonl", metrics);
    write("config.resolved.yaml",
          "train:\n  seed: 1\ndata:\n  train: [a.jsonl, b.jsonl]\n  columns: {prompt: q}\n");
  }
  RunHistory read() const { return read_run(*this / ""); }
};

TEST(History, ReadsCurvesByTheirNames) {
  const RunFolder folder(
      "{\"step\":1,\"loss\":2.5,\"tokens\":7}\n"
      "{\"step\":2,\"loss\":null,\"non_finite\":{\"loss\":\"NaN\"}}\n"
      "{\"step\":2,\"eval_loss\":1.5}\n");
  const RunHistory run = folder.read();
  ASSERT_EQ(run.curve("loss")->size(), 2u);
  EXPECT_EQ(run.curve("loss")->at(0).value, 2.5);
  EXPECT_TRUE(std::isnan(run.curve("loss")->at(1).value));
  EXPECT_EQ(run.curve("eval_loss")->at(0).step, 2);
  EXPECT_EQ(run.curve("accuracy"), nullptr);
  EXPECT_EQ(run.config.at("train.seed"), "1");
  EXPECT_EQ(run.config.at("data.train"), "[a.jsonl, b.jsonl]");
  EXPECT_EQ(run.config.at("data.columns"), "{prompt: q}");
}

TEST(History, StopsAtALineThatAKillTore) {
  const RunHistory run = RunFolder("{\"step\":1,\"loss\":2.5}\n{\"step\":2,\"lo").read();
  EXPECT_EQ(run.curve("loss")->size(), 1u);
}

TEST(History, SaysWhatAFolderLacks) {
  const test::TempFolder empty;
  EXPECT_TRUE(contains(test::message_of<DataError>([&] { read_run(empty / ""); }), "run.json"));
  const RunFolder damaged("", "{\"status\":");
  EXPECT_TRUE(contains(test::message_of<DataError>([&] { damaged.read(); }), "no JSON object"));
}

TEST(History, IsFoundAtAnyDepthAndNotInsideARun) {
  const test::TempFolder folder;
  for (const char* run : {"a", "deep/b", "a/checkpoints/step-1"}) {
    folder.write(std::string(run) + "/run.json", "{}");
    folder.write(std::string(run) + "/metrics.jsonl", "");
  }
  const std::vector<fs::path> runs = find_runs(folder / "");
  ASSERT_EQ(runs.size(), 2u);
  EXPECT_EQ(runs[0].filename(), "a");
  EXPECT_EQ(runs[1].filename(), "b");
}

TEST(History, BecomesATableWithAColumnForEachMetric) {
  const RunHistory run =
      RunFolder(
          "{\"step\":1,\"loss\":2.5}\n{\"step\":2,\"loss\":2}\n{\"step\":2,\"eval_loss\":3}\n")
          .read();
  EXPECT_EQ(metrics_csv(run), "step,eval_loss,loss\n1,,2.5\n2,3,2\n");
}

TEST(RunPage, ShowsARunAndSpellsOutItsTexts) {
  const RunFolder folder(
      "{\"step\":1,\"loss\":2.5}\n{\"step\":2,\"loss\":2}\n",
      R"({"status":"failed","error":"<script>","final_loss":2.0,"wall_time_s":200})");
  const std::string page = run_page({folder.read()}, folder.path());
  EXPECT_TRUE(contains(page, "&lt;script&gt;"));
  EXPECT_FALSE(contains(page, "<script>"));
  EXPECT_TRUE(contains(page, "3 min 20 s"));
  EXPECT_TRUE(contains(page, "2.0000"));
  EXPECT_TRUE(contains(page, "loss over the steps"));
}

TEST(RunPage, SaysInWhatUnitItsFiguresAre) {
  const RunFolder folder(
      "{\"step\":1,\"loss\":2.5,\"activations_peak_bytes\":1048576,\"mfu\":0.5,"
      "\"time_forward_s\":0.25,\"rewards/chosen\":1}\n",
      R"({"status":"done","memory":{"moments_bytes":3145728},"matrix_peak_flops":2e9,
          "data":{"rows":1234,"tokens":56789,"trained_share":0.25}})");
  const std::string page = run_page({folder.read()}, folder.path());
  for (const char* text : {"MiB, by step", "%, by step", "<b>time by phase</b>", "s, by step",
                           "<b>rewards/chosen</b>", "<td>3.00 MiB</td>", "<td>2 GFLOP/s</td>",
                           "<td>1,234</td>", "<td>56,789</td>", "<td>25.0 %</td>"})
    EXPECT_TRUE(contains(page, text)) << text;
  EXPECT_FALSE(contains(page, "1048576"));
}

TEST(RunPage, ComparesRunsByWhatDiffers) {
  const RunFolder a("{\"step\":1,\"loss\":2.5}\n"), b("{\"step\":1,\"loss\":2}\n");
  b.write("config.resolved.yaml", "train:\n  seed: 2\ndata:\n  train: [a.jsonl, b.jsonl]\n");
  const std::string page = run_page({a.read(), b.read()}, a.path());
  EXPECT_TRUE(contains(page, "<code>train.seed</code></td><td>1</td><td>2</td>"));
  EXPECT_FALSE(contains(page, "<code>data.train</code>"));
  EXPECT_TRUE(contains(page, "class=run1"));
}

TEST(RunPage, LinksToTheRunsFilesFromWhereItLies) {
  const test::TempFolder folder;
  folder.write("runs/50 % off/metrics.jsonl", "");
  folder.write("runs/50 % off/run.json", "{}");
  const RunHistory run = read_run(folder / "runs/50 % off");
  EXPECT_TRUE(contains(run_page({run}, run.folder), "href=\"metrics.jsonl\""));
  EXPECT_TRUE(contains(run_page({run}, folder / "pages"),
                       "href=\"../runs/50%20%25%20off/metrics.jsonl\">metrics.jsonl<"));
}

TEST(RunPage, ShowsWhatARecordSaysThatIsNotAsExpected) {
  const RunFolder folder("", R"({"status":"done","final_loss":"high","steps":null})");
  EXPECT_TRUE(contains(run_page({folder.read()}, folder.path()), "&quot;high&quot;"));
}

}  // namespace
}  // namespace hone::report
