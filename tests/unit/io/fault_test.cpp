// Damaged files: whatever stands in them, a reader gives valid data or a DataError. An access
// beyond the file would end the process here (the map ends there) or be seen by a sanitizer.
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <random>

#include "base/error.h"
#include "base/file.h"
#include "io/gguf.h"
#include "io/safetensors.h"
#include "support/support.h"

namespace hone::io {
namespace {

namespace fs = std::filesystem;

/// Uses everything that a reader gives; returns whether the file was taken.
using Reader = std::function<bool(const fs::path&)>;

std::uint64_t sum_of(const std::byte* data, std::size_t size_bytes) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < size_bytes; ++i) sum += static_cast<std::uint64_t>(data[i]);
  return sum;
}

bool read_all_safetensors(const fs::path& path) {
  try {
    const SafetensorsFile file(path);
    std::uint64_t sum = 0;
    for (const TensorView& tensor : file.tensors()) {
      sum += sum_of(tensor.data, tensor.size_bytes);
      EXPECT_EQ(*num_elements(tensor.shape) * std::int64_t(dtype_size_bytes(tensor.dtype)),
                std::int64_t(tensor.size_bytes));
      EXPECT_EQ(file.find(tensor.name), &tensor);
    }
    return sum != ~std::uint64_t{0};
  } catch (const DataError&) {
    return false;
  }
}

void use_metadata(const GgufFile& file) {
  for (const auto& [key, value] : file.metadata()) {
    try {
      if (!value.is_array && value.type == GgufType::kString) file.get_string(key);
      if (!value.is_array && value.type == GgufType::kBool) file.get_bool(key);
      if (!value.is_array && value.type != GgufType::kString) file.get_u64(key);
      if (value.is_array && value.type == GgufType::kString) file.get_strings(key);
      if (value.is_array && value.type == GgufType::kF32) file.get_floats(key);
      if (value.is_array && value.type == GgufType::kI32) file.get_ints(key);
    } catch (const DataError&) {
    }
  }
}

bool read_all_gguf(const fs::path& path) {
  try {
    const GgufFile file(path);
    use_metadata(file);
    for (const GgufTensor& tensor : file.tensors()) {
      std::vector<float> values(static_cast<std::size_t>(num_rows(tensor) * row_size(tensor)));
      try {
        dequantize(tensor, values.data());
      } catch (const DataError&) {  // a type that is never stored
      }
    }
    return true;
  } catch (const DataError&) {
    return false;
  }
}

/// A file on disk, one byte of which is changed at a time.
class Patient {
 public:
  Patient(const test::TempFolder& folder, std::string content)
      : path_(folder.write("patient", content)),
        content_(std::move(content)),
        fd_(::open(path_.c_str(), O_WRONLY)) {}
  ~Patient() { ::close(fd_); }
  Patient(const Patient&) = delete;
  Patient& operator=(const Patient&) = delete;

  const fs::path& path() const { return path_; }
  std::size_t size_bytes() const { return content_.size(); }
  unsigned char at(std::size_t i) const { return static_cast<unsigned char>(content_[i]); }

  void set(std::size_t i, unsigned char value) const {
    ASSERT_EQ(::pwrite(fd_, &value, 1, static_cast<off_t>(i)), 1);
  }
  void heal(std::size_t i) const { set(i, at(i)); }

 private:
  fs::path path_;
  std::string content_;
  int fd_;
};

/// How many of the changed files were taken.
int flip_every_byte(const Patient& patient, std::size_t header_bytes, const Reader& reads) {
  int taken = 0;
  for (std::size_t i = 0; i < header_bytes; ++i) {
    for (const unsigned char mask : {0x01, 0x02, 0x10, 0x40, 0x80, 0xFF}) {
      patient.set(i, patient.at(i) ^ mask);
      taken += reads(patient.path());
    }
    for (const unsigned char value : {0x00, 0x7F, 0xFF}) {
      patient.set(i, value);
      taken += reads(patient.path());
    }
    patient.heal(i);
  }
  EXPECT_TRUE(reads(patient.path()));
  return taken;
}

void change_random_bytes(const Patient& patient, std::size_t header_bytes, const Reader& reads) {
  std::mt19937 random(7);
  for (int round = 0; round < 20'000; ++round) {
    std::vector<std::size_t> changed(1 + random() % 8);
    for (std::size_t& i : changed) {
      i = random() % header_bytes;
      patient.set(i, static_cast<unsigned char>(random()));
    }
    reads(patient.path());
    for (const std::size_t i : changed) patient.heal(i);
  }
  EXPECT_TRUE(reads(patient.path()));
}

void cut_at_every_length(const std::string& content, std::size_t step, const Reader& reads) {
  const test::TempFolder folder;
  const fs::path path = folder.write("cut", content);
  ASSERT_TRUE(reads(path));
  for (std::size_t length = content.size(); length-- > 0;) {
    if (length > 4096 && length % step != 0) continue;
    fs::resize_file(path, length);
    EXPECT_FALSE(reads(path)) << "cut to " << length << " of " << content.size();
  }
}

std::int64_t peak_memory_bytes() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss * std::int64_t{1024};
}

struct Case {
  const char* fixture;
  std::size_t header_bytes;  // where the tensors begin
  Reader reads;
};

class Damaged : public testing::TestWithParam<Case> {};

TEST_P(Damaged, CutAtEveryLengthIsADataError) {
  cut_at_every_length(read_file(test::fixture(GetParam().fixture)), 61, GetParam().reads);
}

TEST_P(Damaged, EveryFlippedHeaderByteIsADataErrorOrAValidFileInLittleMemory) {
  const test::TempFolder folder;
  const Patient patient(folder, read_file(test::fixture(GetParam().fixture)));
  GetParam().reads(patient.path());
  [[maybe_unused]] const std::int64_t before = peak_memory_bytes();
  flip_every_byte(patient, GetParam().header_bytes, GetParam().reads);
#if !defined(__SANITIZE_ADDRESS__)  // which keeps freed memory back
  EXPECT_LT(peak_memory_bytes() - before, 64 << 20);
#endif
}

TEST_P(Damaged, RandomChangesAreADataErrorOrAValidFile) {
  const test::TempFolder folder;
  const Patient patient(folder, read_file(test::fixture(GetParam().fixture)));
  change_random_bytes(patient, GetParam().header_bytes, GetParam().reads);
}

INSTANTIATE_TEST_SUITE_P(Files, Damaged,
                         testing::Values(Case{"io/dtypes.safetensors", 1552, read_all_safetensors},
                                         Case{"io/types.gguf", 1952, read_all_gguf}),
                         [](const auto& test) {
                           return std::string(test.index == 0 ? "Safetensors" : "Gguf");
                         });

// Magic, version and counts say where everything else stands: no change of theirs may be taken.
TEST(Damaged, GgufStructureIsNeverTakenWhenFlipped) {
  const test::TempFolder folder;
  const Patient patient(folder, read_file(test::fixture("io/types.gguf")));
  for (std::size_t i = 0; i < 24; ++i) {
    if (i == 4) continue;  // the version: 3 may become 2, which is read the same
    for (int bit = 0; bit < 8; ++bit) {
      patient.set(i, static_cast<unsigned char>(patient.at(i) ^ (1 << bit)));
      EXPECT_FALSE(read_all_gguf(patient.path())) << "byte " << i << " bit " << bit;
    }
    patient.heal(i);
  }
}

}  // namespace
}  // namespace hone::io
