#include "datasets/token_cache.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/file.h"
#include "support/support.h"

namespace hone::datasets {
namespace {

Example example(std::int64_t row, std::vector<std::int32_t> ids, std::vector<float> weights) {
  Example e;
  e.ids = std::move(ids);
  e.weights = std::move(weights);
  for (const float weight : e.weights) e.responses.push_back(weight == 1.0f);
  e.row = row;
  return e;
}

/// Rows of different lengths and weights; enough for several blocks of every kind.
std::vector<Example> many_rows() {
  std::vector<Example> rows;
  for (std::int32_t i = 0; i < 9000; ++i) {
    Example e = example(i + 1, {}, {});
    for (std::int32_t t = 0; t <= i % 37; ++t) {
      e.ids.push_back((i * 31 + t * 7) % 50000);
      e.weights.push_back(t < i % 5 ? 0.0f : t % 11 == 3 ? 0.1f : 1.0f);
      e.responses.push_back(t >= i % 5 && t % 3 != 0);
    }
    e.straddling_tokens = i % 13 == 0;
    e.prompt_differs = i % 17 == 0;
    if (i % 3 == 1 && e.length() > 2) {
      e.document_ends = {1, static_cast<std::int32_t>(e.length())};
      e.weights[1] = 0;
    }
    if (i % 4 == 2) e.values = {0.25f * static_cast<float>(i), -1};
    rows.push_back(std::move(e));
  }
  return rows;
}

class TokenCache : public testing::Test {
 protected:
  std::filesystem::path path() const { return folder_ / "cache.h5"; }

  void write(const std::vector<Example>& rows, std::int64_t vocab_size = 50000) const {
    TokenCacheWriter writer(path(), vocab_size, {2});
    for (const Example& row : rows) writer.add(row);
    writer.finish("a key", info_);
  }
  Dataset open() const { return open_token_cache(path(), "a key", {"rows.jsonl"}); }
  std::string refusal() const {
    return test::message_of<CacheError>([&] { open(); });
  }

  DatasetInfo info_ = {.files = {"old/rows.jsonl"},
                       .counts = {.read = 9001,
                                  .rendered = 9000,
                                  .longest = 37,
                                  .desirable = 4,
                                  .undesirable = 5,
                                  .changes = {{{3, "rows.jsonl:5: gone"}, {}, {1, "rows.jsonl:9"}}},
                                  .flawed = {{{}, {2, "rows.jsonl:7: empty"}, {}}}},
                       .stop_ids = {2},
                       .sha256 = "abc"};
  test::TempFolder folder_;
};

void expect_same_example(const Example& got, const Example& expected) {
  EXPECT_EQ(got.ids, expected.ids);
  EXPECT_EQ(got.weights, expected.weights);
  EXPECT_EQ(got.responses, expected.responses);
  EXPECT_EQ(got.document_ends, expected.document_ends);
  EXPECT_EQ(got.values, expected.values);
  EXPECT_EQ(got.row, expected.row);
  EXPECT_EQ(got.file, expected.file);
  EXPECT_EQ(got.straddling_tokens, expected.straddling_tokens);
  EXPECT_EQ(got.prompt_differs, expected.prompt_differs);
}

TEST_F(TokenCache, GivesBackWhatADatasetInMemoryGives) {
  const std::vector<Example> rows = many_rows();
  for (const std::int64_t vocab_size : {50000, 100000, 0}) {
    write(rows, vocab_size);
    const Dataset cached = open(), held = in_memory(info_, rows);
    ASSERT_EQ(cached.size(), held.size());
    EXPECT_EQ(cached.lengths(), held.lengths());
    EXPECT_EQ(cached.totals(), held.totals());
    EXPECT_EQ(cached.counts(), held.counts());
    EXPECT_EQ(cached.info().stop_ids, held.info().stop_ids);
    EXPECT_EQ(cached.info().sha256, held.info().sha256);
    for (std::int64_t i = held.size() - 1; i >= 0; --i) {
      ASSERT_NO_FATAL_FAILURE(expect_same_example(cached.example(i), held.example(i)));
      EXPECT_EQ(cached.facts(i), held.facts(i));
    }
  }
}

TEST_F(TokenCache, KeepsIdsOfASmallVocabularyInTwoBytes) {
  write(many_rows(), 50000);
  const auto narrow = std::filesystem::file_size(path());
  write(many_rows(), 70000);
  const auto wide = std::filesystem::file_size(path());
  EXPECT_GT(wide - narrow, 250000u) << "9000 rows of 19 tokens";
}

TEST_F(TokenCache, KeepsIdsAtTheEndsOfTheirRange) {
  write({example(1, {0, 65535}, {0, 1})}, 65536);
  EXPECT_EQ(open().example(0).ids, (std::vector<std::int32_t>{0, 65535}));
  write({example(1, {0, 2147483647}, {0, 1})}, 0);
  EXPECT_EQ(open().example(0).ids, (std::vector<std::int32_t>{0, 2147483647}));
}

TEST_F(TokenCache, NamesTheFilesAsTheyAreCalledNow) {
  write(many_rows());
  EXPECT_EQ(open().where(41), "rows.jsonl:42");
  EXPECT_TRUE(test::contains(test::message_of<CacheError>([&] {
                               open_token_cache(path(), "a key", {"a", "b"});
                             }),
                             "1 files, expected 2"));
}

TEST_F(TokenCache, IsRefusedForAnotherKey) {
  write(many_rows());
  const std::string message = test::message_of<CacheError>(
      [&] { open_token_cache(path(), "another key", {"rows.jsonl"}); });
  EXPECT_TRUE(test::contains(message, "cache.h5"));
  EXPECT_TRUE(test::contains(message, "a key"));
}

TEST_F(TokenCache, IsRefusedUnlessFinished) {
  { TokenCacheWriter(path(), 100, {}).add(example(1, {1, 2}, {0, 1})); }
  EXPECT_TRUE(test::contains(refusal(), "cache.h5: the token cache is damaged"));
}

TEST_F(TokenCache, IsRefusedWhereverItIsCut) {
  write(many_rows());
  const std::uintmax_t size = std::filesystem::file_size(path());
  for (int part = 0; part < 16; ++part) {
    write(many_rows());
    std::filesystem::resize_file(path(), size * static_cast<unsigned>(part) / 16);
    EXPECT_TRUE(test::contains(refusal(), "cache.h5")) << part << "/16";
  }
}

/// Reads everything. @return what it was refused with, "" where all of it is as it was written
std::string first_refusal(const std::function<Dataset()>& open, const std::vector<Example>& rows) {
  try {
    const Dataset dataset = open();
    for (std::int64_t i = 0; i < dataset.size(); ++i)
      expect_same_example(dataset.example(i), rows[static_cast<std::size_t>(i)]);
    EXPECT_EQ(dataset.totals().rows, std::ssize(rows));
    return "";
  } catch (const CacheError& error) {
    return error.what();
  }
}

// Whatever byte of the file has changed: it is seen, or it is one that nothing is read from.
TEST_F(TokenCache, AFlippedByteIsSeenOrOfNoConsequence) {
  const std::vector<Example> rows = many_rows();
  write(rows);
  const std::string good = read_file(path());
  int refused = 0, tried = 0;
  for (std::size_t at = 1; at < good.size(); at += good.size() / 150, ++tried) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x10);
    folder_.write("cache.h5", bad);
    const std::string message = first_refusal([&] { return open(); }, rows);
    if (HasFailure()) FAIL() << "byte " << at;
    if (message.empty()) continue;
    ++refused;
    EXPECT_TRUE(test::contains(message, "cache.h5"));
    folder_.write("cache.h5", bad);
    EXPECT_THROW(verify_token_cache(path()), CacheError) << "byte " << at;
  }
  EXPECT_GT(refused, tried / 2) << "most of the file is ids, runs and rows";
}

TEST_F(TokenCache, ADamagedBlockIsFoundWhenItIsReadAndTheFileGoes) {
  const std::vector<Example> rows = many_rows();
  write(rows);
  const Dataset dataset = open();
  std::string content = read_file(path());
  std::string ids_of_last;  // as they lie in the file
  for (const std::int32_t id : rows.back().ids) {
    ids_of_last.push_back(static_cast<char>(id & 0xFF));
    ids_of_last.push_back(static_cast<char>(id >> 8));
  }
  const std::size_t at = content.rfind(ids_of_last);
  ASSERT_NE(at, content.npos);
  std::fstream(path(), std::ios::binary | std::ios::in | std::ios::out)
      .seekp(static_cast<std::streamoff>(at))
      .put(static_cast<char>(content[at] ^ 1));
  expect_same_example(dataset.example(0), rows[0]);
  const std::string message =
      test::message_of<CacheError>([&] { dataset.example(dataset.size() - 1); });
  EXPECT_TRUE(test::contains(message, "of ids is not what was written"));
  EXPECT_TRUE(test::contains(message, "run again"));
  EXPECT_FALSE(std::filesystem::exists(path()));
}

TEST_F(TokenCache, VerifyReadsAllOfIt) {
  write(many_rows());
  EXPECT_NO_THROW(verify_token_cache(path()));
}

}  // namespace
}  // namespace hone::datasets
