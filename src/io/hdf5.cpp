#include "io/hdf5.h"

#include <hdf5.h>

#include <algorithm>
#include <mutex>
#include <optional>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "io/input_file.h"

namespace hone::io {
namespace {

/// One thread at a time, and silent: HDF5 keeps whether it prints errors for each thread.
class Turn {
 public:
  Turn() : lock_(mutex()) {
    thread_local const bool is_silent = H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr) >= 0;
    static_cast<void>(is_silent);
    H5Eclear2(H5E_DEFAULT);
  }

 private:
  static std::recursive_mutex& mutex() {
    static std::recursive_mutex mutex;
    return mutex;
  }
  std::lock_guard<std::recursive_mutex> lock_;
};

herr_t note_deepest(unsigned depth, const H5E_error2_t* error, void* reason) {
  if (depth == 0 && error->desc != nullptr) *static_cast<std::string*>(reason) = error->desc;
  return 0;
}

/// Why the last call failed: the operating system's words where HDF5 hands them on, else its own.
std::string reason() {
  std::string reason = "HDF5 gives no reason";
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, note_deepest, &reason);
  constexpr std::string_view kOfSystem = "error message = '";
  if (const std::size_t at = reason.find(kOfSystem); at != std::string::npos) {
    const std::size_t begin = at + kOfSystem.size();
    return reason.substr(begin, reason.find('\'', begin) - begin);
  }
  return reason;
}

/// A handle of HDF5, closed with what it was opened by.
class Handle {
 public:
  Handle() = default;
  Handle(hid_t id, herr_t (*closer)(hid_t)) : id_(id), close_(closer) {}
  Handle(Handle&& other) noexcept
      : id_(std::exchange(other.id_, H5I_INVALID_HID)), close_(other.close_) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(close_, other.close_);
    return *this;
  }
  ~Handle() { close(); }

  bool close() {
    if (id_ < 0) return true;
    const Turn turn;
    return close_(std::exchange(id_, H5I_INVALID_HID)) >= 0;
  }
  hid_t get() const { return id_; }
  explicit operator bool() const { return id_ >= 0; }

 private:
  hid_t id_ = H5I_INVALID_HID;
  herr_t (*close_)(hid_t) = nullptr;
};

/// @throws Failure with path and HDF5's reason where a call did not work
template <class Failure>
void require(bool worked, const std::filesystem::path& path, std::string_view what) {
  if (!worked) throw Failure(fmt::format("{}: {}: {}", path.string(), what, reason()));
}

hid_t native(Hdf5Number number) {
  switch (number) {
    case Hdf5Number::kU8:
      return H5T_NATIVE_UINT8;
    case Hdf5Number::kU16:
      return H5T_NATIVE_UINT16;
    case Hdf5Number::kI32:
      return H5T_NATIVE_INT32;
    case Hdf5Number::kI64:
      return H5T_NATIVE_INT64;
    case Hdf5Number::kF32:
      return H5T_NATIVE_FLOAT;
    case Hdf5Number::kF64:
      return H5T_NATIVE_DOUBLE;
  }
  HONE_ASSERT(false, "number {}", static_cast<int>(number));
}

Handle make_type(const Hdf5Type& type) {
  if (type.fields.size() == 1 && type.fields[0].name.empty())
    return {H5Tcopy(native(type.fields[0].number)), H5Tclose};
  Handle record(H5Tcreate(H5T_COMPOUND, type.size_bytes), H5Tclose);
  HONE_ASSERT(record, "{}", reason());
  for (const Hdf5Type::Field& field : type.fields)
    HONE_ASSERT(
        H5Tinsert(record.get(), field.name.c_str(), field.offset, native(field.number)) >= 0,
        "{}: {}", field.name, reason());
  return record;
}

/// The format of HDF5 1.10, whose every structure carries a checksum. Its own file locks are off:
/// some network file systems have none, and who writes is settled before.
Handle access_properties() {
  Handle properties(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  HONE_ASSERT(H5Pset_libver_bounds(properties.get(), H5F_LIBVER_V110, H5F_LIBVER_V110) >= 0 &&
                  H5Pset_file_locking(properties.get(), false, true) >= 0 &&
                  H5Pset_fclose_degree(properties.get(), H5F_CLOSE_STRONG) >= 0,
              "{}", reason());
  return properties;
}

/// Without a cache of chunks, a read takes the bytes it asks for and no more.
Handle dataset_access(bool caches_chunks) {
  Handle properties(H5Pcreate(H5P_DATASET_ACCESS), H5Pclose);
  if (!caches_chunks) HONE_ASSERT(H5Pset_chunk_cache(properties.get(), 0, 0, 0) >= 0);
  return properties;
}

}  // namespace

Hdf5Type Hdf5Type::of(Hdf5Number number) {
  const Turn turn;
  return {H5Tget_size(native(number)), {{"", number, 0}}};
}

struct Hdf5File::State {
  std::filesystem::path path;
  Handle file;
};

struct Hdf5Dataset::State {
  std::shared_ptr<Hdf5File::State> file;  // outlives the handles below
  std::string name;
  Handle type, dataset;
  std::int64_t size = 0;

  std::string where() const { return file->path.string() + ": " + name; }
};

std::int64_t Hdf5Dataset::size() const { return state_->size; }

void Hdf5Dataset::append(const void* items, std::int64_t count) {
  if (count == 0) return;
  const Turn turn;
  const auto first = static_cast<hsize_t>(state_->size), added = static_cast<hsize_t>(count);
  const hsize_t new_size = first + added;
  const Handle memory(H5Screate_simple(1, &added, nullptr), H5Sclose);
  require<IoError>(H5Dset_extent(state_->dataset.get(), &new_size) >= 0, state_->where(),
                   "cannot grow");
  const Handle space(H5Dget_space(state_->dataset.get()), H5Sclose);
  const bool worked =
      H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, &first, nullptr, &added, nullptr) >= 0 &&
      H5Dwrite(state_->dataset.get(), state_->type.get(), memory.get(), space.get(), H5P_DEFAULT,
               items) >= 0;
  require<IoError>(worked, state_->where(), "writing failed");
  state_->size += count;
}

void Hdf5Dataset::read(std::int64_t first, std::int64_t count, void* items) const {
  HONE_CHECK(DataError, first >= 0 && count >= 0 && count <= state_->size - first,
             "{}: items {} to {} of {} were asked for; the file is damaged", state_->where(), first,
             first + count, state_->size);
  if (count == 0) return;
  const Turn turn;
  const auto begin = static_cast<hsize_t>(first), length = static_cast<hsize_t>(count);
  const Handle memory(H5Screate_simple(1, &length, nullptr), H5Sclose);
  const Handle space(H5Dget_space(state_->dataset.get()), H5Sclose);
  const bool worked =
      H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, &begin, nullptr, &length, nullptr) >= 0 &&
      H5Dread(state_->dataset.get(), state_->type.get(), memory.get(), space.get(), H5P_DEFAULT,
              items) >= 0;
  require<DataError>(worked, state_->where(), "cannot be read");
}

Hdf5File Hdf5File::create(const std::filesystem::path& path) {
  const Turn turn;
  auto state = std::make_shared<State>();
  state->path = path;
  const Handle access = access_properties(), creation(H5Pcreate(H5P_FILE_CREATE), H5Pclose);
  HONE_ASSERT(H5Pset_obj_track_times(creation.get(), false) >= 0, "{}", reason());
  state->file = {H5Fcreate(path.c_str(), H5F_ACC_TRUNC, creation.get(), access.get()), H5Fclose};
  require<IoError>(bool(state->file), path, "cannot be made");
  return Hdf5File(std::move(state));
}

Hdf5File Hdf5File::open(const std::filesystem::path& path) {
  require_file(path, "an HDF5 file");
  const Turn turn;
  auto state = std::make_shared<State>();
  state->path = path;
  const Handle access = access_properties();
  state->file = {H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.get()), H5Fclose};
  require<DataError>(bool(state->file), path, "cannot be opened as HDF5");
  return Hdf5File(std::move(state));
}

Hdf5Dataset Hdf5File::add_dataset(const std::string& name, const Hdf5Type& type,
                                  const Hdf5Layout& layout) {
  const Turn turn;
  const hsize_t none = 0, unlimited = H5S_UNLIMITED;
  const auto chunk = static_cast<hsize_t>(layout.chunk_items);
  const Handle space(H5Screate_simple(1, &none, &unlimited), H5Sclose);
  const Handle properties(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  bool worked = H5Pset_chunk(properties.get(), 1, &chunk) >= 0 &&
                H5Pset_obj_track_times(properties.get(), false) >= 0;
  if (layout.deflate > 0)
    worked = worked && H5Pset_shuffle(properties.get()) >= 0 &&
             H5Pset_deflate(properties.get(), static_cast<unsigned>(layout.deflate)) >= 0;
  HONE_ASSERT(worked, "{}", reason());
  auto dataset = std::make_shared<Hdf5Dataset::State>();
  dataset->file = state_;
  dataset->name = name;
  dataset->type = make_type(type);
  dataset->dataset = {H5Dcreate2(state_->file.get(), name.c_str(), dataset->type.get(), space.get(),
                                 H5P_DEFAULT, properties.get(), H5P_DEFAULT),
                      H5Dclose};
  require<IoError>(bool(dataset->dataset), dataset->where(), "cannot be made");
  return Hdf5Dataset(std::move(dataset));
}

Hdf5Dataset Hdf5File::dataset(const std::string& name, const Hdf5Type& type) const {
  const Turn turn;
  auto dataset = std::make_shared<Hdf5Dataset::State>();
  dataset->file = state_;
  dataset->name = name;
  dataset->type = make_type(type);
  const Handle plain = dataset_access(true);
  dataset->dataset = {H5Dopen2(state_->file.get(), name.c_str(), plain.get()), H5Dclose};
  require<DataError>(bool(dataset->dataset), dataset->where(), "is not there");
  const Handle properties(H5Dget_create_plist(dataset->dataset.get()), H5Pclose);
  if (H5Pget_nfilters(properties.get()) == 0) {
    const Handle direct = dataset_access(false);
    dataset->dataset = {H5Dopen2(state_->file.get(), name.c_str(), direct.get()), H5Dclose};
  }
  const Handle stored(H5Dget_type(dataset->dataset.get()), H5Tclose);
  HONE_CHECK(DataError, H5Tequal(stored.get(), dataset->type.get()) > 0,
             "{}: holds items of another type; the file is damaged, or of another program",
             dataset->where());
  const Handle space(H5Dget_space(dataset->dataset.get()), H5Sclose);
  HONE_CHECK(DataError, H5Sget_simple_extent_ndims(space.get()) == 1,
             "{}: has {} dimensions, expected 1", dataset->where(),
             H5Sget_simple_extent_ndims(space.get()));
  dataset->size = H5Sget_simple_extent_npoints(space.get());
  return Hdf5Dataset(std::move(dataset));
}

void Hdf5File::set_attribute(const std::string& name, const std::string& text) {
  const Turn turn;
  const Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
  HONE_ASSERT(H5Tset_size(type.get(), std::max<std::size_t>(1, text.size())) >= 0);
  const Handle space(H5Screate(H5S_SCALAR), H5Sclose);
  const Handle attribute(H5Acreate2(state_->file.get(), name.c_str(), type.get(), space.get(),
                                    H5P_DEFAULT, H5P_DEFAULT),
                         H5Aclose);
  require<IoError>(attribute && H5Awrite(attribute.get(), type.get(), text.data()) >= 0,
                   state_->path, "attribute " + name + " cannot be written");
}

std::string Hdf5File::attribute(const std::string& name) const {
  const Turn turn;
  const Handle attribute(H5Aopen(state_->file.get(), name.c_str(), H5P_DEFAULT), H5Aclose);
  require<DataError>(bool(attribute), state_->path, "has no attribute " + name);
  const Handle type(H5Aget_type(attribute.get()), H5Tclose);
  HONE_CHECK(DataError,
             H5Tget_class(type.get()) == H5T_STRING && H5Tis_variable_str(type.get()) == 0,
             "{}: attribute {} is no text", state_->path.string(), name);
  std::string text(H5Tget_size(type.get()), '\0');
  require<DataError>(H5Aread(attribute.get(), type.get(), text.data()) >= 0, state_->path,
                     "attribute " + name + " cannot be read");
  return text;
}

void Hdf5File::close() {
  const Turn turn;
  require<IoError>(H5Fflush(state_->file.get(), H5F_SCOPE_LOCAL) >= 0, state_->path,
                   "writing failed");
  require<IoError>(state_->file.close(), state_->path, "closing failed");
}

}  // namespace hone::io
