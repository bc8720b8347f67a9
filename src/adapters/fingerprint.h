#pragma once

#include <string>

#include "model/decoder.h"

namespace hone::adapters {

/// A name for a base's weights that is the same in whatever dtype or quantisation they were loaded:
/// SHA-256 over its norms and some rows of its embedding, rounded to bf16. It tells models of the
/// same sizes apart, as long as one was not made from the other by changing linear layers only.
/// @pre no adapter is attached
std::string fingerprint(model::Decoder& decoder);

}  // namespace hone::adapters
