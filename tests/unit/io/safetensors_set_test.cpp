#include "base/error.h"
#include "io/safetensors.h"
#include "support/support.h"

namespace hone::io {
namespace {

namespace fs = std::filesystem;
using test::contains;
using test::message_of;

void write_shard(const fs::path& path, const std::vector<std::string>& names) {
  static const float kValue = 1;
  std::vector<TensorView> tensors;
  for (const std::string& name : names)
    tensors.push_back({name, DType::kF32, {1}, reinterpret_cast<const std::byte*>(&kValue), 4});
  write_safetensors(path, tensors, {});
}

std::string message_for(const fs::path& path) {
  return message_of<DataError>([&] { SafetensorsSet set(path); });
}

TEST(SafetensorsSet, ReadsAFolderWithOneFileAndTheFileItself) {
  const test::TempFolder folder;
  write_shard(folder / "model.safetensors", {"a", "b"});
  for (const fs::path& path : {folder.path(), folder / "model.safetensors"}) {
    const SafetensorsSet set(path);
    EXPECT_EQ(set.tensors().size(), 2u);
    EXPECT_NE(set.find("b"), nullptr);
    EXPECT_EQ(set.find("c"), nullptr);
  }
}

TEST(SafetensorsSet, ReadsShards) {
  const test::TempFolder folder;
  write_shard(folder / "1.safetensors", {"a", "b"});
  write_shard(folder / "2.safetensors", {"c"});
  const auto index =
      folder.write("model.safetensors.index.json",
                   R"({"metadata":{"total_size":12},"weight_map":{"a":"1.safetensors",)"
                   R"("b":"1.safetensors","c":"2.safetensors"}})");
  for (const fs::path& path : {folder.path(), index}) {
    const SafetensorsSet set(path);
    EXPECT_EQ(set.files().size(), 2u);
    ASSERT_EQ(set.tensors().size(), 3u);
    EXPECT_EQ(set.find("c")->name, "c");
  }
}

TEST(SafetensorsSet, NamesAllMissingShardsTogether) {
  const test::TempFolder folder;
  write_shard(folder / "1.safetensors", {"a"});
  folder.write("model.safetensors.index.json",
               R"({"weight_map":{"a":"1.safetensors","b":"2.safetensors","c":"3.safetensors"}})");
  const std::string message = message_for(folder.path());
  EXPECT_TRUE(contains(message, "2 of 3 shards"));
  EXPECT_TRUE(contains(message, "2.safetensors, 3.safetensors"));
}

TEST(SafetensorsSet, NamesAllMissingTensorsTogether) {
  const test::TempFolder folder;
  write_shard(folder / "1.safetensors", {"a"});
  folder.write("model.safetensors.index.json",
               R"({"weight_map":{"a":"1.safetensors","b":"1.safetensors","c":"1.safetensors"}})");
  EXPECT_TRUE(contains(message_for(folder.path()), "'b' (1.safetensors), 'c' (1.safetensors)"));
}

TEST(SafetensorsSet, RefusesAnIndexThatLeavesItsFolder) {
  for (const char* shard : {"\"../x.safetensors\"", "\"/etc/passwd\"", "\"..\"", "\"\"", "3"}) {
    const test::TempFolder folder;
    folder.write("model.safetensors.index.json",
                 std::string(R"({"weight_map":{"a":)") + shard + "}}");
    EXPECT_TRUE(contains(message_for(folder.path()), "a file in the same folder"));
  }
}

TEST(SafetensorsSet, RefusesAnIndexWithoutAWeightMap) {
  for (const char* index : {"{}", "[]", R"({"weight_map":[]})"}) {
    const test::TempFolder folder;
    folder.write("model.safetensors.index.json", index);
    EXPECT_TRUE(contains(message_for(folder.path()), "weight_map"));
  }
}

TEST(SafetensorsSet, SaysWhatAFolderHoldsInstead) {
  const auto message_with = [](const std::string& name) {
    const test::TempFolder folder;
    folder.write(name, "x");
    return message_for(folder.path());
  };
  EXPECT_TRUE(contains(message_with("pytorch_model.bin"), "safe_serialization=True"));
  EXPECT_TRUE(contains(message_with("adapter_model.safetensors"), "PEFT adapter"));
  EXPECT_TRUE(contains(message_with("m.gguf"), "m.gguf"));
  EXPECT_TRUE(contains(message_with("README.md"), "holds neither model.safetensors nor"));
  EXPECT_TRUE(contains(message_for("/no/such/folder"), "no such file"));
}

}  // namespace
}  // namespace hone::io
