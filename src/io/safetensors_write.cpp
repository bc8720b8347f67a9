#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "io/safetensors.h"

namespace hone::io {
namespace {

void check_view(const TensorView& tensor, const std::filesystem::path& path) {
  const std::optional<std::int64_t> count = num_elements(tensor.shape);
  HONE_CHECK(ShapeError,
             count && static_cast<std::uint64_t>(*count) * dtype_size_bytes(tensor.dtype) ==
                          tensor.size_bytes,
             "{}: tensor '{}' of shape {} and type {} cannot have {} bytes", path.string(),
             tensor.name, shape_text(tensor.shape), dtype_name(tensor.dtype), tensor.size_bytes);
  HONE_ASSERT(tensor.name != "__metadata__", "the name is the format's own");
}

/// Pointers to the views, in the order in which they are written.
std::vector<const TensorView*> in_file_order(const std::vector<TensorView>& tensors,
                                             const std::filesystem::path& path) {
  std::vector<const TensorView*> order;
  for (const TensorView& tensor : tensors) {
    check_view(tensor, path);
    order.push_back(&tensor);
  }
  std::sort(order.begin(), order.end(), [](const TensorView* a, const TensorView* b) {
    return a->dtype != b->dtype ? a->dtype > b->dtype : a->name < b->name;
  });
  const auto same_name = [](const TensorView* a, const TensorView* b) {
    return a->name == b->name;
  };
  std::vector<const TensorView*> by_name = order;
  std::sort(by_name.begin(), by_name.end(),
            [](const TensorView* a, const TensorView* b) { return a->name < b->name; });
  const auto twice = std::adjacent_find(by_name.begin(), by_name.end(), same_name);
  HONE_ASSERT(twice == by_name.end(), "{}: tensor '{}' is given twice", path.string(),
              (*twice)->name);
  return order;
}

std::string quoted(const std::string& text) { return nlohmann::json(text).dump(); }

std::string header_of(const std::vector<const TensorView*>& order,
                      const std::map<std::string, std::string>& metadata) {
  std::string header = "{";
  if (!metadata.empty()) header += "\"__metadata__\":" + nlohmann::json(metadata).dump();
  std::size_t offset = 0;
  for (const TensorView* tensor : order) {
    if (header.size() > 1) header += ',';
    header +=
        fmt::format("{}:{{\"dtype\":\"{}\",\"shape\":{},\"data_offsets\":[{},{}]}}",
                    quoted(tensor->name), dtype_name(tensor->dtype),
                    nlohmann::json(tensor->shape).dump(), offset, offset + tensor->size_bytes);
    offset += tensor->size_bytes;
  }
  header += '}';
  header.append((8 - header.size() % 8) % 8, ' ');  // so that the data begins aligned
  return header;
}

}  // namespace

void write_safetensors(const std::filesystem::path& path, const std::vector<TensorView>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  const std::vector<const TensorView*> order = in_file_order(tensors, path);
  const std::string header = header_of(order, metadata);
  const std::uint64_t length = header.size();
  AtomicFile file(path);
  file.write(&length, sizeof length);
  file.write(header);
  for (const TensorView* tensor : order) file.write(tensor->data, tensor->size_bytes);
  file.commit();
}

}  // namespace hone::io
