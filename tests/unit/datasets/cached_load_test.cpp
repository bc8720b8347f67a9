#include "datasets/cached_load.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "base/hash.h"
#include "config/load.h"
#include "datasets/batch.h"
#include "datasets/cache_key.h"
#include "datasets/token_cache.h"
#include "support/support.h"
#include "tokenizer/chat_template.h"
#include "tokenizer/tokenizer.h"

namespace hone::datasets {
namespace {

namespace fs = std::filesystem;
using tokenizer::ChatTemplate;
using tokenizer::Tokenizer;

constexpr const char* kTemplate =
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

/// Some hundred conversations of different lengths.
std::string conversations(int count) {
  std::string rows;
  for (int i = 0; i < count; ++i) {
    const std::string number = std::to_string(i);
    rows += R"({"messages":[{"role":"user","content":"What is )" + number + " times " +
            std::to_string(i % 7) + R"(?"},{"role":"assistant","content":"It is )" +
            std::to_string(i * (i % 7)) + std::string(static_cast<std::size_t>(i % 40), '!') +
            "\"}]}\n";
  }
  return rows;
}

class CachedLoad : public testing::Test {
 protected:
  CachedLoad() {
    options_.cache = (folder_ / "cache").string();
    tools_.tokenizer = &tokenizer_;
    tools_.chat_template = &template_;
    tools_.vocab_size = static_cast<std::int64_t>(tokenizer_.vocab_size());
    tools_.stop_ids = {tokenizer_.token_to_id("<|im_end|>").value()};
    tools_.tokenizer_sha256 = "a tokenizer";
    files_ = {folder_.write("rows.jsonl", conversations(500)).string()};
  }
  Dataset load_with(const std::string& cache, int threads = 2) {
    options_.cache = cache;
    return load(files_, options_, tools_, 0, {.threads = threads});
  }
  fs::path path() const {
    const LoadSettings settings;
    return cache_path(folder_ / "cache", {files_, options_, tools_, context_, settings});
  }
  std::string key() const { return path().stem().string(); }

  test::TempFolder folder_;
  DataOptions options_ = config::defaults<DataOptions>();
  Tokenizer tokenizer_ = Tokenizer::load(test::fixture("tokenizers/qwen2_nfc/tokenizer.json"));
  ChatTemplate template_{kTemplate};
  TextTools tools_;
  std::int64_t context_ = 0;
  std::vector<std::string> files_;
};

TEST_F(CachedLoad, GivesTheBatchesThatMemoryGives) {
  const Dataset held = load_with("off"), made = load_with(options_.cache = folder_ / "cache");
  const Dataset opened = load_with(options_.cache);
  ASSERT_EQ(held.size(), 500);
  for (const Dataset& cached : {made, opened}) {
    EXPECT_EQ(cached.lengths(), held.lengths());
    EXPECT_EQ(cached.totals(), held.totals());
    EXPECT_EQ(cached.counts(), held.counts());
    EXPECT_EQ(cached.info().sha256, held.info().sha256);
    EXPECT_EQ(cached.where(499), held.where(499));
    for (const std::vector<std::int64_t>& rows :
         {std::vector<std::int64_t>{3, 1, 499}, {0}, {77, 78, 79, 80, 81}})
      EXPECT_EQ(make_batch(cached, rows), make_batch(held, rows));
  }
}

TEST_F(CachedLoad, IsTheSameFileWithAnyNumberOfThreads) {
  std::string first;
  for (const int threads : {1, 2, 5}) {
    fs::remove_all(folder_ / "cache");
    load_with(folder_ / "cache", threads);
    const std::string content = read_file(path());
    if (first.empty()) first = content;
    EXPECT_TRUE(content == first) << threads << " threads";
  }
}

TEST_F(CachedLoad, IsMadeOnce) {
  int reports = 0;
  const LoadSettings settings = {.threads = 2, .watch = [&](const LoadProgress& progress) {
                                   ++reports;
                                   EXPECT_LE(progress.bytes, progress.total_bytes);
                                 }};
  load(files_, options_, tools_, 0, settings);
  const int of_first = reports;
  EXPECT_GT(of_first, 1);
  load(files_, options_, tools_, 0, settings);
  EXPECT_EQ(reports, of_first) << "nothing is read the second time";
  fs::rename(files_[0], folder_ / "moved.jsonl");
  files_[0] = folder_ / "moved.jsonl";
  const Dataset moved = load(files_, options_, tools_, 0, settings);
  EXPECT_EQ(reports, of_first) << "the content counts, not the name";
  EXPECT_EQ(moved.where(0), files_[0] + ":1");
}

TEST_F(CachedLoad, WhatShapesTokensIsInTheKey) {
  std::vector<std::string> keys = {key()};
  const auto expect_new = [&](const char* what) {
    EXPECT_EQ(std::count(keys.begin(), keys.end(), key()), 0) << what;
    keys.push_back(key());
  };
  folder_.write("rows.jsonl", conversations(501));
  expect_new("a row");
  files_.push_back(folder_.write("more.jsonl", conversations(3)));
  expect_new("a file");
  std::swap(files_[0], files_[1]);
  expect_new("the order of files");
  fs::rename(files_[1], folder_ / "rows.json");
  files_[1] = folder_ / "rows.json";
  expect_new("the kind of a file");
  const ChatTemplate other(std::string(kTemplate) + " ");
  tools_.chat_template = &other;
  expect_new("the template's text");
  tools_.tokenizer_sha256 = "another";
  expect_new("the tokenizer");
  tools_.vocab_size += 1;
  expect_new("the vocabulary");
  tools_.stop_ids = {7};
  expect_new("the stop tokens");
  context_ = 512;
  expect_new("the context");
  options_.max_length = 100;
  expect_new("max_length");
  options_.overlong = "truncate";
  expect_new("overlong");
  options_.train_on = "last";
  expect_new("train_on");
  options_.prompt_loss_weight = 0.1;
  expect_new("prompt_loss_weight");
}

TEST_F(CachedLoad, WhatOnlyOrdersOrJudgesRowsIsNotInTheKey) {
  const std::string before = key();
  options_.shuffle = !options_.shuffle;
  options_.mask_contract = false;
  options_.max_untrained_rows = options_.max_straddling_rows = 1;
  options_.min_trained_share = 0.1;
  options_.max_trained_share = 0.9;
  options_.eval = {"other.jsonl"};
  EXPECT_EQ(key(), before);
}

// Whoever changes how rows are rendered, tokenised or weighed changes the second hash: then
// kTokenCodeVersion has to be raised, which changes the first one, and both are written anew here.
TEST_F(CachedLoad, TheKeyNamesTheCodeThatMadeTheTokens) {
  Sha256 content;
  const Dataset data = load_with("off");
  for (std::int64_t i = 0; i < data.size(); ++i) {
    const Example example = data.example(i);
    content.update(example.ids.data(), example.ids.size() * sizeof(std::int32_t));
    content.update(example.weights.data(), example.weights.size() * sizeof(float));
  }
  EXPECT_EQ(fmt::format("code {}: {}", kTokenCodeVersion, content.hex().substr(0, 16)),
            "code 1: 3bb09e3ea91fcc19");
}

TEST_F(CachedLoad, ADamagedCacheIsMadeAnewWithAWarning) {
  const Dataset good = load_with(folder_ / "cache");
  const std::string content = read_file(path());
  for (const std::string& bad : {content.substr(0, content.size() / 3), std::string("x")}) {
    folder_.write("cache/" + path().filename().string(), bad);
    testing::internal::CaptureStderr();
    const Dataset again = load_with(folder_ / "cache");
    const std::string said = testing::internal::GetCapturedStderr();
    EXPECT_TRUE(test::contains(said, "warning: " + path().string()));
    EXPECT_TRUE(test::contains(said, "made anew"));
    EXPECT_EQ(again.totals(), good.totals());
    EXPECT_TRUE(read_file(path()) == content);
  }
}

TEST_F(CachedLoad, BadRowsAreToldAsWithoutACacheAndLeaveNothing) {
  files_.push_back(folder_.write("bad.jsonl", conversations(200) + "{\n{\"messages\":[]}\n"));
  const auto refusal = [&](const std::string& cache, int threads) {
    return test::message_of<DataError>([&] { load_with(cache, threads); });
  };
  const std::string expected = refusal("off", 1);
  EXPECT_TRUE(test::contains(expected, "bad.jsonl:201"));
  EXPECT_TRUE(test::contains(expected, "bad.jsonl:202"));
  for (const int threads : {1, 2, 5}) EXPECT_EQ(refusal(folder_ / "cache", threads), expected);
  for (const auto& entry : fs::directory_iterator(folder_ / "cache"))
    EXPECT_EQ(entry.path().filename(), "file_hashes.json");
}

TEST_F(CachedLoad, ManyBadRowsStopAtTheTenthWhateverTheThreads) {
  std::string rows = conversations(300);
  for (int i = 0; i < 500; ++i) rows += "{\"messages\":[]}\n";
  files_ = {folder_.write("bad.jsonl", rows)};
  std::string first;
  for (const int threads : {1, 2, 5}) {
    const std::string message = test::message_of<DataError>([&] { load_with("off", threads); });
    if (first.empty()) first = message;
    EXPECT_EQ(message, first);
    EXPECT_TRUE(test::contains(message, "bad.jsonl:310"));
    EXPECT_FALSE(test::contains(message, "bad.jsonl:311"));
    EXPECT_TRUE(test::contains(message, "reading stopped here"));
  }
}

TEST_F(CachedLoad, LeftoversOfDeadProcessesAreRemoved) {
  folder_.write("cache/0123.tmp", "half a cache");
  folder_.write("cache/" + key() + ".tmp", "half a cache");
  folder_.write("cache/keep.h5", "another cache");
  load_with(folder_ / "cache");
  EXPECT_FALSE(fs::exists(folder_ / "cache" / "0123.tmp"));
  EXPECT_FALSE(fs::exists(path().replace_extension(".tmp")));
  EXPECT_FALSE(fs::exists(path().replace_extension(".lock")));
  EXPECT_TRUE(fs::exists(folder_ / "cache" / "keep.h5"));
  EXPECT_TRUE(fs::exists(path()));
}

TEST_F(CachedLoad, AutoKeepsSmallDataInMemoryAndLargeDataInTheUsersFolder) {
  ::setenv("XDG_CACHE_HOME", (folder_ / "user").c_str(), 1);
  load_with("auto");
  EXPECT_FALSE(fs::exists(folder_ / "user"));
  const std::string rows = conversations(500);
  std::string many;
  while (std::ssize(many) < kSmallDataBytes) many += rows;
  files_ = {folder_.write("many.jsonl", many)};
  options_.max_length = 30;  // most rows go, which is quicker
  load_with("auto");
  EXPECT_TRUE(fs::exists(folder_ / "user" / "hone" / "tokens" / path().filename()));
  ::unsetenv("XDG_CACHE_HOME");
}

}  // namespace
}  // namespace hone::datasets
