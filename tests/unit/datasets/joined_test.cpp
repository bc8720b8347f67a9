#include "datasets/joined.h"

#include "base/hash.h"
#include "support/support.h"

namespace hone::datasets {
namespace {

/// `trained` tokens of `length`, the last ones; the stop token 9 at the end where it is wanted.
Example row(std::int64_t number, std::int32_t length, std::int32_t trained, bool stops = true) {
  Example example;
  for (std::int32_t t = 0; t < length; ++t) {
    const bool is_response = t >= length - trained;
    example.ids.push_back(t + 1 == length && stops ? 9 : t);
    example.weights.push_back(is_response ? 1.0f : 0.0f);
    example.responses.push_back(is_response);
  }
  example.row = number;
  return example;
}

DatasetInfo info(const std::string& file, std::int64_t read) {
  return {.files = {file},
          .counts = {.read = read, .longest = read},
          .stop_ids = {9},
          .sha256 = sha256_hex(file)};
}

std::vector<Dataset> two_parts() {
  Example in_second_file = row(1, 6, 6);
  in_second_file.file = 1;
  DatasetInfo more = info("b", 3);
  more.files.push_back("c");
  more.counts.changes[1] = {2, "b:1: cut"};
  return {in_memory(info("a", 5), {row(1, 4, 2), row(2, 5, 1)}),
          in_memory(more, {row(1, 3, 0), row(2, 4, 3, false), in_second_file})};
}

TEST(Joined, RowsFollowOneAnotherUnderTheNamesOfTheirFiles) {
  const std::vector<Dataset> parts = two_parts();
  const Dataset joined = join(parts);
  ASSERT_EQ(joined.size(), 5);
  EXPECT_EQ(joined.lengths(), (std::vector<std::int64_t>{4, 5, 3, 4, 6}));
  EXPECT_EQ(joined.example(1).ids, parts[0].example(1).ids);
  EXPECT_EQ(joined.example(2).ids, parts[1].example(0).ids);
  EXPECT_EQ(joined.where(1), "a:2");
  EXPECT_EQ(joined.where(3), "b:2");
  EXPECT_EQ(joined.where(4), "c:1");
}

TEST(Joined, TotalsAreThoseOfOneDatasetWithAllRows) {
  const std::vector<Dataset> parts = two_parts();
  std::vector<Example> all;
  for (const Dataset& part : parts)
    for (std::int64_t i = 0; i < part.size(); ++i) all.push_back(part.example(i));
  const Dataset whole = in_memory({.files = {"a", "b", "c"}, .stop_ids = {9}}, all);
  const Dataset joined = join(parts);
  EXPECT_TRUE(joined.totals() == whole.totals());
  EXPECT_EQ(joined.totals().first_untrained, 2);
  EXPECT_EQ(joined.totals().most_trained, 4);
  EXPECT_EQ(joined.counts().read, 8);
  EXPECT_EQ(joined.counts().longest, 5);
  EXPECT_EQ(joined.counts().changes[1].first, "b:1: cut");
}

TEST(Joined, OneAloneStaysWhatItIs) {
  const Dataset alone = two_parts()[0];
  EXPECT_EQ(join({alone}).info().sha256, alone.info().sha256);
  EXPECT_NE(join(two_parts()).info().sha256, alone.info().sha256);
}

}  // namespace
}  // namespace hone::datasets
