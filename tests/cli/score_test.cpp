#include <cstring>
#include <nlohmann/json.hpp>
#include <sstream>

#include "io/safetensors.h"
#include "support/process.h"
#include "support/support.h"
#include "support/tiny_run.h"

namespace hone {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// What `hone score` and `hone logprobs` say of the fixture's two rows, 24 and 9 tokens long.
std::vector<json> scores_of(const std::string& verb, const fs::path& model) {
  const io::SafetensorsFile io(model / "io.safetensors");
  const io::TensorView& ids = *io.find("input_ids");
  const test::TempFolder folder;
  std::string rows;
  for (const auto& [row, length] : {std::pair<std::size_t, std::size_t>{0, 24}, {1, 9}}) {
    std::vector<std::int64_t> tokens(length);
    std::memcpy(tokens.data(), ids.data + row * 24 * 8, length * 8);
    rows += json{{"input_ids", tokens}}.dump() + "\n";
  }
  const test::Finished finished = test::run_hone(
      {verb, "--model", model, "--dtype", "fp32", "--input", folder.write("rows.jsonl", rows)});
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  std::vector<json> results;
  std::istringstream lines(finished.out);
  for (std::string line; std::getline(lines, line);) results.push_back(json::parse(line)["score"]);
  return results;
}

std::vector<float> expected_of(const fs::path& model) {
  const io::SafetensorsFile io(model / "io.safetensors");
  const io::TensorView& scores = *io.find("scores");
  std::vector<float> values(scores.size_bytes / sizeof(float));
  std::memcpy(values.data(), scores.data, scores.size_bytes);
  return values;
}

TEST(Score, AClassifierGivesOneListARow) {
  const fs::path model = test::fixture("models/llama_classifier");
  const std::vector<float> expected = expected_of(model);
  for (const char* verb : {"score", "logprobs"}) {
    const std::vector<json> got = scores_of(verb, model);
    ASSERT_EQ(got.size(), 2u);
    for (std::size_t i = 0; i < expected.size(); ++i)
      EXPECT_NEAR(got[i / 4][i % 4].get<double>(), expected[i], 1e-4);
  }
}

TEST(Score, AValueHeadGivesOneNumberAToken) {
  const fs::path model = test::fixture("models/qwen2_token_value");
  const std::vector<float> expected = expected_of(model);
  const std::vector<json> got = scores_of("score", model);
  ASSERT_EQ(got.size(), 2u);
  ASSERT_EQ(got[0].size(), 24u);
  ASSERT_EQ(got[1].size(), 9u);
  for (std::size_t i = 0; i < expected.size(); ++i)
    EXPECT_NEAR((i < 24 ? got[0][i] : got[1][i - 24]).get<double>(), expected[i], 1e-4);
}

}  // namespace
}  // namespace hone
