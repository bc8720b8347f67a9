#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file.h"
#include "config/load.h"
#include "datasets/batch.h"
#include "datasets/contract.h"
#include "datasets/load.h"
#include "datasets/preview.h"
#include "support/support.h"
#include "tokenizer/chat_template.h"
#include "tokenizer/tokenizer.h"

// Rows of answers to compare or to judge: pairs, unpaired and scored ones.

namespace hone::datasets {
namespace {

using Ids = std::vector<std::int32_t>;

constexpr const char* kChatMl =
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

class AnswerRows : public testing::Test {
 protected:
  Dataset read(const std::string& rows) {
    return load({folder_.write("rows.jsonl", rows).string()}, options_, tools_, context_length_);
  }
  std::string refusal(const std::string& rows) {
    return test::message_of<DataError>([&] { read(rows); });
  }
  void take_text() {
    tools_.tokenizer = &tokenizer_;
    tools_.chat_template = &template_;
    tools_.vocab_size = 0;
  }
  std::string shown(const std::string& row) {
    return preview_row(read(row).example(0), tokenizer_, {});
  }

  test::TempFolder folder_;
  /// The fixture's tokenizer beside a config that names the token that texts end with.
  tokenizer::Tokenizer load_tokenizer() {
    folder_.write("tokenizer/tokenizer_config.json", R"({"eos_token":"<|endoftext|>"})");
    folder_.write("tokenizer/tokenizer.json",
                  read_file(test::fixture("tokenizers/qwen2_nfc/tokenizer.json")));
    return tokenizer::Tokenizer::load(folder_ / "tokenizer");
  }
  tokenizer::Tokenizer tokenizer_ = load_tokenizer();
  tokenizer::ChatTemplate template_{kChatMl};
  DataOptions options_ = config::defaults<DataOptions>();
  TextTools tools_{.vocab_size = 100,
                   .kinds = {RecordKind::kPreference, RecordKind::kUnpaired, RecordKind::kScored}};
  std::int64_t context_length_ = 0;
};

constexpr const char* kPair =
    R"({"prompt_ids":[5,6],"chosen_ids":[7,8,2],"rejected_ids":[9,2],"margin":0.5})";

TEST_F(AnswerRows, APairIsTwoDocumentsWithItsMargin) {
  const Example pair = read(kPair).example(0);
  EXPECT_EQ(pair.ids, (Ids{5, 6, 7, 8, 2, 5, 6, 9, 2}));
  EXPECT_EQ(pair.document_ends, (Ids{5, 9}));
  EXPECT_EQ(pair.weights, (std::vector<float>{0, 0, 1, 1, 1, 0, 0, 1, 1}));
  EXPECT_EQ(pair.values, (std::vector<float>{0.5f}));
  EXPECT_EQ(pair.trained_tokens(), 5);
  EXPECT_EQ(shared_prompt(pair), 2);
  EXPECT_EQ(read(R"({"prompt_ids":[],"chosen_ids":[7,8],"rejected_ids":[9,8]})").example(0).values,
            (std::vector<float>{0}));
}

TEST_F(AnswerRows, AnUnpairedRowIsOneDocumentWithItsLabel) {
  const Example row = read(R"({"prompt_ids":[5],"completion_ids":[7,2],"label":true})").example(0);
  EXPECT_EQ(row.ids, (Ids{5, 7, 2}));
  EXPECT_EQ(row.documents(), 1);
  EXPECT_EQ(row.values, (std::vector<float>{1}));
  EXPECT_EQ(shared_prompt(row), 0);
}

// Of answers, only these count: prompt_loss_weight is for supervised fine-tuning.
TEST_F(AnswerRows, ThePromptNeverWeighs) {
  options_.prompt_loss_weight = 1;
  take_text();
  const std::string rows[] = {R"({"prompt":"a b","completion":" c","label":false})",
                              R"({"prompt":"a b","chosen":" c","rejected":" d e"})"};
  for (const std::string& row : rows) {
    const Example example = read(row).example(0);
    for (std::size_t t = 0; t < example.ids.size(); ++t)
      EXPECT_EQ(example.weights[t], example.responses[t]) << row << t;
  }
}

TEST_F(AnswerRows, AnswersMayBeTextsOrMessagesWithTheirPromptOrWithout) {
  take_text();
  const std::string messages =
      "<|im_start|>user↵\nQ<|im_end|>↵\n<|im_start|>assistant↵\n[[A<|im_end|>]]↵\n"
      "\n-- document 2 --\n"
      "<|im_start|>user↵\nQ<|im_end|>↵\n<|im_start|>assistant↵\n[[B<|im_end|>]]↵\n";
  const std::string q = R"({"role":"user","content":"Q"})";
  const auto answer = [](const std::string& text) {
    return R"({"role":"assistant","content":")" + text + "\"}";
  };
  EXPECT_EQ(shown(R"({"prompt":[)" + q + R"(],"chosen":[)" + answer("A") + R"(],"rejected":[)" +
                  answer("B") + "]}"),
            messages);
  EXPECT_EQ(shown(R"({"chosen":[)" + q + "," + answer("A") + R"(],"rejected":[)" + q + "," +
                  answer("B") + "]}"),
            messages);
  const std::string texts =
      "<|endoftext|>Q:[[ yes<|endoftext|>]]\n-- document 2 --\n"
      "<|endoftext|>Q:[[ no<|endoftext|>]]";
  EXPECT_EQ(shown(R"({"prompt":"Q:","chosen":" yes","rejected":" no"})"), texts);
  EXPECT_EQ(shown(R"({"chosen":"Q: yes","rejected":"Q: no"})"), texts);
}

// What the assistant said before belongs to the prompt.
TEST_F(AnswerRows, OnlyTheAnswerOfALongerConversationIsTrained) {
  take_text();
  const std::string row =
      R"({"prompt":[{"role":"user","content":"Q"},{"role":"assistant","content":"R"},)"
      R"({"role":"user","content":"S"}],"completion":[{"role":"assistant","content":"T"}],)"
      R"("label":1})";
  const std::string text = shown(row);
  EXPECT_TRUE(text.ends_with("assistant↵\n[[T<|im_end|>]]↵\n")) << text;
  EXPECT_EQ(text.find("[["), text.rfind("[["));
}

TEST_F(AnswerRows, AScoredRowHasItsScore) {
  take_text();
  const Example row = read(R"({"prompt":"Q","completion":" A","score":-1.5})").example(0);
  EXPECT_EQ(row.values, (std::vector<float>{-1.5f}));
  EXPECT_EQ(read(R"({"messages":[{"role":"user","content":"Q"},)"
                 R"({"role":"assistant","content":"A"}],"score":2})")
                .example(0)
                .values,
            (std::vector<float>{2}));
}

struct FlawedCase {
  const char* name;
  const char* row;
  Flaw flaw;
  const char* words;
};

class FlawedRows : public AnswerRows, public testing::WithParamInterface<FlawedCase> {};

TEST_P(FlawedRows, AreRefusedOrLeftOutAndCounted) {
  take_text();
  const FlawedCase& flawed = GetParam();
  const auto has = [&](const char* key) { return test::contains(flawed.row, key); };
  const std::string good = has("label") ? R"({"prompt":"a","completion":" b","label":true})"
                                          "\n"
                                          R"({"prompt":"a","completion":" b","label":false})"
                           : has("_ids")
                               ? R"({"prompt_ids":[1],"chosen_ids":[2],"rejected_ids":[3]})"
                               : R"({"prompt":"a","chosen":" b","rejected":" c"})";
  const std::string said = refusal(good + "\n" + flawed.row);
  EXPECT_TRUE(test::contains(said, flawed.words));
  EXPECT_TRUE(test::contains(said, "rows.jsonl:"));
  EXPECT_TRUE(test::contains(said, "data.flawed_rows: drop"));

  options_.flawed_rows = "drop";
  const Dataset kept = read(good + "\n" + flawed.row);
  EXPECT_EQ(kept.size(), kept.counts().read - 1);
  for (std::size_t flaw = 0; flaw < kFlaws; ++flaw)
    EXPECT_EQ(kept.counts().flawed[flaw].rows, flaw == static_cast<std::size_t>(flawed.flaw));
  EXPECT_TRUE(test::contains(describe_changes(kept.counts()).at(0), flawed.words));
  // Where none is left, that is the end.
  EXPECT_TRUE(test::contains(refusal(flawed.row), "none of the 1 rows is left"));
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, FlawedRows,
    testing::Values(
        FlawedCase{"EqualAnswers", R"({"prompt":"a","chosen":" b","rejected":" b"})",
                   Flaw::kEqualAnswers, "are the same tokens"},
        FlawedCase{"EqualTexts", R"({"chosen":"a b","rejected":"a b"})", Flaw::kEqualAnswers,
                   "are the same"},
        FlawedCase{"EqualTokens", R"({"prompt_ids":[1],"chosen_ids":[2],"rejected_ids":[2]})",
                   Flaw::kEqualAnswers, "are the same"},
        FlawedCase{"EmptyChosen", R"({"prompt":"a","chosen":"","rejected":" b"})",
                   Flaw::kEmptyAnswer, "\"chosen\" is empty"},
        FlawedCase{"BlankRejected", R"({"prompt":"a","chosen":"b","rejected":" \n"})",
                   Flaw::kEmptyAnswer, "\"rejected\" is empty"},
        FlawedCase{"NoRejectedTokens", R"({"prompt_ids":[1],"chosen_ids":[2],"rejected_ids":[]})",
                   Flaw::kEmptyAnswer, "\"rejected_ids\" is empty"},
        FlawedCase{"EmptyCompletion", R"({"prompt":"a","completion":"","label":true})",
                   Flaw::kEmptyAnswer, "\"completion\" is empty"},
        FlawedCase{"EmptyMessage",
                   R"({"prompt":[{"role":"user","content":"a"}],)"
                   R"("completion":[{"role":"assistant","content":""}],"label":true})",
                   Flaw::kEmptyAnswer, "\"completion\" is empty"},
        FlawedCase{"TextsWithoutPrompt", R"({"chosen":"a b","rejected":"c d"})",
                   Flaw::kPromptsDiffer, "do not begin alike"},
        FlawedCase{
            "MessagesWithoutPrompt",
            R"({"chosen":[{"role":"user","content":"a"},{"role":"assistant","content":"x"}],)"
            R"("rejected":[{"role":"user","content":"b"},)"
            R"({"role":"assistant","content":"y"}]})",
            Flaw::kPromptsDiffer, "no message in common"},
        FlawedCase{"OtherLastQuestion",
                   R"({"chosen":[{"role":"system","content":"s"},{"role":"user","content":"a"},)"
                   R"({"role":"assistant","content":"x"}],)"
                   R"("rejected":[{"role":"system","content":"s"},{"role":"user","content":"b"},)"
                   R"({"role":"assistant","content":"y"}]})",
                   Flaw::kPromptsDiffer, "two prompts"},
        FlawedCase{"PromptBesideMessages",
                   R"({"prompt":"a",)"
                   R"("chosen":[{"role":"user","content":"a"},{"role":"assistant","content":"x"}],)"
                   R"("rejected":[{"role":"user","content":"b"},)"
                   R"({"role":"assistant","content":"y"}]})",
                   Flaw::kPromptsDiffer, "two prompts"}),
    [](const auto& one) { return std::string(one.param.name); });

TEST_F(AnswerRows, OverlongPairsAreDroppedAndCounted) {
  const std::string rows =
      std::string(kPair) + "\n" + R"({"prompt_ids":[5],"chosen_ids":[7,8],"rejected_ids":[9]})";
  options_.max_length = 4;  // the longer document of the first pair has 5 tokens
  const Dataset kept = read(rows);
  EXPECT_EQ(kept.size(), 1);
  EXPECT_EQ(kept.counts().dropped_overlong, 1);
  EXPECT_EQ(kept.counts().longest, 5);
  options_.max_length = 5;  // both together have 9, and that is no matter
  EXPECT_EQ(read(rows).size(), 2);
}

TEST_F(AnswerRows, ACutPairKeepsBothAnswersOrIsDropped) {
  options_.overlong = "truncate";
  options_.max_length = 4;
  const Example cut = read(kPair).example(0);
  EXPECT_EQ(cut.ids, (Ids{5, 6, 7, 8, 5, 6, 9, 2}));
  EXPECT_EQ(cut.document_ends, (Ids{4, 8}));
  EXPECT_EQ(cut.values, (std::vector<float>{0.5f}));
  const std::string rows = std::string(kPair) + "\n" +
                           R"({"prompt_ids":[5],"chosen_ids":[7,8,9,1],"rejected_ids":[7,8,9,2]})";
  EXPECT_EQ(read(rows).counts().dropped_overlong, 1);  // they differed behind the cut alone
}

TEST_F(AnswerRows, TheContractHoldsForEachAnswer) {
  options_.max_length = 3;
  options_.overlong = "truncate";
  // One token of a row that begins with its answer: nothing predicts it.
  const Dataset data = read(R"({"prompt_ids":[],"chosen_ids":[7,8],"rejected_ids":[9]})"
                            "\n"
                            R"({"prompt_ids":[3],"chosen_ids":[7,8],"rejected_ids":[9]})");
  const ContractReport report = examine_masks(data, options_);
  EXPECT_EQ(report.totals.untrained_rows, 1);
  ASSERT_FALSE(report.problems.empty());
  EXPECT_TRUE(test::contains(report.problems[0], "rows.jsonl:1: no token of the row"));
}

TEST_F(AnswerRows, AStopTokenThatOneAnswerNeverTrainsIsMissed) {
  tools_.stop_ids = {2};
  const std::string with = R"({"prompt_ids":[3],"chosen_ids":[7,2],"rejected_ids":[9,2]})";
  const std::string without = R"({"prompt_ids":[3],"chosen_ids":[7,2],"rejected_ids":[9]})";
  EXPECT_EQ(read(with).totals().trained_stops, 1);
  EXPECT_EQ(read(without).totals().trained_stops, 0);
}

TEST_F(AnswerRows, LabelsThatAreAllAlikeAreRefusedOrAWarning) {
  const std::string row = R"({"prompt_ids":[5],"completion_ids":[7,2],"label":true})";
  const Dataset alike = read(row + "\n" + row);
  EXPECT_EQ(alike.counts().desirable, 2);
  const std::string said = test::message_of<DataError>([&] { check_contract(alike, options_); });
  EXPECT_TRUE(test::contains(said, "the label is true, here and in all 2 rows"));
  options_.flawed_rows = "drop";
  testing::internal::CaptureStderr();
  EXPECT_TRUE(check_contract(alike, options_).problems.empty());
  EXPECT_TRUE(test::contains(testing::internal::GetCapturedStderr(), "in all 2 rows"));
  options_.flawed_rows = "error";
  const Dataset mixed =
      read(row + "\n" + R"({"prompt_ids":[5],"completion_ids":[7,2],"label":false})");
  EXPECT_TRUE(check_contract(mixed, options_).problems.empty());
}

TEST_F(AnswerRows, AreRefusedWhereAMethodTrainsOnSomethingElse) {
  tools_.kinds = document_kinds();
  EXPECT_TRUE(test::contains(refusal(kPair),
                             "the row is a preference record, and this "
                             "train.method trains on conversation or completion"));
  tools_.kinds = {RecordKind::kPreference};
  EXPECT_TRUE(test::contains(refusal(R"({"input_ids":[1,2]})"), "the row is a tokens record"));
}

// A cache of pairs is not one of the same file for another method.
TEST_F(AnswerRows, GoThroughATokenCacheAndStayWithTheirMethod) {
  options_.cache = (folder_ / "cache").string();
  const Dataset made = read(kPair), found = read(kPair);
  EXPECT_EQ(found.example(0).document_ends, made.example(0).document_ends);
  EXPECT_EQ(found.example(0).values, (std::vector<float>{0.5f}));
  tools_.kinds = document_kinds();
  EXPECT_TRUE(test::contains(refusal(kPair), "preference record"));
}

TEST_F(AnswerRows, StayTogetherInABatch) {
  const Dataset data = read(std::string(kPair) + "\n" +
                            R"({"prompt_ids":[5],"chosen_ids":[7,8],"rejected_ids":[9,2]})");
  const std::vector<std::int64_t> rows = {1, 0};
  const Batch batch = make_batch(data, rows);
  EXPECT_EQ(batch.cu_seqlens, (std::vector<std::int64_t>{0, 3, 6, 11, 15}));
  EXPECT_EQ(batch.cu_rows, (std::vector<std::int64_t>{0, 2, 4}));
  EXPECT_EQ(batch.places, rows);
  EXPECT_EQ(batch.prompts, (std::vector<std::int64_t>{1, 2}));
  EXPECT_EQ(batch.values, (std::vector<float>{0, 0.5f}));
  EXPECT_EQ(batch.cu_values, (std::vector<std::int64_t>{0, 1, 2}));
  EXPECT_EQ(batch.positions,
            (std::vector<std::int64_t>{0, 1, 2, 0, 1, 2, 0, 1, 2, 3, 4, 0, 1, 2, 3}));
  EXPECT_EQ(batch.weights, (std::vector<float>{1, 1, 0, 1, 1, 0, 0, 1, 1, 1, 0, 0, 1, 1, 0}));
  EXPECT_EQ(batch.rows(), 2);
}

TEST_F(AnswerRows, ADocumentOfABatchStandsAlone) {
  const Dataset data = read(std::string(kPair) + "\n" +
                            R"({"prompt_ids":[5],"chosen_ids":[7,8],"rejected_ids":[9,2]})");
  const std::vector<std::int64_t> rows = {1, 0};
  const Batch rejected = documents_of(make_batch(data, rows), 1);
  EXPECT_EQ(rejected.ids, (std::vector<std::int64_t>{5, 9, 2, 5, 6, 9, 2}));
  EXPECT_EQ(rejected.cu_seqlens, (std::vector<std::int64_t>{0, 3, 7}));
  EXPECT_EQ(rejected.weights, (std::vector<float>{1, 1, 0, 0, 1, 1, 0}));
  EXPECT_EQ(rejected.cu_rows, (std::vector<std::int64_t>{0, 1, 2}));
  EXPECT_EQ(rejected.prompts, (std::vector<std::int64_t>{0, 0}));
  EXPECT_EQ(rejected.places, rows);
  EXPECT_EQ(rejected.values, (std::vector<float>{0, 0.5f}));
}

}  // namespace
}  // namespace hone::datasets
