#include <filesystem>

#include "base/file.h"
#include "support/tiny_run.h"

// `hone data build` and `hone data inspect`, and runs that read their rows out of a cache.

namespace hone {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::contains;
using test::Finished;
using test::rows_of;
using test::run_hone;

class DataCache : public testing::Test {
 protected:
  fs::path cache() const { return run_.folder / "cache"; }
  std::vector<std::string> build(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments{"data", "build", run_.config, "--cache", cache(), "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }

  test::TinyRun run_{"{method: lora, r: 4}"};
};

TEST_F(DataCache, IsBuiltOnceAndTrainedFrom) {
  const json first = rows_of(run_hone(build())).at(0);
  EXPECT_EQ(first["set"], "train");
  EXPECT_EQ(first["rows"], 160);
  EXPECT_EQ(first["was_made"], true);
  EXPECT_EQ(fs::file_size(first["path"].get<std::string>()), first["bytes"]);
  const json second = rows_of(run_hone(build({"--verify"}))).at(0);
  EXPECT_EQ(second["was_made"], false);
  EXPECT_EQ(second["path"], first["path"]);
  EXPECT_EQ(rows_of(run_hone(build({"--rebuild"}))).at(0)["was_made"], true);

  ASSERT_EQ(run_hone(run_.train()).exit_code, 0);
  const std::string without = read_file(run_.output() / "adapter" / "adapter_model.safetensors");
  const Finished with =
      run_hone(run_.train({"data.cache=" + cache().string(), "train.overwrite_output_dir=true"}));
  ASSERT_EQ(with.exit_code, 0) << with.err;
  EXPECT_TRUE(read_file(run_.output() / "adapter" / "adapter_model.safetensors") == without);
}

TEST_F(DataCache, ADamagedOneIsFoundByVerifyAndReplacedByARun) {
  const fs::path path = rows_of(run_hone(build())).at(0)["path"].get<std::string>();
  std::string content = read_file(path);
  content.resize(content.size() / 2);
  write_file_atomically(path, content);
  const Finished verified = run_hone(build({"--verify"}));
  EXPECT_EQ(verified.exit_code, 2);
  EXPECT_TRUE(contains(verified.err, path.string()));
  EXPECT_TRUE(contains(verified.err, "--rebuild"));
  const Finished trained = run_hone(run_.train({"data.cache=" + cache().string()}));
  EXPECT_EQ(trained.exit_code, 0);
  EXPECT_TRUE(contains(trained.err, "warning: " + path.string()));
  EXPECT_EQ(run_hone(build({"--verify"})).exit_code, 0);
}

TEST_F(DataCache, OfFewRowsIsNotMadeByItself) {
  const Finished finished = run_hone({"data", "build", run_.config});
  EXPECT_EQ(finished.exit_code, 0);
  EXPECT_TRUE(contains(finished.err, "--cache FOLDER"));
  const Finished off = run_hone({"data", "build", run_.config, "data.cache=off"});
  EXPECT_EQ(off.exit_code, 2);
  EXPECT_TRUE(contains(off.err, "data.cache"));
}

TEST_F(DataCache, InspectShowsRowsOfTokens) {
  const auto rows = rows_of(run_hone({"data", "inspect", run_.config, "--rows", "2", "--json"}));
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0]["row"], 1);
  EXPECT_EQ(rows[0]["ids"].size(), 17u);
  EXPECT_EQ(rows[0]["weights"].size(), 17u);
  EXPECT_EQ(rows[0]["trained_tokens"], 12);
  rows_of(run_hone(build()));
  const std::vector<std::string> one = {"data", "inspect", run_.config, "--row", "7", "--json"};
  auto cached = one;
  cached.push_back("data.cache=" + cache().string());
  const auto seventh = rows_of(run_hone(one));
  ASSERT_EQ(seventh.size(), 1u);
  EXPECT_EQ(seventh[0]["row"], 7);
  EXPECT_EQ(rows_of(run_hone(cached)), seventh) << "out of the cache it is the same";
}

class Inspect : public testing::Test {
 protected:
  Inspect() {
    folder_.write("t.jinja",
                  "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n"
                  "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}");
    folder_.write("rows.jsonl", R"({"messages":[{"role":"user","content":"Hi"},)"
                                R"({"role":"assistant","content":"Yo"}]})"
                                "\n");
  }
  Finished inspect(const std::vector<std::string>& more) const {
    std::vector<std::string> arguments{"data", "inspect", "--input", folder_ / "rows.jsonl"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_hone(arguments);
  }
  std::vector<std::string> text_options() const {
    return {"--tokenizer", test::fixture("tokenizers/qwen2_nfc/tokenizer.json"), "--template",
            folder_ / "t.jinja"};
  }

  test::TempFolder folder_;
};

TEST_F(Inspect, MarksWhatIsTrainedOn) {
  auto options = text_options();
  const Finished plain = inspect(options);
  EXPECT_EQ(plain.exit_code, 0) << plain.err;
  EXPECT_TRUE(contains(plain.out, "rows.jsonl:1  "));
  EXPECT_TRUE(contains(plain.out, "assistant↵\n[[Yo<|im_end|>]]"));
  options.push_back("--borders");
  EXPECT_TRUE(contains(inspect(options).out, "[[|Y|o|<|im_end|>]]"));
  auto weighted = text_options();
  weighted.insert(weighted.begin(), "data.prompt_loss_weight=0.25");
  EXPECT_TRUE(contains(inspect(weighted).out, "{{0.25×"));
}

TEST_F(Inspect, GivesTextsOfTokensAsJson) {
  auto options = text_options();
  options.push_back("--json");
  const json row = rows_of(inspect(options)).at(0);
  std::string text;
  for (const auto& part : row["texts"]) text += part.get<std::string>();
  EXPECT_EQ(text, "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nYo<|im_end|>\n");
  EXPECT_EQ(row["texts"].size(), row["ids"].size());
  EXPECT_EQ(row["file"], (folder_ / "rows.jsonl").string());
}

TEST_F(Inspect, TellsWhatIsMissing) {
  const Finished nothing = run_hone({"data", "inspect"});
  EXPECT_EQ(nothing.exit_code, 2);
  EXPECT_TRUE(contains(nothing.err, "--input"));
  const Finished both = run_hone({"data", "inspect", "c.yaml", "--input", folder_ / "rows.jsonl"});
  EXPECT_EQ(both.exit_code, 2);
  EXPECT_TRUE(contains(both.err, "not both"));
  const Finished no_tokenizer = inspect({});
  EXPECT_EQ(no_tokenizer.exit_code, 2);
  EXPECT_TRUE(contains(no_tokenizer.err, "tokenizer"));
  const Finished beyond = inspect([&] {
    auto options = text_options();
    options.insert(options.end(), {"--row", "5"});
    return options;
  }());
  EXPECT_EQ(beyond.exit_code, 2);
  EXPECT_TRUE(contains(beyond.err, "line 5"));
}

}  // namespace
}  // namespace hone
