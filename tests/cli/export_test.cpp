#include <algorithm>
#include <fstream>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "io/json.h"
#include "io/safetensors.h"
#include "support/text_model.h"
#include "support/tiny_run.h"

// hone export and hone verify-export through the command line: what is written computes what was
// trained, or is refused with the server's rule.

namespace hone {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::contains;
using test::Finished;
using test::run_hone;

const std::vector<std::string> kShort = {"train.max_steps=3", "schedule.warmup_steps=0",
                                         "optim.learning_rate=2e-2"};

std::vector<double> logprobs(const test::TempFolder& folder, std::vector<std::string> model) {
  const fs::path rows = folder.write("ids.jsonl", "{\"input_ids\": [5, 17, 9, 44, 3, 61, 28]}\n");
  std::vector<std::string> command = {"logprobs", "--dtype", "fp32", "--input", rows};
  command.insert(command.end(), model.begin(), model.end());
  const Finished finished = run_hone(command);
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  return json::parse(finished.out)["logprobs"];
}

double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
  EXPECT_EQ(a.size(), b.size());
  double largest = 0;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i)
    largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

/// A short run, and exports of it.
struct ExportedRun {
  test::TinyRun run;
  std::string base = test::fixture("train/_base").string();

  explicit ExportedRun(const std::string& adapter) : run(adapter) {
    const Finished trained = run_hone(run.train(kShort));
    EXPECT_EQ(trained.exit_code, 0) << trained.err;
  }
  fs::path output() const { return run.folder / "export"; }
  Finished export_to(const std::string& target, std::vector<std::string> more = {}) const {
    more.insert(more.begin(),
                {"export", run.output(), "--target", target, "--output", output(), "--json"});
    return run_hone(more);
  }
  std::vector<double> trained() const {
    return logprobs(run.folder, {"--model", base, "--adapter", run.output() / "adapter"});
  }
  /// Of what was written, by hone's own reader.
  std::vector<double> exported(const json& summary) const {
    if (summary["form"] == "model") return logprobs(run.folder, {"--model", output()});
    return logprobs(run.folder, {"--model", base, "--adapter", output()});
  }
};

/// An adapter, a target, and what is to come of it.
struct Case {
  const char* name;
  const char* adapter;
  const char* target;
  std::vector<std::string> more;
  const char* refused;  ///< the key that the refusal names; null: it is written
};

void PrintTo(const Case& one, std::ostream* out) { *out << one.name; }

class ExportMatrix : public testing::TestWithParam<Case> {};

TEST_P(ExportMatrix, ComputesWhatWasTrainedOrIsRefusedWithTheReason) {
  const Case& one = GetParam();
  const ExportedRun run(one.adapter);
  const Finished finished = run.export_to(one.target, one.more);
  if (one.refused != nullptr) {
    EXPECT_EQ(finished.exit_code, 2) << finished.out;
    EXPECT_TRUE(contains(finished.err, one.refused));
    EXPECT_TRUE(contains(finished.err, "--merge"));
    EXPECT_FALSE(fs::exists(run.output()));
    return;
  }
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  const json summary = json::parse(finished.out);
  const std::vector<double> trained = run.trained();
  EXPECT_LT(largest_difference(run.exported(summary), trained), 1e-4);
  EXPECT_GT(largest_difference(logprobs(run.run.folder, {"--model", run.base}), trained), 1e-2);
  EXPECT_EQ(summary["load_back"]["precisions"][0]["verdict"], "same") << summary.dump(1);
  const Finished verified = run_hone({"verify-export", run.output(), "--deep"});
  EXPECT_EQ(verified.exit_code, 0) << verified.err;
}

const std::vector<std::string> kF32 = {"--type", "f32"};
const std::vector<std::string> kMergeF32 = {"--merge", "--type", "f32"};
constexpr const char* kLora = "{method: lora, r: 4}";
constexpr const char* kRsLora = "{method: lora, r: 4, use_rslora: true}";
constexpr const char* kPatterns =
    "{method: lora, r: 4, rank_pattern: {v_proj: 2}, alpha_pattern: {q_proj: 3}}";
constexpr const char* kDora = "{method: dora, r: 4}";
constexpr const char* kSaved = "{method: lora, r: 4, modules_to_save: [lm_head]}";
constexpr const char* kTokens = "{method: lora, r: 4, trainable_token_indices: [5, 9]}";
constexpr const char* kSomeLayers = "{method: lora, r: 4, layers_to_transform: [0]}";

INSTANTIATE_TEST_SUITE_P(
    Adapters, ExportMatrix,
    testing::Values(
        Case{"LoraPeft", kLora, "peft", {}, nullptr}, Case{"LoraHf", kLora, "hf", kF32, nullptr},
        Case{"LoraVllm", kLora, "vllm", {}, nullptr}, Case{"LoraTgi", kLora, "tgi", {}, nullptr},
        Case{"RsLoraPeft", kRsLora, "peft", {}, nullptr},
        Case{"RsLoraVllm", kRsLora, "vllm", {}, nullptr},
        Case{"PatternsVllm", kPatterns, "vllm", {}, nullptr},
        Case{"PatternsTgi", kPatterns, "tgi", {}, nullptr},
        Case{"PatternsHf", kPatterns, "hf", kF32, nullptr},
        Case{"SomeLayersTgi", kSomeLayers, "tgi", {}, nullptr},
        Case{"DoraPeft", kDora, "peft", {}, nullptr}, Case{"DoraHf", kDora, "hf", kF32, nullptr},
        Case{"DoraVllm", kDora, "vllm", {}, "adapter.use_dora"},
        Case{"DoraVllmMerged", kDora, "vllm", kMergeF32, nullptr},
        Case{"DoraTgi", kDora, "tgi", {}, "adapter.use_dora"},
        Case{"SavedPeft", kSaved, "peft", {}, nullptr},
        Case{"SavedHf", kSaved, "hf", kF32, nullptr},
        Case{"SavedVllm", kSaved, "vllm", {}, "adapter.modules_to_save"},
        Case{"SavedTgi", kSaved, "tgi", {}, "adapter.modules_to_save"},
        Case{"TokensPeft", kTokens, "peft", {}, nullptr},
        Case{"TokensHf", kTokens, "hf", kF32, nullptr},
        Case{"TokensVllm", kTokens, "vllm", {}, "adapter.trainable_token_indices"},
        Case{"LohaVllm", "{method: loha, r: 4}", "vllm", {}, "adapter.method"},
        Case{"LohaHf", "{method: loha, r: 4}", "hf", kF32, nullptr}),
    [](const auto& one) { return one.param.name; });

TEST(Export, ForVllmHasOneAlphaAndNoPatterns) {
  const ExportedRun run(kPatterns);
  ASSERT_EQ(run.export_to("vllm").exit_code, 0);
  const json config = io::read_json(run.output() / "adapter_config.json");
  EXPECT_EQ(config["r"], 4);
  EXPECT_EQ(config["lora_alpha"], 4);
  EXPECT_EQ(config["rank_pattern"], json::object());
  EXPECT_EQ(config["alpha_pattern"], json::object());
  EXPECT_EQ(config["use_rslora"], false);
  const io::SafetensorsFile file(run.output() / "adapter_model.safetensors");
  for (const io::TensorView& view : file.tensors())
    EXPECT_TRUE(view.name.ends_with("lora_A.weight") || view.name.ends_with("lora_B.weight"))
        << view.name;
}

TEST(Export, TurnsDoraIntoPlainLoraAndSaysWhatIsMissing) {
  const ExportedRun run("{method: dora, r: 4, target_modules: [q_proj]}");
  const Finished low = run.export_to("vllm", {"--dora", "svd", "--rank", "2"});
  ASSERT_EQ(low.exit_code, 0) << low.err;
  const json summary = json::parse(low.out);
  ASSERT_FALSE(summary["svd"].empty());
  EXPECT_GT(summary["svd"][0]["relative"].get<double>(), 1e-4);
  EXPECT_TRUE(contains(summary["notes"][0], "rank 2 by SVD"));
  fs::remove_all(run.output());
  const Finished full = run.export_to("vllm", {"--dora", "svd", "--rank", "1000"});
  ASSERT_EQ(full.exit_code, 0) << full.err;
  EXPECT_LT(largest_difference(run.exported(json::parse(full.out)), run.trained()), 1e-4);
}

TEST(Export, CutsAModelIntoShards) {
  const ExportedRun run(kLora);
  ASSERT_EQ(run.export_to("hf", {"--type", "f32", "--max-shard-size", "50KB"}).exit_code, 0);
  const json index = io::read_json(run.output() / "model.safetensors.index.json");
  std::set<std::string> shards;
  for (const auto& [name, shard] : index["weight_map"].items()) shards.insert(shard);
  EXPECT_GT(shards.size(), 2u);
  EXPECT_LT(largest_difference(logprobs(run.run.folder, {"--model", run.output()}), run.trained()),
            1e-4);
}

TEST(Export, PacksAModelAndMeasuresItBeforeAndAfter) {
  const ExportedRun run(kLora);
  for (const std::string type : {"nf4", "int8"}) {
    const Finished finished = run.export_to("hf", {"--type", type});
    ASSERT_EQ(finished.exit_code, 0) << finished.err;
    const json summary = json::parse(finished.out);
    const json config = io::read_json(run.output() / "config.json");
    EXPECT_EQ(config["quantization_config"]["quant_method"], "bitsandbytes");
    const json& perplexity = summary["quality"]["metrics"]["perplexity"];
    EXPECT_NEAR(perplexity["value"].get<double>() / perplexity["base"]["value"].get<double>(), 1,
                0.2);
    EXPECT_EQ(run_hone({"verify-export", run.output(), "--deep"}).exit_code, 0);
    fs::remove_all(run.output());
  }
}

TEST(Export, NeedsNoRun) {
  const ExportedRun run(kLora);
  const fs::path output = run.run.folder / "elsewhere";
  const Finished finished =
      run_hone({"export", "--model", run.base, "--adapter", run.run.output() / "adapter",
                "--target", "peft", "--output", output, "--base-name", "org/base", "--json"});
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_EQ(io::read_json(output / "adapter_config.json")["base_model_name_or_path"], "org/base");
  EXPECT_EQ(json::parse(finished.out)["load_back"]["measured_on"], "random tokens");
}

TEST(Export, MakesOneOfSeveralAdapters) {
  const ExportedRun one(kLora), other("{method: lora, r: 2, target_modules: [q_proj]}");
  const fs::path output = one.run.folder / "both";
  const std::vector<std::string> both = {"--model",   one.base,
                                         "--adapter", one.run.output() / "adapter",
                                         "--adapter", other.run.output() / "adapter",
                                         "--weights", "0.5,2"};
  std::vector<std::string> command = {"export", "--target",      "vllm", "--output",
                                      output,   "--combination", "cat"};
  command.insert(command.end(), both.begin(), both.end());
  const Finished finished = run_hone(command);
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_EQ(io::read_json(output / "adapter_config.json")["r"], 6);
  EXPECT_LT(largest_difference(logprobs(one.run.folder, {"--model", one.base, "--adapter", output}),
                               logprobs(one.run.folder, both)),
            1e-4);
}

TEST(Export, TellsWhatManyWouldTake) {
  const ExportedRun run(kLora);
  const auto rows = test::rows_of(
      run_hone({"export", run.run.output(), "--dry-run", "--count", "100", "--json"}));
  const auto find = [&](const char* target, const char* form, const char* type) {
    for (const json& row : rows)
      if (row["target"] == target && row["form"] == form && row["type"] == type) return row;
    ADD_FAILURE() << target << form << type;
    return json();
  };
  const auto base = std::int64_t(fs::file_size(fs::path(run.base) / "model.safetensors"));
  const json adapter = find("vllm", "adapter", "f32"), model = find("hf", "model", "f32");
  EXPECT_EQ(adapter["bytes_for_count"], base + 100 * adapter["bytes"].get<std::int64_t>());
  EXPECT_EQ(model["bytes_for_count"], 100 * model["bytes"].get<std::int64_t>());
  // What is written is what was told, but for the header.
  ASSERT_EQ(run.export_to("hf", kF32).exit_code, 0);
  const auto written = std::int64_t(fs::file_size(run.output() / "model.safetensors"));
  EXPECT_NEAR(double(model["bytes"].get<std::int64_t>()) / double(written), 1, 0.05);
}

TEST(Export, SaysWhereItCameFromAndWhatWasMeasured) {
  const ExportedRun run(kLora);
  ASSERT_EQ(run.export_to("vllm").exit_code, 0);
  const std::string card = read_file(run.output() / "README.md");
  for (const char* part : {"base_model:", "vllm serve", "sft.jsonl", "SHA-256", "| fp32 |"})
    EXPECT_TRUE(contains(card, part));
  const Finished lineage = run_hone({"lineage", run.output(), "--json"});
  ASSERT_EQ(lineage.exit_code, 0) << lineage.err;
  EXPECT_EQ(json::parse(lineage.out)["lineage"]["made_by"], "export");
}

void flip_a_byte(const fs::path& file) {
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekg(-3, std::ios::end);
  const char byte = char(stream.get() ^ 1);
  stream.seekp(-3, std::ios::end);
  stream.put(byte);
}

TEST(ServeTarget, WarnsBeforeTheRunOfWhatTheServerCannotServe) {
  const test::TinyRun run("{method: lora, r: 4, use_dora: true, modules_to_save: [lm_head]}");
  for (const char* verb : {"check", "train"}) {
    std::vector<std::string> command = {verb, run.config, "export.serve_target=vllm",
                                        "train.max_steps=1"};
    const Finished warned = run_hone(command);
    EXPECT_EQ(warned.exit_code, 0) << warned.err;
    for (const char* part : {"export.serve_target", "adapter.use_dora", "adapter.modules_to_save",
                             "hone export --merge"})
      EXPECT_TRUE(contains(warned.err, part)) << verb;
  }
  const Finished fine = run_hone({"check", run.config, "export.serve_target=hf"});
  EXPECT_FALSE(contains(fine.err, "export.serve_target"));
  const Finished unknown = run_hone({"check", run.config, "export.serve_target=vlm"});
  EXPECT_EQ(unknown.exit_code, 2);
}

TEST(Registry, KeepsEachFileOnceAndGivesVersionsBack) {
  const ExportedRun run(kLora);
  ASSERT_EQ(run.export_to("peft").exit_code, 0);
  const fs::path registry = run.run.folder / "registry", again = run.run.folder / "again";
  const auto call = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "registry");
    arguments.insert(arguments.end(), {"--registry", registry});
    return run_hone(arguments);
  };
  ASSERT_EQ(call({"add", run.output(), "--name", "tiny", "--tag", "prod"}).exit_code, 0);
  // The same content is the same version.
  EXPECT_EQ(test::rows_of(call({"add", run.output(), "--name", "tiny"}))[0]["version"], 1);
  fs::remove_all(run.output());
  ASSERT_EQ(run.export_to("hf", kF32).exit_code, 0);
  EXPECT_EQ(test::rows_of(call({"add", run.output(), "--name", "tiny"}))[0]["version"], 2);
  EXPECT_EQ(call({"tag", "tiny", "2", "next"}).exit_code, 0);
  EXPECT_EQ(test::rows_of(call({"show", "tiny@prod"}))[0]["version"], 1);
  EXPECT_EQ(test::rows_of(call({"show", "tiny"}))[0]["tags"], json({"next"}));
  const Finished missing = call({"show", "tiny@live"});
  EXPECT_EQ(missing.exit_code, 2);
  EXPECT_TRUE(contains(missing.err, "@prod"));

  const fs::path store = run.run.folder / "mlruns";
  EXPECT_EQ(call({"tag", "tiny", "2", "next", "--mlflow", store}).exit_code, 0);
  EXPECT_TRUE(contains(read_file(store / "models/tiny/meta.yaml"), "\"next\": '2'"));
  EXPECT_EQ(read_file(store / "models/tiny/aliases/prod"), "1");
  EXPECT_TRUE(contains(read_file(store / "models/tiny/version-2/meta.yaml"), "version: 2"));

  ASSERT_EQ(call({"get", "tiny@next", "--output", again}).exit_code, 0);
  EXPECT_EQ(run_hone({"verify-export", again, "--deep"}).exit_code, 0);
  flip_a_byte(*std::find_if(fs::recursive_directory_iterator(registry / "objects"), {},
                            [](const auto& entry) { return entry.is_regular_file(); }));
  fs::remove_all(again);
  const int both = call({"get", "tiny:1", "--output", again}).exit_code +
                   call({"get", "tiny:2", "--output", run.run.folder / "other"}).exit_code;
  EXPECT_GE(both, 1) << "a damaged object was given out";
}

/// An export of a model that turns text into tokens.
struct TextExport {
  test::TempFolder folder;
  std::string base = test::write_text_model(folder, "base");
  fs::path output = folder / "export";

  TextExport() {
    const fs::path rows =
        folder.write("rows.jsonl", R"({"messages":[{"role":"user","content":"a 1"},)"
                                   R"({"role":"assistant","content":"b 2 <|im_end|>"}]})"
                                   "\n");
    const Finished finished =
        run_hone({"export", "--model", base, "--target", "hf", "--type", "f32", "--data", rows,
                  "--max-shard-size", "100KB", "--output", output, "--json"});
    EXPECT_EQ(finished.exit_code, 0) << finished.err;
    const json text = json::parse(finished.out)["text"];
    EXPECT_EQ(text["conversations"], 1);
    EXPECT_EQ(text["differences"], json::array());
  }
  Finished verify() const { return run_hone({"verify-export", output}); }
  fs::path shard(int number) const {
    const std::string begin = fmt::format("model-{:05}-of-", number);
    for (const auto& entry : fs::directory_iterator(output))
      if (entry.path().filename().string().starts_with(begin)) return entry.path();
    ADD_FAILURE() << "no " << begin;
    return {};
  }
};

TEST(VerifyExport, FindsNothingWhereNothingIsWrong) {
  const TextExport made;
  EXPECT_EQ(made.verify().exit_code, 0);
  EXPECT_EQ(run_hone({"verify-export", made.output, "--deep"}).exit_code, 0);
}

TEST(VerifyExport, FindsAFlippedByte) {
  const TextExport made;
  flip_a_byte(made.shard(2));
  const Finished found = made.verify();
  EXPECT_EQ(found.exit_code, 1);
  EXPECT_TRUE(contains(found.err, "model-00002-of-"));
  EXPECT_TRUE(contains(found.err, "SHA-256"));
}

TEST(VerifyExport, FindsAMissingShard) {
  const TextExport made;
  fs::remove(made.shard(1));
  const Finished found = made.verify();
  EXPECT_EQ(found.exit_code, 1);
  EXPECT_TRUE(contains(found.err, "model-00001-of-"));
}

TEST(VerifyExport, FindsAnotherTokenizer) {
  const TextExport made;
  json tokenizer = io::read_json(made.output / "tokenizer.json");
  tokenizer["added_tokens"].push_back({{"id", 1508}, {"content", "<x>"}, {"special", true}});
  write_file_atomically(made.output / "tokenizer.json", tokenizer.dump());
  const Finished found = made.verify();
  EXPECT_EQ(found.exit_code, 1);
  EXPECT_TRUE(contains(found.err, "another tokenizer than was trained with"));
}

TEST(VerifyExport, FindsAFileThatIsNotOfIt) {
  const TextExport made;
  write_file_atomically(made.output / "adapter_config.json", "{}");
  const Finished found = made.verify();
  EXPECT_EQ(found.exit_code, 1);
  EXPECT_TRUE(contains(found.err, "is not of this export"));
}

TEST(VerifyExport, FindsAManifestThatWasAltered) {
  const TextExport made;
  const std::string text = read_file(made.output / "manifest.json");
  std::string altered = text;
  altered.replace(altered.find("\"hf\""), 4, "\"tg\"");
  write_file_atomically(made.output / "manifest.json", altered);
  EXPECT_EQ(made.verify().exit_code, 1);
}

TEST(VerifyExport, FindsAnotherBaseUnderAnAdapter) {
  const ExportedRun run(kLora);
  ASSERT_EQ(run.export_to("peft").exit_code, 0);
  const test::TempFolder folder;
  fs::copy(run.base, folder / "base", fs::copy_options::recursive);
  fs::permissions(folder / "base", fs::perms::owner_all);
  fs::permissions(folder / "base/model.safetensors", fs::perms::owner_all);
  flip_a_byte(folder / "base/model.safetensors");
  const Finished found =
      run_hone({"verify-export", run.output(), "--deep", "--model", folder / "base"});
  EXPECT_EQ(found.exit_code, 1);
  EXPECT_TRUE(contains(found.err, "other weights than the adapter's base"));
}

}  // namespace
}  // namespace hone
