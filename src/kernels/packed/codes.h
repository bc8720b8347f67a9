#pragma once

namespace hone::kernels {

/// What the codes of a packed matrix are.
enum class PackedCodes {
  kFourBit,   ///< indices into a map of 16, two a byte, the first in the upper half
  kEightBit,  ///< indices into a map of 256
  kInt8,      ///< integers from −127 to 127 that stand for i · scale / 127
};

}  // namespace hone::kernels
