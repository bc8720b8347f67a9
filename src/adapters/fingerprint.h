#pragma once

#include <string>

#include "model/decoder.h"

namespace hone::adapters {

/// A base's mark: the signs of 1,024 numbers spread over the first `rows` rows of its embedding, in
/// hexadecimal. It stays
/// nearly the same in whatever dtype or quantisation the base is loaded, and tells models of the
/// same sizes apart.
/// @pre no adapter is attached
std::string fingerprint(const model::Decoder& decoder, std::int64_t rows);

/// True where at most a quarter of the signs differ: quantising turns some few, and of another
/// model half of them are other ones. Marks of different lengths are never the same.
bool same_base(const std::string& mark, const std::string& other);

}  // namespace hone::adapters
