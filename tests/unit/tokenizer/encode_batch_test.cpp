#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "support/support.h"
#include "tokenizer/tokenizer.h"

namespace hone::tokenizer {
namespace {

Tokenizer byte_level() {
  return Tokenizer::load(test::fixture("tokenizers/qwen2_nfc/tokenizer.json"));
}

TEST(EncodeBatch, GivesWhatEncodeGivesInTheSameOrder) {
  const Tokenizer tokenizer = byte_level();
  std::vector<std::string> texts;
  for (int i = 0; i < 500; ++i) texts.push_back("text " + std::to_string(i * i) + "<|im_end|>");
  std::vector<EncodeRequest> requests;
  for (const std::string& text : texts) requests.push_back({text});
  requests[7].options.literal = {{0, texts[7].size()}};
  const std::vector<Encoding> encodings = tokenizer.encode_batch(requests, 4);
  ASSERT_EQ(encodings.size(), requests.size());
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const Encoding expected = tokenizer.encode(requests[i].text, requests[i].options);
    EXPECT_EQ(encodings[i].ids, expected.ids) << i;
    EXPECT_EQ(encodings[i].offsets, expected.offsets) << i;
  }
  EXPECT_TRUE(tokenizer.encode_batch({}, 4).empty());
}

TEST(EncodeBatch, ThrowsTheFirstFailureOfTheBatch) {
  const Tokenizer tokenizer = byte_level();
  std::vector<EncodeRequest> requests(200, {"fine"});
  requests[60].text = "12\xFF";
  requests[190].text = "\xFF";
  for (int round = 0; round < 20; ++round) {
    const std::string message =
        test::message_of<DataError>([&] { tokenizer.encode_batch(requests, 3); });
    EXPECT_TRUE(test::contains(message, "offset 2")) << message;
  }
}

}  // namespace
}  // namespace hone::tokenizer
