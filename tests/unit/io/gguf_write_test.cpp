#include "io/gguf_write.h"

#include <ggml.h>

#include <algorithm>
#include <limits>

#include "base/error.h"
#include "support/support.h"

namespace hone::io {
namespace {

using test::message_of;

/// The keys of a file in the order in which they stand there.
std::vector<std::string> keys_in_order(const GgufFile& file) {
  std::vector<std::pair<const std::byte*, std::string>> places;
  for (const auto& [key, value] : file.metadata()) places.emplace_back(value.data, key);
  std::sort(places.begin(), places.end());
  std::vector<std::string> keys;
  for (const auto& [data, key] : places) keys.push_back(key);
  return keys;
}

// tests/data/io/types.gguf was written by llama.cpp's own package (its README says how).
TEST(GgufWrite, GivesTheBytesOfLlamaCppsOwnWriter) {
  const GgufFile file(test::fixture("io/types.gguf"));
  GgufContents contents;
  for (const std::string& key : keys_in_order(file))
    contents.add(key, file.metadata().find(key)->second);
  for (const GgufTensor& tensor : file.tensors())
    contents.add_tensor(tensor.name, tensor.shape, tensor.ggml_type);
  const test::TempFolder folder;
  GgufWriter writer(folder / "copy.gguf", contents);
  for (const GgufTensor& tensor : file.tensors()) writer.write(tensor.data, tensor.size_bytes);
  writer.commit();
  EXPECT_EQ(read_file(folder / "copy.gguf"), read_file(file.path()));
}

TEST(GgufWrite, KeepsValuesOfEveryType) {
  GgufContents contents;
  contents.add("u8", std::uint8_t{200})
      .add("i8", std::int8_t{-100})
      .add("u16", std::uint16_t{60000})
      .add("i16", std::int16_t{-30000})
      .add("u32", std::uint32_t{4000000000})
      .add("i32", std::int32_t{-2000000000})
      .add("u64", std::numeric_limits<std::uint64_t>::max())
      .add("i64", std::numeric_limits<std::int64_t>::min())
      .add("f32", 0.5f)
      .add("f64", 1e300)
      .add("bool", true)
      .add("string", "grüße")
      .add("strings", std::vector<std::string>{"a", "", "日本"})
      .add("bools", std::vector<bool>{true, false})
      .add("floats", std::vector<float>{0.25f, -1e30f})
      .add("bytes", std::vector<std::uint8_t>{0, 255});
  const test::TempFolder folder;
  GgufWriter(folder / "values.gguf", contents).commit();
  const GgufFile file(folder / "values.gguf");
  EXPECT_EQ(file.get_u64("u8"), 200u);
  EXPECT_EQ(file.get_f64("i8"), -100);
  EXPECT_EQ(file.get_u64("u16"), 60000u);
  EXPECT_EQ(file.get_f64("i16"), -30000);
  EXPECT_EQ(file.get_u64("u32"), 4000000000u);
  EXPECT_EQ(file.get_f64("i32"), -2000000000);
  EXPECT_EQ(file.get_u64("u64"), std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(file.metadata().find("i64")->second.type, GgufType::kI64);
  EXPECT_EQ(file.get_f64("f32"), 0.5);
  EXPECT_EQ(file.get_f64("f64"), 1e300);
  EXPECT_TRUE(file.get_bool("bool"));
  EXPECT_EQ(file.get_string("string"), "grüße");
  EXPECT_EQ(file.get_strings("strings"), (std::vector<std::string>{"a", "", "日本"}));
  EXPECT_EQ(file.get_ints("bools"), (std::vector<std::int64_t>{1, 0}));
  EXPECT_EQ(file.get_floats("floats"), (std::vector<float>{0.25f, -1e30f}));
  EXPECT_EQ(file.get_ints("bytes"), (std::vector<std::int64_t>{0, 255}));
}

TEST(GgufWrite, TakesTensorsInPiecesOfAnySize) {
  GgufContents contents;
  contents.add_tensor("a", {3}, GGML_TYPE_F32).add_tensor("b", {2, 32}, GGML_TYPE_Q8_0);
  std::string data(12 + 68, '\0');
  for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<char>(i);
  const test::TempFolder folder;
  GgufWriter writer(folder / "pieces.gguf", contents);
  for (std::size_t at = 0; at < data.size(); at += 7)
    writer.write(data.data() + at, std::min<std::size_t>(7, data.size() - at));
  writer.commit();
  const GgufFile file(folder / "pieces.gguf");
  const auto bytes = [&](const char* name) {
    const GgufTensor* tensor = file.find(name);
    return std::string(reinterpret_cast<const char*>(tensor->data), tensor->size_bytes);
  };
  EXPECT_EQ(bytes("a"), data.substr(0, 12));
  EXPECT_EQ(bytes("b"), data.substr(12));
  EXPECT_EQ(file.find("b")->shape, (std::vector<std::int64_t>{2, 32}));
}

TEST(GgufWrite, LeavesNoFileWithoutAllOfTheBytes) {
  GgufContents contents;
  contents.add_tensor("a", {3}, GGML_TYPE_F32);
  const test::TempFolder folder;
  {
    GgufWriter writer(folder / "half.gguf", contents);
    writer.write("12345678", 8);
    message_of<InternalError>([&] { writer.commit(); });
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  GgufWriter writer(folder / "more.gguf", contents);
  message_of<InternalError>([&] { writer.write("1234567890123", 13); });
}

TEST(GgufWrite, RefusesRowsThatAreNoMultipleOfABlock) {
  GgufContents contents;
  EXPECT_TRUE(test::contains(message_of<ShapeError>([&] {
                               contents.add_tensor("a", {4, 33}, GGML_TYPE_Q8_0);
                             }),
                             "multiple of 32"));
}

}  // namespace
}  // namespace hone::io
