#pragma once

#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

#include "io/gguf.h"
#include "io/safetensors.h"
#include "kernels/packed/packed.h"
#include "model/weights.h"

namespace hone::model {

/// The weights that a model's files store (a folder of safetensors, or a .gguf file), mapped into
/// memory. A weight is read some rows at a time, straight into a tensor of the target dtype, and
/// the pages that it came from are let go: loading takes the model in its target format and little
/// more.
class WeightReader {
 public:
  /// @throws DataError where the files are not what their format promises
  explicit WeightReader(const std::filesystem::path& model);

  /// nullptr where the model is a folder.
  const io::GgufFile* gguf() const { return gguf_ ? &*gguf_ : nullptr; }

  /// Holds what is stored against what the spec asks for.
  /// @throws DataError naming together all weights that are missing, not expected, of another
  ///         shape, or of a type that is no float
  void check(const std::vector<WeightSlot>& slots, const Spec& spec) const;

  /// "bf16", "fp32", "q4_1": what a weight is stored as. To be called after check().
  std::string stored_type(const WeightSlot& slot) const;

  /// True where the files hold a layer's matrix packed (packed_checkpoint.h).
  bool is_packed(const WeightSlot& slot) const;
  /// Such a matrix, on the CPU. To be called after check(). @throws DataError
  kernels::PackedMatrix read_packed(const WeightSlot& slot) const;

  /// One weight, as Hugging Face lays it out, on the CPU. To be called after check().
  /// @throws DataError where a value is not finite in `dtype`
  Tensor read(const WeightSlot& slot, torch::Dtype dtype) const;

 private:
  struct Stored;
  std::vector<std::int64_t> stored_shape(const WeightSlot& slot, const Spec& spec) const;
  const std::string& name_of(const WeightSlot& slot) const;
  std::optional<Stored> find(const WeightSlot& slot) const;
  std::vector<std::string_view> names() const;

  std::filesystem::path model_;
  std::optional<io::SafetensorsSet> safetensors_;
  std::optional<io::GgufFile> gguf_;
};

}  // namespace hone::model
