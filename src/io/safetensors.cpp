#include "io/safetensors.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "io/input_file.h"
#include "io/json.h"

namespace hone::io {
namespace {

constexpr std::size_t kLengthBytes = 8;  // the header's length stands before it
constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;
constexpr std::string_view kDamaged =
    "The file is damaged or was written wrongly; download or save it again";

/// A tensor as the header describes it; offsets count from the end of the header.
struct Entry {
  std::string name;
  DType dtype;
  std::vector<std::int64_t> shape;
  std::uint64_t begin, end;
};

/// What every message needs to say where.
struct Place {
  const std::filesystem::path& path;
  std::uint64_t data_start;
  std::string_view tensor;

  std::string text() const { return fmt::format("{}: tensor '{}'", path.string(), tensor); }
};

MappedFile map_checked(const std::filesystem::path& path) {
  refuse_pickle(path);
  require_file(path, "a .safetensors file");
  return MappedFile(path);
}

std::string_view as_text(const MappedFile& file) {
  return {reinterpret_cast<const char*>(file.data()), file.size_bytes()};
}

/// The JSON between the length and the tensors.
std::string_view header_text(const MappedFile& file) {
  const std::string path = file.path().string();
  HONE_CHECK(DataError, !as_text(file).starts_with("version https://git-lfs"),
             "{}: is a Git LFS pointer, not the file itself. Run `git lfs pull` in its repository",
             path);
  HONE_CHECK(
      DataError, file.size_bytes() >= kLengthBytes,
      "{}: {} bytes are too few for a safetensors file, whose first {} bytes give the length "
      "of its header. {}",
      path, file.size_bytes(), kLengthBytes, kDamaged);
  std::uint64_t length = 0;
  std::memcpy(&length, file.data(), sizeof length);
  HONE_CHECK(
      DataError, length <= kMaxHeaderBytes,
      "{}: the first {} bytes give a header of {} bytes; at most {} are allowed. Either this "
      "is no safetensors file, or it is damaged",
      path, kLengthBytes, length, kMaxHeaderBytes);
  const std::uint64_t present = file.size_bytes() - kLengthBytes;
  HONE_CHECK(DataError, length <= present,
             "{}: truncated in its header, which should have {} bytes from byte {}; {} bytes are "
             "missing. {}",
             path, length, kLengthBytes, length - present, kDamaged);
  return as_text(file).substr(kLengthBytes, length);
}

std::uint64_t unsigned_at(const nlohmann::json& list, std::size_t i, const Place& place,
                          std::string_view key) {
  const nlohmann::json& value = list[i];
  HONE_CHECK(
      DataError,
      value.is_number_unsigned() &&
          value.get<std::uint64_t>() <= std::uint64_t(std::numeric_limits<std::int64_t>::max()),
      "{}: {}[{}] is {}, expected an integer from 0 to 2^63-1. {}", place.text(), key, i,
      value.dump(), kDamaged);
  return value.get<std::uint64_t>();
}

const nlohmann::json& member(const nlohmann::json& info, const char* key, const Place& place) {
  const auto found = info.find(key);
  HONE_CHECK(DataError, found != info.end(), "{}: the header lacks its '{}'. {}", place.text(), key,
             kDamaged);
  return *found;
}

DType dtype_of(const nlohmann::json& info, const Place& place) {
  const nlohmann::json& value = member(info, "dtype", place);
  const std::optional<DType> dtype =
      value.is_string() ? parse_dtype(value.get_ref<const std::string&>()) : std::nullopt;
  HONE_CHECK(DataError, dtype.has_value(), "{}: dtype {} is not one that hone reads: {}",
             place.text(), value.dump(), dtype_names());
  return *dtype;
}

Entry parse_entry(const std::string& name, const nlohmann::json& info, const Place& place) {
  HONE_CHECK(DataError, info.is_object(), "{}: its description is {}, expected an object. {}",
             place.text(), info.type_name(), kDamaged);
  Entry entry{name, dtype_of(info, place), {}, 0, 0};
  const nlohmann::json& shape = member(info, "shape", place);
  HONE_CHECK(DataError, shape.is_array(), "{}: shape is {}, expected a list. {}", place.text(),
             shape.type_name(), kDamaged);
  for (std::size_t i = 0; i < shape.size(); ++i)
    entry.shape.push_back(static_cast<std::int64_t>(unsigned_at(shape, i, place, "shape")));
  const nlohmann::json& offsets = member(info, "data_offsets", place);
  HONE_CHECK(DataError, offsets.is_array() && offsets.size() == 2,
             "{}: data_offsets is not a list of two. {}", place.text(), kDamaged);
  entry.begin = unsigned_at(offsets, 0, place, "data_offsets");
  entry.end = unsigned_at(offsets, 1, place, "data_offsets");
  return entry;
}

void check_size(const Entry& entry, const Place& place) {
  HONE_CHECK(DataError, entry.begin <= entry.end, "{}: data_offsets [{}, {}] run backwards. {}",
             place.text(), entry.begin, entry.end, kDamaged);
  const std::optional<std::int64_t> count = num_elements(entry.shape);
  std::uint64_t expected = 0;
  const bool fits = count && !__builtin_mul_overflow(static_cast<std::uint64_t>(*count),
                                                     dtype_size_bytes(entry.dtype), &expected);
  HONE_CHECK(DataError, fits, "{}: the size of shape {} does not fit 64 bits. {}", place.text(),
             shape_text(entry.shape), kDamaged);
  HONE_CHECK(DataError, expected == entry.end - entry.begin,
             "{} at byte {}: shape {} of {} needs {} bytes, but data_offsets give {}. {}",
             place.text(), place.data_start + entry.begin, shape_text(entry.shape),
             dtype_name(entry.dtype), expected, entry.end - entry.begin, kDamaged);
}

std::vector<Entry> parse_entries(const nlohmann::json& header, const std::filesystem::path& path,
                                 std::uint64_t data_start) {
  std::vector<Entry> entries;
  for (const auto& [name, info] : header.items()) {
    if (name == "__metadata__") continue;
    const Place place{path, data_start, name};
    entries.push_back(parse_entry(name, info, place));
    check_size(entries.back(), place);
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });
  return entries;
}

/// The tensors must cover what follows the header exactly: no hole, no overlap, nothing after.
void check_coverage(const std::vector<Entry>& entries, const MappedFile& file,
                    std::uint64_t data_start) {
  std::uint64_t covered = 0;
  const std::uint64_t present = file.size_bytes() - data_start;
  for (const Entry& entry : entries) {
    const Place place{file.path(), data_start, entry.name};
    HONE_CHECK(DataError, entry.begin == covered,
               "{} begins at byte {}, but the tensor before it ends at byte {}: {}. {}",
               place.text(), data_start + entry.begin, data_start + covered,
               entry.begin < covered ? "they overlap" : "there is a hole between them", kDamaged);
    covered = entry.end;
    HONE_CHECK(DataError, entry.end <= present,
               "{}: truncated: tensor '{}' ends at byte {}, but the file has {} bytes; by its "
               "header {} bytes are missing at its end. {}",
               file.path().string(), entry.name, data_start + entry.end, file.size_bytes(),
               entries.back().end - present, kDamaged);
  }
  HONE_CHECK(
      DataError, covered == present,
      "{}: the last tensor ends at byte {}, but the file has {} bytes: {} bytes belong to no "
      "tensor. {}",
      file.path().string(), data_start + covered, file.size_bytes(), present - covered, kDamaged);
}

std::map<std::string, std::string> parse_metadata(const nlohmann::json& header,
                                                  const std::filesystem::path& path) {
  std::map<std::string, std::string> metadata;
  const auto found = header.find("__metadata__");
  if (found == header.end() || found->is_null()) return metadata;
  HONE_CHECK(DataError, found->is_object(), "{}: __metadata__ is {}, expected an object. {}",
             path.string(), found->type_name(), kDamaged);
  for (const auto& [key, value] : found->items()) {
    HONE_CHECK(DataError, value.is_string(), "{}: __metadata__.{} is {}, expected a string. {}",
               path.string(), key, value.type_name(), kDamaged);
    metadata.emplace(key, value.get<std::string>());
  }
  return metadata;
}

}  // namespace

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path) : file_(map_checked(path)) {
  const std::string_view text = header_text(file_);
  const std::uint64_t data_start = kLengthBytes + text.size();
  const TextOrigin origin{path.string() + " (header)", 1, kLengthBytes};
  const nlohmann::json header = parse_json(text, origin, JsonKeys::kUnique);
  HONE_CHECK(DataError, header.is_object(), "{}: the header is {}, expected an object. {}",
             path.string(), header.type_name(), kDamaged);
  metadata_ = parse_metadata(header, path);
  std::vector<Entry> entries = parse_entries(header, path, data_start);
  check_coverage(entries, file_, data_start);
  tensors_.reserve(entries.size());  // index_ holds views of the names
  for (Entry& entry : entries) {
    tensors_.push_back({std::move(entry.name), entry.dtype, std::move(entry.shape),
                        file_.data() + data_start + entry.begin, entry.end - entry.begin});
    index_.emplace(tensors_.back().name, tensors_.size() - 1);
  }
}

const TensorView* SafetensorsFile::find(std::string_view name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &tensors_[found->second];
}

}  // namespace hone::io
