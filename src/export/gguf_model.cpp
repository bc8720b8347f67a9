#include "export/gguf_model.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <map>

#include "base/error.h"
#include "base/log.h"
#include "export/modelfile.h"
#include "model/families.h"
#include "model/gguf_write.h"

namespace hone::exporting {
namespace {

namespace fs = std::filesystem;
using model::WeightSlot;
using torch::Tensor;

/// Numbers that are f32 at a time.
constexpr std::int64_t kElementsAtOnce = std::int64_t{1} << 22;

/// A tensor of the file: one weight, or the same matrix of all experts of a layer.
struct FileTensor {
  std::string name;
  std::vector<std::int64_t> shape;
  ggml_type type = GGML_TYPE_F32;
  std::vector<const WeightSlot*> slots;
};

/// The slots in the order of the file, experts stacked. They point into `slots`.
std::vector<FileTensor> file_tensors(const std::vector<WeightSlot>& slots, const GgufMix& mix,
                                     const model::Spec& spec) {
  std::vector<FileTensor> tensors;
  std::map<std::string, std::size_t> places;
  for (const WeightSlot& slot : slots) {
    const auto [place, is_new] = places.emplace(slot.gguf_name, tensors.size());
    if (is_new) tensors.push_back({.name = slot.gguf_name, .shape = slot.shape, .slots = {}});
    tensors[place->second].slots.push_back(&slot);
  }
  for (FileTensor& tensor : tensors) {
    if (tensor.slots.front()->gguf_expert >= 0)
      tensor.shape.insert(tensor.shape.begin(), static_cast<std::int64_t>(tensor.slots.size()));
    tensor.type = gguf_tensor_type(mix, tensor.name, tensor.shape, spec);
  }
  return tensors;
}

/// A weight as the decoder holds it, its rows where llama.cpp has them.
Tensor weight_of(const WeightSlot& slot) {
  const bool is_packed = slot.linear != nullptr && slot.linear->packed != nullptr;
  const Tensor weight =
      is_packed ? model::dense_weight(*slot.linear, torch::kFloat32) : slot.tensor->detach();
  return slot.interleaved_heads > 0 ? model::interleave_heads(weight, slot.interleaved_heads)
                                    : weight;
}

void write_slot(const WeightSlot& slot, ggml_type type, io::GgufWriter& writer) {
  const Tensor rows = weight_of(slot).reshape({-1, slot.shape.back()});
  const std::int64_t at_once = std::max<std::int64_t>(kElementsAtOnce / rows.size(1), 1);
  for (std::int64_t first = 0; first < rows.size(0); first += at_once) {
    const std::int64_t count = std::min(at_once, rows.size(0) - first);
    Tensor part = rows.narrow(0, first, count).to(torch::kCPU, torch::kFloat32).contiguous();
    if (slot.gguf_offset != 0) part = part - slot.gguf_offset;
    const std::string packed = pack_rows(part, type, slot.name);
    writer.write(packed.data(), packed.size());
  }
}

void add_file_type(const GgufMix& mix, io::GgufContents& contents) {
  contents.add("general.type", "model").add("general.file_type", mix.file_type);
  if (ggml_is_quantized(mix.type))
    contents.add("general.quantization_version", std::uint32_t{GGML_QNT_VERSION});
}

void warn_of_window(const model::Spec& spec) {
  if (const std::int64_t window = model::window_lost_in_gguf(spec))
    log::warn(
        "llama.cpp gives `{}` no window of {} tokens: it reads longer texts otherwise than "
        "they were trained; serve it with a context of at most {}",
        spec.family->model_type, window, window);
}

}  // namespace

std::string pack_rows(const Tensor& rows, ggml_type type, const std::string& name) {
  const std::int64_t columns = rows.size(1);
  const std::size_t row_bytes = ggml_row_size(type, columns);
  std::string packed(static_cast<std::size_t>(rows.size(0)) * row_bytes, '\0');
  const float* values = rows.const_data_ptr<float>();
  ggml_quantize_init(type);  // its tables, before threads ask for them
  at::parallel_for(0, rows.size(0), std::max<std::int64_t>(4096 / columns, 1),
                   [&](std::int64_t begin, std::int64_t end) {
                     ggml_quantize_chunk(
                         type, values + begin * columns,
                         packed.data() + static_cast<std::size_t>(begin) * row_bytes, 0,
                         end - begin, columns, nullptr);
                   });
  const bool is_finite = at::isfinite(rows).all().item<bool>();
  HONE_CHECK(
      DataError, is_finite && ggml_validate_row_data(type, packed.data(), packed.size()),
      "{}: holds a value that is not finite{}", name,
      is_finite ? fmt::format(" in the type {}; choose a wider one", ggml_type_name(type)) : "");
  return packed;
}

void add_origin(const GgufOrigin& origin, io::GgufContents& contents) {
  if (!origin.name.empty()) contents.add("general.name", origin.name);
  if (!origin.base_name.empty())
    contents.add("general.base_model.count", std::uint32_t{1})
        .add("general.base_model.0.name", origin.base_name);
  if (const std::string license = license_of(origin.base); !license.empty())
    contents.add("general.license", license);
}

std::int64_t gguf_model_bytes(model::Decoder& decoder, std::string_view type) {
  io::GgufContents unused;
  model::describe_for_gguf(decoder.spec, unused);  // refuses what cannot be written
  std::int64_t bytes = 0;
  for (const FileTensor& tensor :
       file_tensors(model::weight_slots(decoder), gguf_mix(type), decoder.spec))
    bytes += static_cast<std::int64_t>(ggml_row_size(tensor.type, tensor.shape.back())) *
             (*io::num_elements(tensor.shape) / tensor.shape.back());
  return bytes;
}

void write_gguf_model(model::Decoder& decoder, const GgufMix& mix, const GgufOrigin& origin,
                      const tokenizer::GgufText& text, const fs::path& path) {
  const model::Spec& spec = decoder.spec;
  io::GgufContents contents;
  model::describe_for_gguf(spec, contents);
  add_origin(origin, contents);
  add_file_type(mix, contents);
  if (text.source.empty())
    contents.add("tokenizer.ggml.model", "no_vocab");
  else
    tokenizer::add_gguf_vocabulary(text, spec.vocab_size, path.parent_path(), contents);

  const std::vector<model::GgufDivisors> divisors = model::rope_divisors_for_gguf(spec);
  for (const auto& [name, values] : divisors)
    contents.add_tensor(name, {static_cast<std::int64_t>(values.size())}, GGML_TYPE_F32);
  const std::vector<WeightSlot> slots = model::weight_slots(decoder);
  const std::vector<FileTensor> tensors = file_tensors(slots, mix, spec);
  for (const FileTensor& tensor : tensors)
    contents.add_tensor(tensor.name, tensor.shape, tensor.type);
  warn_of_window(spec);

  io::GgufWriter writer(path, contents);
  for (const auto& [name, values] : divisors)
    writer.write(values.data(), values.size() * sizeof(float));
  for (const FileTensor& tensor : tensors)
    for (const WeightSlot* slot : tensor.slots) write_slot(*slot, tensor.type, writer);
  writer.commit();
}

}  // namespace hone::exporting
