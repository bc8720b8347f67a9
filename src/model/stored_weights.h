#pragma once

#include <filesystem>
#include <string>

#include "model/weight_reader.h"

namespace hone::model {

/// Single weights of a model as its files have them, for who needs more of one than the packed form
/// it was loaded in.
class StoredWeights {
 public:
  /// @throws DataError where the files are not what their format promises
  explicit StoredWeights(const std::filesystem::path& model);
  StoredWeights(const StoredWeights&) = delete;
  StoredWeights& operator=(const StoredWeights&) = delete;

  /// @param name as Hugging Face names the weight
  /// @return f32, on the CPU. @throws DataError where the model has none of that name
  Tensor read(const std::string& name) const;

 private:
  std::filesystem::path model_;
  WeightReader reader_;
  Decoder shape_;  ///< a model without numbers, which the slots belong to
  std::vector<WeightSlot> slots_;
};

}  // namespace hone::model
