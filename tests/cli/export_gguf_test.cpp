#include <nlohmann/json.hpp>

#include "base/file.h"
#include "io/gguf.h"
#include "support/text_model.h"
#include "support/tiny_run.h"

// hone export --target llama.cpp and ollama through the command line.

namespace hone {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::contains;
using test::Finished;
using test::run_hone;

/// A short run of the tiny model, which has no tokenizer.
struct GgufRun {
  test::TinyRun run;

  explicit GgufRun(const std::string& adapter) : run(adapter) {
    const Finished trained = run_hone(
        run.train({"train.max_steps=3", "schedule.warmup_steps=0", "optim.learning_rate=2e-2"}));
    EXPECT_EQ(trained.exit_code, 0) << trained.err;
  }
  fs::path output() const { return run.folder / "export"; }
  Finished export_to(const std::string& target, std::vector<std::string> more) const {
    more.insert(more.begin(),
                {"export", run.output(), "--target", target, "--output", output(), "--json"});
    return run_hone(more);
  }
};

std::vector<double> logprobs(const test::TempFolder& folder, std::vector<std::string> model) {
  const fs::path rows = folder.write("ids.jsonl", "{\"input_ids\": [5, 17, 9, 44, 3, 61, 28]}\n");
  std::vector<std::string> command = {"logprobs", "--dtype", "fp32", "--input", rows};
  command.insert(command.end(), model.begin(), model.end());
  return test::rows_of(run_hone(command)).at(0)["logprobs"];
}

/// An adapter, how it is exported, and the key that a refusal names; null: it is written.
struct Case {
  const char* name;
  const char* adapter;
  std::vector<std::string> more;
  const char* refused;
};

void PrintTo(const Case& one, std::ostream* out) { *out << one.name; }

class GgufMatrix : public testing::TestWithParam<Case> {};

TEST_P(GgufMatrix, ComputesWhatWasTrainedOrIsRefusedWithTheReason) {
  const Case& one = GetParam();
  const GgufRun run(one.adapter);
  const Finished finished = run.export_to("llama.cpp", one.more);
  if (one.refused != nullptr) {
    EXPECT_EQ(finished.exit_code, 2) << finished.out;
    EXPECT_TRUE(contains(finished.err, one.refused));
    EXPECT_TRUE(contains(finished.err, "--merge"));
    EXPECT_FALSE(fs::exists(run.output()));
    return;
  }
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  const json summary = json::parse(finished.out);
  EXPECT_EQ(summary["load_back"]["precisions"][0]["verdict"], "same") << summary.dump(1);
}

constexpr const char* kLora = "{method: lora, r: 4}";
constexpr const char* kRsLora = "{method: lora, r: 4, use_rslora: true}";
constexpr const char* kPatterns =
    "{method: lora, r: 4, rank_pattern: {v_proj: 2}, alpha_pattern: {q_proj: 3}}";
constexpr const char* kDora = "{method: dora, r: 4}";
constexpr const char* kSaved = "{method: lora, r: 4, modules_to_save: [lm_head]}";
constexpr const char* kTokens = "{method: lora, r: 4, trainable_token_indices: [5, 9]}";
const std::vector<std::string> kMerge = {"--merge", "--type", "f32"};

INSTANTIATE_TEST_SUITE_P(
    Adapters, GgufMatrix,
    testing::Values(Case{"Lora", kLora, {}, nullptr}, Case{"RsLora", kRsLora, {}, nullptr},
                    Case{"Patterns", kPatterns, {}, nullptr},
                    Case{"Dora", kDora, {}, "adapter.use_dora"},
                    Case{"ModulesToSave", kSaved, {}, "adapter.modules_to_save"},
                    Case{"Tokens", kTokens, {}, "adapter.trainable_token_indices"},
                    Case{"LoraMerged", kLora, kMerge, nullptr},
                    Case{"DoraMerged", kDora, kMerge, nullptr},
                    Case{"ModulesToSaveMerged", kSaved, kMerge, nullptr},
                    Case{"TokensMerged", kTokens, kMerge, nullptr}),
    [](const auto& test) { return std::string(test.param.name); });

// The merged file is a model for hone as well, and gives what base and adapter gave.
TEST(ExportGguf, WritesAModelThatHoneLoads) {
  const GgufRun run(kLora);
  ASSERT_EQ(run.export_to("llama.cpp", kMerge).exit_code, 0);
  const auto expected = logprobs(run.run.folder, {"--model", test::fixture("train/_base"),
                                                  "--adapter", run.run.output() / "adapter"});
  const auto got = logprobs(run.run.folder, {"--model", run.output() / "model-f32.gguf"});
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], 1e-5) << i;
}

TEST(ExportGguf, TellsWhatAQuantisedTypeLoses) {
  const GgufRun run(kLora);
  const Finished finished = run.export_to("llama.cpp", {"--merge", "--type", "q4_0"});
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  const json row = json::parse(finished.out)["load_back"]["precisions"][0];
  EXPECT_GT(row["largest_change_of_logits"], 1e-3);
  EXPECT_EQ(io::GgufFile(run.output() / "model-q4_0.gguf").get_u64("general.file_type"), 2u);
}

TEST(ExportGguf, KnowsTheTypesOfEachForm) {
  const GgufRun run(kLora);
  const Finished finished = run.export_to("llama.cpp", {"--type", "q4_k_m"});
  EXPECT_EQ(finished.exit_code, 2);
  EXPECT_TRUE(contains(finished.err, "f32, f16"));
}

// A model without adapter, with a tokenizer and a template.
TEST(ExportGguf, PutsAModelfileBesideItForOllama) {
  const test::TempFolder folder;
  const fs::path model = test::write_text_model(folder, "model");
  const fs::path output = folder / "export";
  const Finished finished = run_hone({"export", "--model", model, "--target", "ollama", "--type",
                                      "f16", "--output", output, "--json"});
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  const std::string text = read_file(output / "Modelfile");
  EXPECT_TRUE(text.starts_with("FROM ./model-f16.gguf\nTEMPLATE \"\"\""));
  EXPECT_TRUE(contains(text, "<|im_start|>user\n{{ .Content }}<|im_end|>\n"));
  EXPECT_TRUE(contains(text, "PARAMETER num_ctx 256\n"));
  const fs::path rows = folder.write("rows.jsonl", "{\"text\": \"Hello, world 123\"}\n");
  const auto ids = [&](const fs::path& tokenizer) {
    return test::rows_of(run_hone({"tokenize", "--tokenizer", tokenizer, "--input", rows})).at(0);
  };
  EXPECT_EQ(ids(output / "model-f16.gguf")["ids"], ids(model)["ids"]);
}

}  // namespace
}  // namespace hone
