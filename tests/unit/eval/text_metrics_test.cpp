#include "base/error.h"
#include "eval/bleu.h"
#include "eval/json_schema.h"
#include "eval/pattern.h"
#include "eval/rouge.h"
#include "eval/stop_texts.h"
#include "io/json.h"
#include "support/support.h"

namespace hone::eval {
namespace {

using nlohmann::json;

json reference() { return io::read_json(test::fixture("eval/text_metrics.json")); }

TEST(Bleu, CutsTextsAsSacrebleuDoes) {
  const json cases = reference()["cases"];
  for (const json& row : cases)
    EXPECT_EQ(tokenize_13a(row["answer"].get<std::string>()),
              row["tokens_13a"].get<std::vector<std::string>>())
        << row["answer"];
}

TEST(Bleu, OfCorporaIsSacrebleus) {
  const json all = reference();
  for (const json& corpus : all["corpora"]) {
    BleuStatistics sums{};
    for (std::size_t i = corpus["begin"]; i < corpus["end"]; ++i) {
      const json& row = all["cases"][i];
      const BleuStatistics one =
          bleu_statistics(row["answer"].get<std::string>(), row["reference"].get<std::string>());
      for (std::size_t k = 0; k < sums.size(); ++k) sums[k] += one[k];
    }
    EXPECT_NEAR(bleu_score(sums), corpus["bleu"].get<double>(), 1e-9) << corpus;
  }
}

TEST(RougeL, IsRougeScores) {
  const json cases = reference()["cases"];
  for (const json& row : cases)
    EXPECT_NEAR(rouge_l_f1(row["answer"].get<std::string>(), row["reference"].get<std::string>()),
                row["rouge_l"].get<double>(), 1e-12)
        << row;
}

TEST(Pattern, WithoutAGroupIsFoundAnywhere) {
  const Pattern pattern("[0-9]+ km");
  EXPECT_TRUE(pattern.agrees("it is 12 km away", std::nullopt));
  EXPECT_FALSE(pattern.agrees("it is far", std::nullopt));
}

TEST(Pattern, WithAGroupFindsTheSameInBothAnswers) {
  const Pattern pattern("#### (-?[0-9.]+)|answer: (\\w+)");
  EXPECT_EQ(pattern.find("so\n#### 42\n"), "42");
  EXPECT_EQ(pattern.find("answer: yes"), "yes");
  EXPECT_TRUE(pattern.agrees("short. #### 42", "a long way. #### 42"));
  EXPECT_FALSE(pattern.agrees("#### 41", "#### 42"));
  EXPECT_FALSE(pattern.agrees("none", "none"));
  EXPECT_TRUE(pattern.agrees("#### 41", std::nullopt)) << "there is nothing to compare with";
}

TEST(Pattern, ThatDoesNotCompileSaysWhere) {
  EXPECT_TRUE(test::contains(test::message_of<ConfigError>([] { Pattern("a(b"); }), "byte 3"));
}

class Schema : public testing::Test {
 protected:
  JsonSchema load(const std::string& text) {
    return JsonSchema::load(folder_.write("schema.json", text));
  }
  test::TempFolder folder_;
};

TEST_F(Schema, AcceptsWhatFitsAndNothingElse) {
  const JsonSchema schema = load(R"({"type": "object", "required": ["kind", "n"],
      "properties": {"kind": {"const": "order"}, "n": {"type": "integer", "minimum": 1},
                     "day": {"type": "string", "pattern": "^[a-z]{3}$"},
                     "tags": {"type": "array", "items": {"enum": ["a", "b"]}}},
      "additionalProperties": false})");
  for (const char* good : {R"({"kind": "order", "n": 2})", " {\"n\":1,\"kind\":\"order\"}\n",
                           R"({"kind": "order", "n": 2, "day": "mon", "tags": ["b", "a"]})"})
    EXPECT_TRUE(schema.accepts(good)) << good;
  for (const char* bad :
       {"", "order", R"({"kind": "order"})", R"({"kind": "order", "n": 0})",
        R"({"kind": "order", "n": "2"})", R"({"kind": "order", "n": 2.5})",
        R"({"kind": "order", "n": 2, "more": 1})", R"({"kind": "order", "n": 2, "day": "Mon"})",
        R"({"kind": "order", "n": 2, "tags": ["c"]})", R"({"kind": "order", "n": 2} and more)"})
    EXPECT_FALSE(schema.accepts(bad)) << bad;
}

TEST_F(Schema, CombinesAndRefers) {
  const JsonSchema schema = load(R"({"definitions": {"id": {"type": "string", "minLength": 2}},
      "oneOf": [{"$ref": "#/definitions/id"}, {"type": "array", "minItems": 1,
                 "items": {"$ref": "#/definitions/id"}}]})");
  EXPECT_TRUE(schema.accepts("\"ab\""));
  EXPECT_TRUE(schema.accepts("[\"ab\", \"cd\"]"));
  EXPECT_FALSE(schema.accepts("\"a\""));
  EXPECT_FALSE(schema.accepts("[]"));
}

TEST_F(Schema, ThatIsNoneIsRefused) {
  EXPECT_THROW(load("[1]"), ConfigError);
  EXPECT_THROW(load("{"), DataError);
  EXPECT_THROW(load(R"({"$ref": "http://example.org/schema.json"})"), ConfigError);
  EXPECT_THROW(load(R"({"type": "string", "pattern": "("})").accepts("\"a\""), ConfigError);
}

TEST(StopTexts, AreCutFromTheTextWithAllBehindThem) {
  const StopTexts stops{{"\n\n", "Q:"}};
  EXPECT_EQ(stops.cut("one\n\ntwo Q: three"), "one");
  EXPECT_EQ(stops.cut("Q: and\n\n"), "");
  EXPECT_EQ(stops.cut("nothing"), "nothing");
}

TEST(StopTexts, HoldBackWhatMayBecomeOne) {
  const StopTexts stops{{"stop", "tot"}};
  EXPECT_EQ(stops.undecided("go sto"), 3u);
  EXPECT_EQ(stops.undecided("go to"), 2u);
  EXPECT_EQ(stops.undecided("go on"), 0u);
  EXPECT_EQ(stops.undecided("s"), 1u);
  EXPECT_EQ(StopTexts{}.undecided("s"), 0u);
}

TEST(StopTexts, AreSeenAcrossTokensAsSoonAsTheyAreWhole) {
  const auto tokenizer =
      tokenizer::Tokenizer::load(test::fixture("tokenizers/gpt2_bytelevel/tokenizer.json"));
  for (const std::string stop : {"lo wor", "né e", "ñ", "end.", "h"}) {
    const StopTexts stops{{stop}};
    const auto watch = stops.watch(tokenizer);
    const std::string text = "hello world café né ever señor the end. Ω more";
    const auto encoded = tokenizer.encode(text).ids;
    std::vector<std::int64_t> made;
    for (const std::int32_t id : encoded) {
      made.push_back(id);
      const std::vector<std::int32_t> so_far(made.begin(), made.end());
      const bool is_there = tokenizer.decode(so_far, true).find(stop) != std::string::npos;
      EXPECT_EQ(watch(made), is_there) << stop << " after " << made.size() << " tokens";
      if (is_there) break;
    }
    EXPECT_LE(made.size(), encoded.size());
  }
  EXPECT_FALSE(StopTexts{}.watch(tokenizer)) << "nobody is asked where there are none";
}

}  // namespace
}  // namespace hone::eval
