#include "tokenizer/content_hash.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "support/support.h"

namespace hone::tokenizer {
namespace {

TEST(ContentHash, SeesEveryFileThatMayShapeTokens) {
  const test::TempFolder folder;
  const auto hash = [&] { return content_hash(folder.path()); };
  std::vector<std::string> hashes;
  folder.write("model.safetensors", "weights");
  const std::string empty = hash();
  for (const char* name :
       {"tokenizer.json", "tokenizer_config.json", "generation_config.json", "chat_template.jinja",
        "additional_chat_templates/tool_use.jinja", "tokenizer.model", "vocab.txt"}) {
    for (const char* content : {"a", "b"}) {
      folder.write(name, content);
      EXPECT_EQ(std::count(hashes.begin(), hashes.end(), hash()), 0) << name;
      hashes.push_back(hash());
    }
  }
  EXPECT_NE(hashes.front(), empty);
  const std::string before = hash();
  folder.write("model.safetensors", "other weights");
  EXPECT_EQ(hash(), before);
}

}  // namespace
}  // namespace hone::tokenizer
