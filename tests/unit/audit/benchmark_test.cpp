#include "datasets/audit/benchmark.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include "datasets/audit/words.h"

namespace hone::datasets::audit {
namespace {

constexpr const char* kQuestion =
    "A train leaves the station at nine and travels at sixty miles an hour for two hours. How far "
    "does it go?";

TEST(Contamination, ThirteenSharedWordsAreFoundWhereverTheyStand) {
  BenchmarkIndex index;
  index.add(
      word_hashes("Something else entirely that nobody would ever quote by chance in any row"), 0);
  index.add(word_hashes(kQuestion), 1);
  const auto found =
      index.find(word_hashes("Here is one: a train leaves the STATION at nine, and travels at "
                             "sixty miles an hour. Solve."));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->item, 1);
  EXPECT_EQ(found->words, 13);
  EXPECT_EQ(found->first_word, 3u);
  EXPECT_FALSE(
      index.find(word_hashes("a train leaves the station at nine and travels at sixty miles")))
      << "twelve words of a longer text";
}

TEST(Contamination, AShortTextIsLookedForWhole) {
  BenchmarkIndex index;
  index.add(word_hashes("What is the capital city of the Netherlands today?"), 4);  // 9 words
  EXPECT_TRUE(index.find(word_hashes("Say: what is the capital city of the Netherlands today")));
  EXPECT_FALSE(index.find(word_hashes("What is the capital city of the Netherlands")));
}

TEST(Contamination, TextsOfFewWordsAreCountedAndNotLookedFor) {
  BenchmarkIndex index;
  index.add(word_hashes("Paris"), 0);
  index.add(word_hashes("Yes it is"), 1);
  EXPECT_EQ(index.texts(), 2);
  EXPECT_EQ(index.short_texts(), 2);
  EXPECT_FALSE(index.find(word_hashes("Paris yes it is and a few more words to come here")));
}

TEST(Contamination, PhrasesOfManyItemsAreNoContent) {
  const std::string phrase =
      "Read the passage below and choose the best answer from the four given options.";
  BenchmarkIndex few, many;
  for (int item = 0; item < 10; ++item) few.add(word_hashes(phrase), item);
  for (int item = 0; item < 11; ++item) many.add(word_hashes(phrase), item);
  EXPECT_TRUE(few.find(word_hashes(phrase)));
  EXPECT_FALSE(many.find(word_hashes(phrase)));
}

}  // namespace
}  // namespace hone::datasets::audit
