#include "io/safetensors.h"

#include <cstring>

#include "base/error.h"
#include "support/support.h"

namespace hone::io {
namespace {

using test::contains;
using test::message_of;

/// A file of that header and `data_bytes` zeros.
std::string file_of(std::string header, std::size_t data_bytes) {
  const std::uint64_t length = header.size();
  std::string content(reinterpret_cast<const char*>(&length), sizeof length);
  return content + header + std::string(data_bytes, '\0');
}

std::string message_for(const std::string& header, std::size_t data_bytes) {
  const test::TempFolder folder;
  const auto path = folder.write("x.safetensors", file_of(header, data_bytes));
  const std::string message = message_of<DataError>([&] { SafetensorsFile file(path); });
  EXPECT_TRUE(contains(message, path.string()));
  return message;
}

TEST(Safetensors, ReadsEveryDtypeOfTheRustLibrary) {
  const SafetensorsFile file(test::fixture("io/dtypes.safetensors"));
  EXPECT_EQ(file.metadata(), (std::map<std::string, std::string>{{"note", "é\"\x01"}}));
  EXPECT_EQ(file.tensors().size(), 22u);
  const TensorView* f32 = file.find("float32.b");
  ASSERT_NE(f32, nullptr);
  EXPECT_EQ(f32->dtype, DType::kF32);
  EXPECT_EQ(f32->shape, (std::vector<std::int64_t>{2, 3}));
  float values[6];
  ASSERT_EQ(f32->size_bytes, sizeof values);
  std::memcpy(values, f32->data, sizeof values);
  EXPECT_EQ(std::vector<float>(values, values + 6), (std::vector<float>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(file.find("bfloat16.b")->dtype, DType::kBF16);
  EXPECT_EQ(file.find("a")->size_bytes, 0u);
  EXPECT_TRUE(file.find("scalar")->shape.empty());
  EXPECT_NE(file.find("quote \" \\ é"), nullptr);
  EXPECT_EQ(file.find("none"), nullptr);
}

TEST(Safetensors, StaysValidWhenMoved) {
  SafetensorsFile file(test::fixture("io/dtypes.safetensors"));
  const TensorView* before = file.find("scalar");
  const SafetensorsFile moved(std::move(file));
  EXPECT_EQ(moved.find("scalar"), before);
  float value = 0;
  std::memcpy(&value, before->data, sizeof value);
  EXPECT_EQ(value, 3.5f);
}

TEST(Safetensors, WritesTheBytesThatTheRustLibraryWrites) {
  const test::TempFolder folder;
  for (const char* name : {"io/dtypes.safetensors", "models/llama/model.safetensors"}) {
    if (!test::has_fixture(name)) continue;
    const SafetensorsFile file(test::fixture(name));
    std::vector<TensorView> shuffled(file.tensors().rbegin(), file.tensors().rend());
    write_safetensors(folder / "copy.safetensors", shuffled, file.metadata());
    EXPECT_TRUE(read_file(folder / "copy.safetensors") == read_file(file.path())) << name;
  }
}

TEST(Safetensors, WritesAFileWithoutTensors) {
  const test::TempFolder folder;
  write_safetensors(folder / "empty.safetensors", {}, {{"format", "pt"}});
  const SafetensorsFile file(folder / "empty.safetensors");
  EXPECT_TRUE(file.tensors().empty());
  EXPECT_EQ(file.metadata().at("format"), "pt");
}

TEST(Safetensors, RefusesToWriteAViewWhoseBytesDoNotFit) {
  const test::TempFolder folder;
  const float value = 0;
  const auto* data = reinterpret_cast<const std::byte*>(&value);
  const TensorView wrong{"w", DType::kF32, {2}, data, 4};
  EXPECT_TRUE(contains(
      message_of<ShapeError>([&] { write_safetensors(folder / "x.safetensors", {wrong}, {}); }),
      "'w' of shape [2]"));
  const TensorView right{"w", DType::kF32, {1}, data, 4};
  message_of<InternalError>([&] {
    write_safetensors(folder / "x.safetensors", {right, right}, {});
  });
  EXPECT_FALSE(std::filesystem::exists(folder / "x.safetensors"));
}

TEST(Safetensors, TruncatedFileSaysHowManyBytesAreMissing) {
  const std::string message =
      message_for(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                  R"("b":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}})",
                  11);
  EXPECT_TRUE(contains(message, "tensor 'b'"));
  EXPECT_TRUE(contains(message, "5 bytes are missing"));
}

TEST(Safetensors, TruncatedHeaderSaysHowManyBytesAreMissing) {
  const test::TempFolder folder;
  const auto path = folder.write("x.safetensors", file_of("{      }", 0).substr(0, 12));
  EXPECT_TRUE(
      contains(message_of<DataError>([&] { SafetensorsFile file(path); }), "4 bytes are missing"));
}

struct WrongHeader {
  const char* header;
  std::size_t data_bytes;
  const char* expected;
};

class SafetensorsRefuses : public testing::TestWithParam<WrongHeader> {};

TEST_P(SafetensorsRefuses, WithItsReason) {
  const auto& [header, data_bytes, expected] = GetParam();
  EXPECT_TRUE(contains(message_for(header, data_bytes), expected));
}

INSTANTIATE_TEST_SUITE_P(
    Headers, SafetensorsRefuses,
    testing::Values(
        WrongHeader{R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 9,
                    "1 bytes belong to no tensor"},
        WrongHeader{R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", 8,
                    "shape [3] of F32 needs 12 bytes, but data_offsets give 8"},
        WrongHeader{R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})", 8, "backwards"},
        WrongHeader{R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
                    R"("b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
                    3, "overlap"},
        WrongHeader{R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
                    R"("b":{"dtype":"U8","shape":[2],"data_offsets":[3,5]}})",
                    5, "hole"},
        WrongHeader{R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                    R"("a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})",
                    1, "'a' is given twice"},
        WrongHeader{R"({"a":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0]}})",
                    0, "does not fit 64 bits"},
        WrongHeader{R"({"a":{"dtype":"F64","shape":[2305843009213693952],"data_offsets":[0,0]}})",
                    0, "does not fit 64 bits"},
        WrongHeader{R"({"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}})", 1,
                    "shape[0] is -1"},
        WrongHeader{R"({"a":{"dtype":"U8","shape":[1.0],"data_offsets":[0,1]}})", 1, "is 1.0"},
        WrongHeader{R"({"a":{"dtype":"F4","shape":[2],"data_offsets":[0,1]}})", 1,
                    "dtype \"F4\" is not one that hone reads"},
        WrongHeader{R"({"a":{"shape":[2],"data_offsets":[0,1]}})", 1, "lacks its 'dtype'"},
        WrongHeader{R"({"a":{"dtype":"U8","data_offsets":[0,1]}})", 1, "lacks its 'shape'"},
        WrongHeader{R"({"a":{"dtype":"U8","shape":[1]}})", 1, "lacks its 'data_offsets'"},
        WrongHeader{R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0]}})", 1, "list of two"},
        WrongHeader{R"({"a":[]})", 0, "is array, expected an object"},
        WrongHeader{R"([])", 0, "the header is array"},
        WrongHeader{R"({"__metadata__":{"a":1}})", 0, "__metadata__.a is number"},
        WrongHeader{R"({"a")", 0, "(header):1:"}, WrongHeader{"{\"\xff\":1}", 0, "UTF-8"}));

TEST(Safetensors, SaysWhatAFileReallyIs) {
  const test::TempFolder folder;
  const auto message = [&](const std::string& name, const std::string& content) {
    const auto path = folder.write(name, content);
    return message_of<DataError>([&] { SafetensorsFile file(path); });
  };
  EXPECT_TRUE(contains(message("a.safetensors", "version https://git-lfs.github.com/spec/v1\noid"),
                       "git lfs pull"));
  EXPECT_TRUE(contains(message("b.safetensors", ""), "0 bytes are too few"));
  EXPECT_TRUE(contains(message("c.safetensors", "<!DOCTYPE html><html>"), "no safetensors file"));
  for (const char* name : {"m.bin", "m.pt", "m.pth", "m.ckpt"}) {
    EXPECT_TRUE(contains(message(name, "x"), "save_file"));
    EXPECT_TRUE(contains(message(name, "x"), "safe_serialization=True"));
  }
  EXPECT_TRUE(
      contains(message_of<DataError>([&] { SafetensorsFile file(folder / "none.safetensors"); }),
               "no such file"));
}

}  // namespace
}  // namespace hone::io
