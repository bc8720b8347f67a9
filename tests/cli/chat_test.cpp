#include "support/process.h"
#include "support/support.h"

// `hone chat` reads questions from a pipe here; on a terminal it prompts for them.

namespace hone {
namespace {

using test::contains;
using test::Finished;

TEST(Chat, AnswersGoOnFromWhatWasSaid) {
  const Finished finished = test::run_hone_with_input(
      {"chat", "--model", "smollm2-135m-instruct", "--max-new-tokens", "12"},
      "What is the capital of France?\nAnd of Italy?\n/undo\n/what\n/exit\nnever read\n");
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_EQ(finished.out, "The capital of France is Paris.\nThe capital of Italy is Rome.\n");
  EXPECT_TRUE(contains(finished.err, "/what is no command"));
}

TEST(Chat, AStopTextIsNeverPrinted) {
  const Finished finished = test::run_hone_with_input(
      {"chat", "--model", "smollm2-135m-instruct", "--max-new-tokens", "12", "--stop", " is Paris"},
      "What is the capital of France?\n");
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_EQ(finished.out, "The capital of France\n");
}

TEST(Chat, NeedsATemplateAndOffersSome) {
  const Finished finished = test::run_hone({"chat", "--model", test::fixture("train/_base")});
  EXPECT_EQ(finished.exit_code, 2);
  EXPECT_TRUE(contains(finished.err, "chatml"));
}

TEST(Chat, ShowsItsOptions) {
  const Finished finished = test::run_hone({"chat", "--help"});
  EXPECT_EQ(finished.exit_code, 0);
  for (const char* option : {"--system", "--template", "--top-k", "--min-p", "--stop"})
    EXPECT_TRUE(contains(finished.out, option));
}

}  // namespace
}  // namespace hone
