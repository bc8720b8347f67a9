#pragma once

#include <filesystem>

#include "model/decoder.h"
#include "model/load.h"

namespace hone::model {

/// The decoder that load_decoder would give, with the shapes and dtypes of its tensors and without
/// their numbers: they are on LibTorch's meta device, and take no memory. Of a model that its own
/// files hold packed, the packed matrices are looked at one after the other; of any other no weight
/// is read, and none has to be there.
/// @throws ConfigError, DataError as load_decoder
Decoder outline_of(const std::filesystem::path& model, const LoadOptions& options);

}  // namespace hone::model
