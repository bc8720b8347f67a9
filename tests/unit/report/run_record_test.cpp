#include "report/run_record.h"

#include "base/file.h"
#include "support/support.h"

namespace hone::report {
namespace {

using nlohmann::json;

TEST(SteadyThroughput, LeavesTheFirstStepsOut) {
  SteadyThroughput throughput;
  for (int i = 0; i < 5; ++i) throughput.add_step(100, 10.0);
  for (int i = 0; i < 20; ++i) throughput.add_step(100, 0.5);
  EXPECT_DOUBLE_EQ(throughput.tokens_per_s(), 200.0);
}

TEST(SteadyThroughput, OfAShortRunIsOverItsSecondHalf) {
  SteadyThroughput throughput;
  EXPECT_EQ(throughput.tokens_per_s(), 0.0);
  throughput.add_step(100, 2.0);
  EXPECT_DOUBLE_EQ(throughput.tokens_per_s(), 50.0);
  throughput.add_step(100, 1.0);
  EXPECT_DOUBLE_EQ(throughput.tokens_per_s(), 100.0);
}

TEST(RunRecord, AtTheStartSaysThatTheRunIsNotOver) {
  const test::TempFolder folder;
  write_run_record(folder.path(), RunRecord());
  const json found = json::parse(read_file(folder / "run.json"));
  EXPECT_EQ(found.at("status"), "running");
  EXPECT_TRUE(found.at("ended_at").is_null());
  EXPECT_TRUE(found.at("final_loss").is_null());
}

TEST(RunRecord, IsReplacedAtTheEndWithEverythingInIt) {
  const test::TempFolder folder;
  RunRecord record;
  write_run_record(folder.path(), record);
  record.status = "done";
  record.final_loss = 0.1;
  record.seed = std::uint64_t{1} << 63;
  record.peak_memory_bytes = 5;
  record.data_sha256 = "abc";
  record.hone_version = "1";
  record.libtorch_version = "2";
  record.host = {"a CPU", 2, 1024, "Linux"};
  record.extra["accuracy"] = 0.75;
  write_run_record(folder.path(), record);
  const json found = json::parse(read_file(folder / "run.json"));
  EXPECT_EQ(found.at("status"), "done");
  EXPECT_EQ(found.at("final_loss").get<double>(), 0.1);
  EXPECT_EQ(found.at("seed").get<std::uint64_t>(), record.seed);
  EXPECT_EQ(found.at("peak_memory_bytes"), 5);
  EXPECT_EQ(found.at("hashes"), (json{{"base", nullptr}, {"data", "abc"}, {"config", nullptr}}));
  EXPECT_EQ(found.at("versions"), (json{{"hone", "1"}, {"libtorch", "2"}}));
  EXPECT_EQ(found.at("host").at("cpu_model"), "a CPU");
  EXPECT_EQ(found.at("accuracy"), 0.75);
}

TEST(RunRecord, AMessageThatIsNotUtf8StillGivesARecord) {
  const test::TempFolder folder;
  RunRecord record;
  record.error = "cannot open \xff.jsonl";
  write_run_record(folder.path(), record);
  EXPECT_EQ(json::parse(read_file(folder / "run.json")).at("error"),
            "cannot open \xef\xbf\xbd.jsonl");
}

}  // namespace
}  // namespace hone::report
