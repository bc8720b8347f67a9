#include "base/file.h"
#include "io/json.h"
#include "support/text_model.h"
#include "support/tiny_run.h"

// What hone export and hone registry refuse, and what they leave alone.

namespace hone {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::contains;
using test::Finished;
using test::run_hone;
using test::TinyRun;
using Texts = std::vector<std::string>;

/// A run of one step.
struct ShortRun {
  TinyRun run;

  explicit ShortRun(const std::string& adapter = "{method: lora, r: 4}") : run(adapter) {
    const Finished trained = run_hone(run.train({"train.max_steps=1", "schedule.warmup_steps=0"}));
    EXPECT_EQ(trained.exit_code, 0) << trained.err;
  }
  Finished export_to(const std::string& target, const Texts& more) const {
    Texts command = {"export", run.output(), "--target", target};
    command.insert(command.end(), more.begin(), more.end());
    return run_hone(command);
  }
  /// What is said where nothing is written.
  std::string refusal(const std::string& target, const Texts& more) const {
    const Finished finished = export_to(target, more);
    EXPECT_EQ(finished.exit_code, 2) << finished.out;
    EXPECT_FALSE(fs::exists(run.output() / "exports"));
    return finished.err;
  }
};

TEST(ExportRefuses, OptionsThatItWouldNotUse) {
  const ShortRun made;
  EXPECT_TRUE(contains(made.refusal("vllm", {"--rank", "8"}), "--rank 8"));
  EXPECT_TRUE(contains(made.refusal("hf", {"--dora", "svd"}), "--dora svd"));
  EXPECT_TRUE(contains(made.refusal("vllm", {"--dora", "svd", "--merge"}), "--dora svd"));
  for (const char* target : {"peft", "vllm", "llama.cpp"})
    EXPECT_TRUE(contains(made.refusal(target, {"--max-shard-size", "5GB"}), "--max-shard-size"));
  EXPECT_TRUE(contains(made.refusal("llama.cpp", {"--merge", "--max-shard-size", "1MB"}),
                       "--max-shard-size: a model"));
}

TEST(ExportRefuses, SizesThatAreNone) {
  const ShortRun made;
  for (const char* size : {"1e11TB", "0.1", "-5GB", "GB", "5XB", ""})
    EXPECT_TRUE(contains(made.refusal("hf", {"--max-shard-size", size}), "--max-shard-size"))
        << size;
}

TEST(ExportRefuses, ABaseForAWholeModel) {
  const ShortRun made("{method: full}");
  const std::string base = test::fixture("train/_base").string();
  EXPECT_TRUE(contains(made.refusal("hf", {"--model", base}), "--model " + base));
}

TEST(ExportRefuses, ATokenizerLargerThanTheEmbedding) {
  const test::TempFolder folder;
  const std::string base = test::write_text_model(folder, "base");
  const fs::path other = folder / "other";
  fs::copy(base, other, fs::copy_options::recursive);
  json tokenizer = io::read_json(other / "tokenizer.json");
  tokenizer["added_tokens"].push_back({{"id", 1600},
                                       {"content", "<x>"},
                                       {"single_word", false},
                                       {"lstrip", false},
                                       {"rstrip", false},
                                       {"normalized", false},
                                       {"special", true}});
  write_file_atomically(other / "tokenizer.json", tokenizer.dump());
  const Finished refused = run_hone({"export", "--model", base, "--target", "hf", "--tokenizer",
                                     other, "--output", folder / "export"});
  EXPECT_EQ(refused.exit_code, 2) << refused.out;
  EXPECT_TRUE(contains(refused.err, "ids up to 1600, and the model's embedding 1600 rows"));
  EXPECT_FALSE(fs::exists(folder / "export"));
}

TEST(Export, WritesNothingIntoAVerifiedFolder) {
  const ShortRun made;
  const fs::path run = made.run.output(), elsewhere = made.run.folder / "some" / "export";
  const Finished of_adapter = run_hone({"export", run / "adapter", "--target", "peft"});
  ASSERT_EQ(of_adapter.exit_code, 0) << of_adapter.err;
  EXPECT_TRUE(fs::exists(run / "exports" / "peft"));
  EXPECT_FALSE(fs::exists(run / "adapter" / "exports"));

  ASSERT_EQ(made.export_to("peft", {"--output", elsewhere}).exit_code, 0);
  const Finished of_export = run_hone({"export", elsewhere.string() + "/", "--target", "vllm"});
  ASSERT_EQ(of_export.exit_code, 0) << of_export.err;
  EXPECT_TRUE(fs::exists(made.run.folder / "some" / "exports" / "vllm"));
  EXPECT_EQ(run_hone({"verify-export", elsewhere}).exit_code, 0);
}

TEST(VerifyExport, SaysOfAFolderWithoutAManifestHowItIsMade) {
  const test::TempFolder folder;
  const Finished refused = run_hone({"verify-export", folder.path()});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_TRUE(contains(refused.err, "`hone export` writes it again"));
  EXPECT_FALSE(contains(refused.err, "--resume"));
}

/// A registry with one version of one export.
struct SmallRegistry {
  ShortRun made;
  fs::path source = made.run.folder / "export", registry = made.run.folder / "registry";

  SmallRegistry() {
    EXPECT_EQ(made.export_to("peft", {"--output", source}).exit_code, 0);
    EXPECT_EQ(add().exit_code, 0);
  }
  Finished call(Texts arguments) const {
    arguments.insert(arguments.begin(), "registry");
    arguments.insert(arguments.end(), {"--registry", registry});
    return run_hone(arguments);
  }
  Finished add() const { return call({"add", source, "--name", "a"}); }
};

TEST(Registry, MendsADamagedObjectWhenTheFolderIsAddedAgain) {
  const SmallRegistry small;
  for (const auto& entry : fs::recursive_directory_iterator(small.registry / "objects"))
    if (entry.is_regular_file()) write_file_atomically(entry.path(), "damaged");
  const fs::path output = small.made.run.folder / "again";
  EXPECT_EQ(small.call({"get", "a", "--output", output}).exit_code, 1);
  fs::remove_all(output);
  EXPECT_EQ(test::rows_of(small.add())[0]["version"], 1);
  EXPECT_EQ(small.call({"get", "a", "--output", output}).exit_code, 0);
  EXPECT_EQ(run_hone({"verify-export", output}).exit_code, 0);
}

TEST(Registry, StoresNothingUnderATagThatIsNone) {
  const SmallRegistry small;
  EXPECT_EQ(small.call({"add", small.source, "--name", "b", "--tag", "a b"}).exit_code, 2);
  const Finished shown = small.call({"show", "b"});
  EXPECT_EQ(shown.exit_code, 2);
  EXPECT_TRUE(contains(shown.err, "has no `b`"));
}

TEST(Registry, TakesNoNumberWithARest) {
  const SmallRegistry small;
  EXPECT_EQ(small.call({"show", "a:1"}).exit_code, 0);
  for (const char* reference : {"a:1x", "a:", "a:x", "a:0"})
    EXPECT_EQ(small.call({"show", reference}).exit_code, 2) << reference;
}

}  // namespace
}  // namespace hone
