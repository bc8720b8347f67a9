#include <fstream>

#include "base/file.h"
#include "support/gguf_writer.h"
#include "support/tiny_run.h"

// `hone tokenize` over every kind of tokenizer that CLI.md names.

namespace hone {
namespace {

using nlohmann::json;
using test::run_hone;

struct Case {
  std::string text;
  json ids;
};

std::string jsonl(const std::vector<Case>& cases, const char* key) {
  std::string lines;
  for (const Case& one : cases) {
    lines += json{{key, key == std::string("ids") ? one.ids : json(one.text)}}.dump() + "\n";
  }
  return lines;
}

void expect_ids(const std::string& tokenizer, const std::vector<Case>& cases) {
  ASSERT_FALSE(cases.empty());
  const test::TempFolder folder;
  const auto rows =
      rows_of(run_hone({"tokenize", "--tokenizer", tokenizer, "--no-special", "--input",
                        folder.write("texts.jsonl", jsonl(cases, "text")).string()}));
  ASSERT_EQ(rows.size(), cases.size());
  for (std::size_t i = 0; i < cases.size(); ++i) {
    EXPECT_EQ(rows[i]["ids"], cases[i].ids) << json(cases[i].text);
    EXPECT_EQ(rows[i]["offsets"].size(), cases[i].ids.size());
  }
}

std::vector<Case> hugging_face_cases() {
  std::vector<Case> cases;
  for (const json& row : test::read_jsonl(test::fixture("tokenizers/gpt2_bytelevel/cases.jsonl"))) {
    cases.push_back({row["text"], row["ids"]});
  }
  return cases;
}

// Those without a control piece, which is text to the library only.
std::vector<Case> sentencepiece_cases() {
  const auto rows = test::read_jsonl(test::fixture("tokenizers/sentencepiece/llama.jsonl"));
  std::vector<Case> cases;
  for (std::size_t i = 1; i < rows.size(); ++i) {
    const std::string text = rows[0]["texts"][i - 1];
    if (text.find("<s>") == text.npos) cases.push_back({text, rows[i][0]});
  }
  return cases;
}

TEST(Tokenize, ReadsATokenizerJsonAndItsFolder) {
  const std::filesystem::path folder = test::fixture("tokenizers/gpt2_bytelevel");
  expect_ids(folder.string(), hugging_face_cases());
  expect_ids((folder / "tokenizer.json").string(), hugging_face_cases());
}

TEST(Tokenize, ReadsASentencePieceModelAndItsFolder) {
  const std::filesystem::path model = test::fixture("tokenizers/sentencepiece/llama.model");
  expect_ids(model.string(), sentencepiece_cases());
  const test::TempFolder folder;
  folder.write("tokenizer.model", read_file(model));
  folder.write("tokenizer_config.json", R"({"add_bos_token": false, "add_eos_token": true,
    "added_tokens_decoder": {"900": {"content": "<|im_end|>", "special": true}},
    "eos_token": "<|im_end|>", "chat_template": "{{ messages }}"})");
  expect_ids(folder.path().string(), sentencepiece_cases());
  const auto rows =
      rows_of(run_hone({"tokenize", "--tokenizer", folder.path().string(), "--input",
                        folder.write("texts.jsonl", "{\"text\": \"<|im_end|>\"}\n").string()}));
  EXPECT_EQ(rows.at(0)["ids"], json({900, 900}));
  EXPECT_EQ(rows.at(0)["offsets"], json({{0, 10}, {0, 0}}));
}

TEST(Tokenize, ReadsTheAddedTokensOfAnOlderFolder) {
  const test::TempFolder folder;
  folder.write("tokenizer.model", read_file(test::fixture("tokenizers/sentencepiece/llama.model")));
  folder.write("added_tokens.json", R"({"<tool>": 901, "<pad>": 900})");
  folder.write("special_tokens_map.json", R"({"pad_token": {"content": "<pad>"}})");
  const auto rows = rows_of(
      run_hone({"tokenize", "--decode", "--skip-special", "--tokenizer", folder.path().string(),
                "--input", folder.write("ids.jsonl", "{\"ids\": [900, 901]}\n").string()}));
  EXPECT_EQ(rows.at(0)["text"], "<tool>");
}

TEST(Tokenize, ReadsAGguf) {
  test::GgufWriter writer;
  writer.add("tokenizer.ggml.model", "llama")
      .add("tokenizer.ggml.tokens",
           std::vector<std::string>{"<unk>", "<s>", "</s>", "\u2581", "a", "b", "\u2581a", "ab"})
      .add("tokenizer.ggml.scores", std::vector<float>{0, 0, 0, -4, -5, -6, -1, -2})
      .add("tokenizer.ggml.token_type", std::vector<std::int32_t>{2, 3, 3, 1, 1, 1, 1, 1});
  const test::TempFolder folder;
  const std::string gguf = folder.write("model.gguf", writer.content()).string();
  expect_ids(gguf,
             {{"ab", {6, 5}}, {"ba ab", {3, 5, 4, 6, 5}}, {"", json::array()}, {"x", {3, 0}}});
  const auto decoded =
      rows_of(run_hone({"tokenize", "--decode", "--skip-special", "--tokenizer", gguf, "--input",
                        folder.write("ids.jsonl", "{\"ids\": [1, 3, 5, 4, 6, 5, 2]}\n").string()}));
  EXPECT_EQ(decoded.at(0)["text"], "ba ab");
}

TEST(Tokenize, RefusesADamagedFileWithExitCode2) {
  const test::TempFolder folder;
  const std::string model = read_file(test::fixture("tokenizers/sentencepiece/llama.model"));
  const std::string input = folder.write("texts.jsonl", "{\"text\": \"a\"}\n").string();
  const std::vector<std::pair<std::string, std::string>> files{
      {"tokenizer.model", model.substr(0, model.size() / 2)},
      {"tokenizer.json", "{\"model\": {\"type\": \"Unigram\", \"vocab\": 3}}"},
      {"model.gguf", "GGUF"},
      {"vocab.txt", "a\nb\n"}};
  for (const auto& [name, content] : files) {
    const test::Finished finished = run_hone(
        {"tokenize", "--tokenizer", folder.write(name, content).string(), "--input", input});
    EXPECT_EQ(finished.exit_code, 2) << name;
    EXPECT_TRUE(test::contains(finished.err, name));
    EXPECT_EQ(finished.out, "");
  }
}

}  // namespace
}  // namespace hone
