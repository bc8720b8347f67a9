#include "config/problems.h"

#include "base/error.h"
#include "support/support.h"

namespace hone::config {
namespace {

const std::vector<std::string> kKeys = {
    "model",           "model.base",          "optim",
    "optim.name",      "optim.learning_rate", "optim.weight_decay",
    "train.max_steps", "eval.max_steps"};

TEST(Nearest, FindsTyposInTheLastPart) {
  EXPECT_EQ(nearest("optim.lerning_rate", kKeys), "optim.learning_rate");    // left out
  EXPECT_EQ(nearest("optim.learning_raate", kKeys), "optim.learning_rate");  // put in
  EXPECT_EQ(nearest("optim.learming_rate", kKeys), "optim.learning_rate");   // another letter
  EXPECT_EQ(nearest("optim.naem", kKeys), "optim.name");                     // swapped: one edit
  EXPECT_EQ(nearest("optim.Learning-Rate", kKeys), "optim.learning_rate");
  EXPECT_EQ(nearest("optm", kKeys), "optim");
}

TEST(Nearest, FindsAKeyOfAnotherSection) {
  EXPECT_EQ(nearest("learning_rate", kKeys), "optim.learning_rate");
  EXPECT_EQ(nearest("train.weight_decay", kKeys), "optim.weight_decay");
}

TEST(Nearest, PrefersTheSameSectionWhereTwoAreAsNear) {
  EXPECT_EQ(nearest("eval.max_step", kKeys), "eval.max_steps");
  EXPECT_EQ(nearest("train.max_step", kKeys), "train.max_steps");
}

TEST(Nearest, GivesNothingWhereNothingIsNear) {
  EXPECT_EQ(nearest("optim.nesterov", kKeys), "");
  EXPECT_EQ(nearest("lr", kKeys), "");
  EXPECT_EQ(nearest("", kKeys), "");
  EXPECT_EQ(nearest(std::string(1 << 20, 'x'), kKeys), "");
}

TEST(RefuseIfAny, TellsAllInTheOrderOfTheFileThenTheCommandLine) {
  refuse_if_any({});
  const std::string message = hone::test::message_of<ConfigError>([] {
    refuse_if_any({{{"command line: a=1", 0}, "a", "third"},
                   {{"run.yaml", 0}, "b", "missing"},
                   {{"run.yaml", 12}, "c", "second"},
                   {{"run.yaml", 3}, "d", "first"}});
  });
  EXPECT_EQ(message,
            "run.yaml:3: d: first\nrun.yaml:12: c: second\nrun.yaml: b: missing\n"
            "command line: a=1: a: third");
}

TEST(RefuseIfAny, KeepsToReadableLengthsAndLines) {
  const std::vector<Problem> many(1000, {{"f", 1}, std::string(5000, 'k') + "\x1b\n", "wrong"});
  const std::string message = hone::test::message_of<ConfigError>([&] { refuse_if_any(many); });
  EXPECT_LT(message.size(), 10'000u);
  EXPECT_TRUE(hone::test::contains(message, "and 950 more problems"));
  EXPECT_EQ(message.find('\x1b'), std::string::npos);
}

TEST(Shortened, CutsBetweenCharacters) {
  std::string text;
  for (int i = 0; i < 60; ++i) text += "\xE2\x82\xAC";  // three bytes each, 80 is within one
  EXPECT_EQ(shortened(text), text.substr(0, 78) + "...");
}

}  // namespace
}  // namespace hone::config
