#include "support/process.h"
#include "support/support.h"

#include <nlohmann/json.hpp>
#include <sstream>

namespace hone {
namespace {

using nlohmann::json;
using test::contains;
using test::Finished;
using test::run_hone;

class DataRender : public testing::Test {
 protected:
  Finished render(const std::string& row, std::vector<std::string> more) {
    std::vector<std::string> arguments = {"data",        "render",
                                          "--tokenizer", tokenizer_,
                                          "--input",     folder_.write("rows.jsonl", row).string()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_hone(arguments);
  }
  json rendered(const std::string& row, std::vector<std::string> more) {
    const Finished finished = render(row, std::move(more));
    EXPECT_EQ(finished.exit_code, 0) << finished.err;
    return json::parse(finished.out);
  }

  test::TempFolder folder_;
  std::string tokenizer_ = test::fixture("tokenizers/qwen2_nfc/tokenizer.json").string();
};

constexpr const char* kRow =
    R"({"messages":[{"role":"user","content":"Hi","weight":0},{"role":"assistant","content":"Yo",)"
    R"("train":false},{"role":"user","content":"Bye"},{"role":"assistant","content":"So long"}]})";

TEST_F(DataRender, TakesATemplateByName) {
  EXPECT_EQ(rendered(kRow, {"--template", "chatml"})["text"],
            "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nYo<|im_end|>\n"
            "<|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\nSo long<|im_end|>\n");
  EXPECT_TRUE(rendered(kRow, {"--template", "phi3", "--add-generation-prompt"})["text"]
                  .get<std::string>()
                  .ends_with("So long<|end|>\n<|assistant|>\n"));
}

TEST_F(DataRender, GivesTheWeightsThatTheMessagesAskFor) {
  const json row = rendered(kRow, {"--template", "chatml", "--tokens"});
  ASSERT_EQ(row["ids"].size(), row["weights"].size());
  double sum = 0;
  for (const json& weight : row["weights"]) sum += weight.get<double>();
  const Finished answer =
      run_hone({"tokenize", "--tokenizer", tokenizer_, "--no-special", "--input",
                folder_.write("text.jsonl", R"({"text":"So long"})").string()});
  EXPECT_EQ(sum, static_cast<double>(json::parse(answer.out)["ids"].size()) + 1);  // the stop token
  const std::string file = folder_.write("t.jinja", "{{ messages | tojson }}").string();
  EXPECT_EQ(rendered(kRow, {"--template", file})["text"],
            R"([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yo"}, )"
            R"({"role": "user", "content": "Bye"}, {"role": "assistant", "content": "So long"}])");
}

TEST_F(DataRender, UsesTheDateOfTrainingUnlessToldOtherwise) {
  const std::string file =
      folder_.write("t.jinja", "{{ strftime_now('%d %b %Y %H:%M') }}").string();
  EXPECT_EQ(rendered(kRow, {"--template", file})["text"], "26 Jul 2024 00:00");
  EXPECT_EQ(rendered(kRow, {"--template", file, "--now", "2026-03-07T15:04:09"})["text"],
            "07 Mar 2026 15:04");
}

TEST_F(DataRender, NamesTheTemplatesWhereItHasNone) {
  const Finished finished = render(kRow, {"--template", "chatlm"});
  EXPECT_EQ(finished.exit_code, 2);
  EXPECT_TRUE(contains(finished.err, "chatlm"));
  EXPECT_TRUE(contains(finished.err, "chatml, llama2, llama3, "));
}

TEST_F(DataRender, GivesTheTemplatesOwnWordsWhereItRefuses) {
  const Finished finished =
      render(R"({"messages":[{"role":"assistant","content":"Hi"}]})", {"--template", "gemma"});
  EXPECT_EQ(finished.exit_code, 2);
  EXPECT_TRUE(contains(finished.err, "rows.jsonl:1: chat template, line "));
  EXPECT_TRUE(contains(finished.err, "roles must alternate user, assistant"));
}

}  // namespace
}  // namespace hone
