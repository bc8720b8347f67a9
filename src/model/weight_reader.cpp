#include "model/weight_reader.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "model/gguf_write.h"
#include "model/load.h"
#include "model/packed_checkpoint.h"

namespace hone::model {
namespace {

namespace fs = std::filesystem;
using Shape = std::vector<std::int64_t>;

/// Elements that are on their way from the file to a tensor at a time: little beside any model.
constexpr std::int64_t kElementsAtOnce = std::int64_t{1} << 19;

/// What does not fit, gathered so that all of it is told together.
class Misfits {
 public:
  void missing(const std::string& name) { missing_.push_back(name); }
  void unexpected(const std::string& name) { unexpected_.push_back(name); }
  void misshapen(const WeightSlot& slot, const Shape& found, const Shape& expected) {
    misshapen_.push_back(fmt::format("{} is {}, expected {}", slot.name, io::shape_text(found),
                                     io::shape_text(expected)));
  }
  void mistyped(const std::string& name, std::string_view type) {
    mistyped_.push_back(fmt::format("{} is {}", name, type));
  }

  void refuse_if_any(const fs::path& model) const {
    std::string text;
    for (const auto& [what, names] :
         {std::pair{"missing", &missing_}, std::pair{"not expected", &unexpected_},
          std::pair{"of another shape", &misshapen_},
          std::pair{"of a type that hone does not load", &mistyped_}}) {
      if (names->empty()) continue;
      const std::size_t shown = std::min<std::size_t>(names->size(), 20);
      text += fmt::format("\n  {} ({}): {}", what, names->size(),
                          fmt::join(names->begin(), names->begin() + std::ptrdiff_t(shown), ", "));
      if (shown < names->size()) text += ", …";
    }
    HONE_CHECK(DataError, text.empty(), "{}: the weights do not fit the model's config:{}",
               model.string(), text);
  }

 private:
  std::vector<std::string> missing_, unexpected_, misshapen_, mistyped_;
};

/// Weights that older checkpoints carry and that say nothing: tables that are computed.
bool is_redundant(std::string_view name, const Spec& spec) {
  return name.ends_with("rotary_emb.inv_freq") || name == "rope_freqs.weight" ||
         name == "rope_factors_long.weight" || name == "rope_factors_short.weight" ||
         (spec.tie_word_embeddings && name == "lm_head.weight");
}

bool is_float(io::DType dtype) {
  return dtype == io::DType::kF64 || dtype == io::DType::kF32 || dtype == io::DType::kF16 ||
         dtype == io::DType::kBF16;
}

bool all_finite(const Tensor& tensor) { return at::isfinite(tensor).all().item<bool>(); }

}  // namespace

/// A stored tensor, as rows of its last axis.
struct WeightReader::Stored {
  const io::TensorView* view = nullptr;    // one of
  const io::GgufTensor* blocks = nullptr;  // these two

  const Shape& shape() const { return view ? view->shape : blocks->shape; }
  torch::Dtype dtype() const { return view ? to_torch(view->dtype) : torch::kFloat32; }

  /// @param out [count, columns] of dtype()
  void read_rows(std::int64_t first, std::int64_t count, Tensor& out) const {
    if (blocks != nullptr)
      return io::dequantize_rows(*blocks, first, count, out.mutable_data_ptr<float>());
    const std::size_t row_bytes = out.nbytes() / static_cast<std::size_t>(count);
    std::memcpy(out.mutable_data_ptr(), view->data + static_cast<std::size_t>(first) * row_bytes,
                out.nbytes());
  }

  void release() const {
    if (view != nullptr) release_pages(view->data, view->size_bytes);
    if (blocks != nullptr) release_pages(blocks->data, blocks->size_bytes);
  }
};

WeightReader::WeightReader(const fs::path& model) : model_(model) {
  if (is_gguf(model))
    gguf_.emplace(model);
  else
    safetensors_.emplace(model);
}

const std::string& WeightReader::name_of(const WeightSlot& slot) const {
  return gguf_ ? slot.gguf_name : slot.name;
}

std::optional<WeightReader::Stored> WeightReader::find(const WeightSlot& slot) const {
  Stored stored;
  if (gguf_)
    stored.blocks = gguf_->find(slot.gguf_name);
  else
    stored.view = safetensors_->find(slot.name);
  if (stored.view == nullptr && stored.blocks == nullptr) return std::nullopt;
  return stored;
}

std::vector<std::string_view> WeightReader::names() const {
  std::vector<std::string_view> names;
  if (gguf_)
    for (const io::GgufTensor& tensor : gguf_->tensors()) names.push_back(tensor.name);
  else
    for (const auto& [name, view] : safetensors_->tensors()) names.push_back(name);
  return names;
}

/// A slot's own shape, or that of a layer's experts one upon another.
Shape WeightReader::stored_shape(const WeightSlot& slot, const Spec& spec) const {
  Shape shape = slot.shape;
  if (gguf_ && slot.gguf_expert >= 0) shape.insert(shape.begin(), spec.moe.num_experts);
  return shape;
}

void WeightReader::check(const std::vector<WeightSlot>& slots, const Spec& spec) const {
  Misfits misfits;
  std::set<std::string, std::less<>> known;
  for (const WeightSlot& slot : slots) {
    if (is_packed(slot)) {
      for (std::string& name : packed_names(*safetensors_, slot.linear->name))
        known.insert(std::move(name));
      continue;
    }
    if (!known.insert(name_of(slot)).second) continue;  // experts of one tensor
    const std::optional<Stored> stored = find(slot);
    const Shape expected = stored_shape(slot, spec);
    if (!stored) {
      misfits.missing(name_of(slot));
    } else if (stored->shape() != expected) {
      misfits.misshapen(slot, stored->shape(), expected);
    } else if (stored->view && !is_float(stored->view->dtype)) {
      misfits.mistyped(slot.name, io::dtype_name(stored->view->dtype));
    }
  }
  for (const std::string_view name : names())
    if (known.count(name) == 0 && !is_redundant(name, spec)) misfits.unexpected(std::string(name));
  misfits.refuse_if_any(model_);
}

bool WeightReader::is_packed(const WeightSlot& slot) const {
  return safetensors_ && slot.linear != nullptr &&
         !packed_names(*safetensors_, slot.linear->name).empty();
}

kernels::PackedMatrix WeightReader::read_packed(const WeightSlot& slot) const {
  return model::read_packed(*safetensors_, slot.linear->name, slot.shape[0], slot.shape[1]);
}

std::string WeightReader::stored_type(const WeightSlot& slot) const {
  const std::optional<Stored> stored = find(slot);
  HONE_ASSERT(stored, "{} was not checked", slot.name);
  if (stored->view != nullptr) return dtype_label(stored->dtype());
  if (stored->blocks->type_name == "f32") return "fp32";
  return stored->blocks->type_name == "f16" ? "fp16" : stored->blocks->type_name;
}

Tensor WeightReader::read(const WeightSlot& slot, torch::Dtype dtype) const {
  const std::optional<Stored> stored = find(slot);
  HONE_ASSERT(stored, "{} was not checked", slot.name);
  const Tensor result = torch::empty(slot.shape, dtype);
  const Tensor rows = result.view({-1, slot.shape.back()});
  const std::int64_t at_once = std::max<std::int64_t>(kElementsAtOnce / rows.size(1), 1);
  const bool is_stacked = gguf_ && slot.gguf_expert >= 0;
  const std::int64_t before = is_stacked ? slot.gguf_expert * rows.size(0) : 0;
  Tensor buffer = torch::empty({std::min(at_once, rows.size(0)), rows.size(1)}, stored->dtype());
  for (std::int64_t first = 0; first < rows.size(0); first += at_once) {
    const std::int64_t count = std::min(at_once, rows.size(0) - first);
    Tensor part = buffer.narrow(0, 0, count);
    stored->read_rows(before + first, count, part);
    stored->release();
    if (gguf_ && slot.gguf_offset != 0) part.add_(slot.gguf_offset);
    const Tensor target = rows.narrow(0, first, count).copy_(part);
    HONE_CHECK(DataError, all_finite(target), "{}: {} holds a value that is not finite{}",
               model_.string(), slot.name,
               all_finite(part) ? fmt::format(" once it is cast to {}; choose a wider model.dtype",
                                              torch::toString(dtype))
                                : "");
  }
  const bool is_interleaved = gguf_ && slot.interleaved_heads > 0;
  return is_interleaved ? separate_heads(result, slot.interleaved_heads) : result;
}

}  // namespace hone::model
