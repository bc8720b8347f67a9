#include <cmath>

#include "io/json.h"
#include "support/tiny_run.h"

// `hone quantize --output`: a packed model on the disk, from outside.

namespace hone {
namespace {

using nlohmann::json;
using test::contains;
using test::Finished;
using test::run_hone;
using test::TinyRun;

class QuantizeOutput : public testing::Test {
 protected:
  std::string base() const { return test::fixture("train/_base").string(); }
  std::string rows() const { return test::fixture("train/data/sft.jsonl").string(); }
  std::string output(const std::string& name) const { return (folder_ / name).string(); }

  Finished quantize(const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {"quantize", "--model", base(),
                                          "--dtype",  "fp32",    "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_hone(arguments);
  }
  json report(const std::vector<std::string>& more) {
    const Finished done = quantize(more);
    EXPECT_EQ(done.exit_code, 0) << done.err;
    return done.exit_code == 0 ? json::parse(done.out) : json::object();
  }
  std::string logprobs(const std::string& model, const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {"logprobs", "--model", model, "--dtype",
                                          "fp32",     "--input", rows()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Finished done = run_hone(arguments);
    EXPECT_EQ(done.exit_code, 0) << done.err;
    return done.out;
  }

  test::TempFolder folder_;
};

TEST_F(QuantizeOutput, IsTheModelThatIsPackedWhileItIsLoaded) {
  for (const char* format : {"nf4", "fp4", "int8"}) {
    report({"--format", format, "--output", output(format)});
    EXPECT_EQ(logprobs(output(format)), logprobs(base(), {"--quantization", format})) << format;
  }
}

TEST_F(QuantizeOutput, KeepsItsReportAndOrigin) {
  const json said = report(
      {"--format", "int4", "--group-size", "32", "--data", rows(), "--output", output("int4")});
  const json kept = io::read_json(folder_ / "int4" / "quantization_report.json");
  EXPECT_EQ(kept, said);
  EXPECT_NE(said["eval_loss_before"], said["eval_loss_after"]);
  const Finished evaluated =
      run_hone({"eval", "--model", output("int4"), "--dtype", "fp32", "--data", rows(), "--json"});
  ASSERT_EQ(evaluated.exit_code, 0) << evaluated.err;
  EXPECT_NEAR(json::parse(evaluated.out)["eval_loss"], said["eval_loss_after"], 1e-6);
  const Finished lineage = run_hone({"lineage", output("int4")});
  EXPECT_EQ(lineage.exit_code, 0) << lineage.err;
  EXPECT_TRUE(contains(lineage.out, "quantize"));
}

TEST_F(QuantizeOutput, CalibrationLosesLess) {
  const auto lost = [&](const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {"--format",      "int4", "--group-size", "32",
                                          "--calibration", rows(), "--data",       rows()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const json said = report(arguments);
    double sum = 0, nearest = 0;
    for (const json& layer : said["layers"]) {
      const json& calibration = layer["calibration"];
      EXPECT_GT(calibration["tokens"], 0);
      EXPECT_GT(calibration["largest_input"], 0);
      EXPECT_LT(calibration["input_outlier_share"], 0.1);
      sum += calibration["output_error"].get<double>();
      nearest += calibration["output_error_nearest"].get<double>();
    }
    return std::pair(sum, nearest);
  };
  const auto nearest = lost({"--rounding", "nearest"}), clip = lost({}),
             gptq = lost({"--rounding", "gptq"});
  EXPECT_DOUBLE_EQ(nearest.first, nearest.second);
  EXPECT_LT(clip.first, clip.second);
  EXPECT_LT(gptq.first, 0.95 * gptq.second);
}

TEST_F(QuantizeOutput, IsTrainedOnByQLoraAndNotWhole) {
  report({"--format", "int4", "--group-size", "32", "--output", output("int4")});
  const std::string model = "model.base=" + output("int4");
  const TinyRun lora("{method: lora, r: 4}");
  const Finished trained = run_hone(lora.train({model, "train.max_steps=3"}));
  EXPECT_EQ(trained.exit_code, 0) << trained.err;
  EXPECT_TRUE(contains(trained.err, "layers int4 in groups of 32, symmetric"));
  const TinyRun full("{method: full}");
  const Finished refused = run_hone(full.train({model, "train.max_steps=3"}));
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_TRUE(contains(refused.err, "is packed in the model's own files"));
  const Finished again = run_hone({"quantize", "--model", output("int4"), "--format", "nf4"});
  EXPECT_EQ(again.exit_code, 2);
  EXPECT_TRUE(contains(again.err, "is packed already"));
}

TEST_F(QuantizeOutput, RefusesWhatCannotBe) {
  for (const auto& [more, reason] : std::vector<std::pair<std::vector<std::string>, std::string>>{
           {{"--format", "int8_blockwise", "--output", output("x")}, "no checkpoint format holds"},
           {{"--format", "int4", "--output", base()}, "is there already"},
           {{"--format", "int4"}, "do not divide into groups of 64"},
           {{"--format", "int4", "--rounding", "gptq"}, "name rows with --calibration"},
           {{"--format", "nf4", "--rounding", "gptq", "--calibration", rows()}, "not nf4"},
           {{"--format", "nf4", "--asymmetric"}, "int4 and int8_group only"},
           {{"--format", "int4", "--group-size", "48"}, "do not divide into groups of 48"}}) {
    const Finished refused = quantize(more);
    EXPECT_EQ(refused.exit_code, 2) << reason;
    EXPECT_TRUE(contains(refused.err, reason));
  }
  EXPECT_FALSE(std::filesystem::exists(output("x")));
}

}  // namespace
}  // namespace hone
