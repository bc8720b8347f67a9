#include <fmt/format.h>

#include <algorithm>

#include "support/text_model.h"
#include "support/tiny_run.h"

// `hone generate` from outside: rows in, answers out, in their order.

namespace hone {
namespace {

using nlohmann::json;
using test::contains;
using test::Finished;
using test::rows_of;
using test::run_hone;

class GenerateVerb : public testing::Test {
 protected:
  GenerateVerb() : model_(test::write_text_model(folder_, "model")) {}

  Finished generate(const std::string& rows, std::vector<std::string> more = {}) {
    std::vector<std::string> arguments{
        "generate", "--model", model_.string(), "--dtype",
        "fp32",     "--json",  "--input",       folder_.write("rows.jsonl", rows).string()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    if (std::ranges::count(more, "--max-new-tokens") == 0)
      arguments.insert(arguments.end(), {"--max-new-tokens", "6"});
    return run_hone(arguments);
  }
  test::TempFolder folder_;
  std::filesystem::path model_;
};

TEST_F(GenerateVerb, RowsOfAnyLengthComeBackInOrderWhateverTheBatch) {
  std::string rows;
  for (int i = 0; i < 9; ++i)
    rows +=
        json{{"prompt", std::string(std::size_t(1 + i * 5 % 7), char('a' + i)) + " word"}}.dump() +
        "\n";
  rows += R"({"messages": [{"role": "user", "content": "Hello"}]})"
          "\n";
  const auto one = rows_of(generate(rows, {"--batch-size", "1"}));
  ASSERT_EQ(one.size(), 10u);
  for (const char* size : {"2", "3", "32"})
    EXPECT_EQ(rows_of(generate(rows, {"--batch-size", size})), one) << size;
  std::size_t tokens = 0;
  for (const json& answer : one) tokens += answer["ids"].size();
  const Finished finished = generate(rows);
  EXPECT_TRUE(contains(finished.err, fmt::format("10 answers, {} tokens", tokens)));
  EXPECT_TRUE(contains(finished.err, "tokens/s"));
}

TEST_F(GenerateVerb, SeveralAnswersToAPromptAreNumbered) {
  const std::string rows = "{\"prompt\": \"one\"}\n{\"prompt\": \"two words\"}\n";
  const auto answers =
      rows_of(generate(rows, {"--num-return-sequences", "3", "--temperature", "1", "--seed", "5"}));
  ASSERT_EQ(answers.size(), 6u);
  for (int i = 0; i < 6; ++i) {
    EXPECT_EQ(answers[std::size_t(i)]["prompt"], i / 3);
    EXPECT_EQ(answers[std::size_t(i)]["sequence"], i % 3);
  }
  EXPECT_NE(answers[0]["ids"], answers[1]["ids"]);
  const Finished greedy = generate(rows, {"--num-return-sequences", "2"});
  EXPECT_EQ(greedy.exit_code, 2);
  EXPECT_TRUE(contains(greedy.err, "--temperature"));
}

TEST_F(GenerateVerb, AWrongRowIsNamedAndThoseBeforeItAreNot) {
  const std::string good = "{\"prompt\": \"fine\"}\n";
  for (const auto& [row, part] :
       std::vector<std::pair<std::string, std::string>>{{"{\"prompt\": \"\"}", "no token"},
                                                        {"{\"prompt\": 3}", "prompt"},
                                                        {"{\"text\": \"x\"}", "messages"},
                                                        {"{\"messages\": []}", "messages"},
                                                        {"not json", ""}}) {
    const Finished finished = generate(good + row + "\n");
    EXPECT_EQ(finished.exit_code, 2) << row;
    EXPECT_TRUE(contains(finished.err, "rows.jsonl:2")) << row;
    EXPECT_TRUE(contains(finished.err, part)) << row;
  }
}

TEST_F(GenerateVerb, AStopTextAcrossTokensEndsTheAnswerAndIsCut) {
  const std::string rows = "{\"prompt\": \"Tell me\"}\n";
  const json whole = rows_of(generate(rows, {"--max-new-tokens", "24"}))[0];
  const std::string text = whole["text"];
  const std::string stop = test::ascii_piece(text, 3);
  const json cut = rows_of(generate(rows, {"--max-new-tokens", "24", "--stop", stop}))[0];
  EXPECT_EQ(cut["text"], text.substr(0, text.find(stop)));
  EXPECT_LT(cut["ids"].size(), whole["ids"].size());
}

}  // namespace
}  // namespace hone
