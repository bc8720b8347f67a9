#include "support/process.h"
#include "support/support.h"

// `hone chat` reads questions from a pipe here; on a terminal it prompts for them.

namespace hone {
namespace {

using test::contains;
using test::Finished;

std::vector<std::string> chat(std::vector<std::string> more = {}) {
  std::vector<std::string> arguments{"chat",    "--model", test::fixture("train/_base").string(),
                                     "--dtype", "fp32",    "--max-new-tokens",
                                     "3"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

TEST(Chat, NeedsATokenizerAndSaysSo) {
  const Finished finished = test::run_hone(chat());
  EXPECT_EQ(finished.exit_code, 2);
  EXPECT_TRUE(contains(finished.err, "tokenizer"));
}

TEST(Chat, ShowsItsOptions) {
  const Finished finished = test::run_hone({"chat", "--help"});
  EXPECT_EQ(finished.exit_code, 0);
  for (const char* option : {"--system", "--template", "--top-k", "--min-p", "--stop"})
    EXPECT_TRUE(contains(finished.out, option));
}

}  // namespace
}  // namespace hone
