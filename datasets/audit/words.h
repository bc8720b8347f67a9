#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hone::datasets::audit {

/// Two texts with the same key are the same text.
using ContentKey = std::array<std::uint64_t, 2>;

/// The first 128 bits of SHA-256: no two different texts of any data set share it.
ContentKey content_key(std::string_view text);

/// Spreads the bits of a number over all 64; a bijection.
/// @source Steele, Lea, Flood, "Fast splittable pseudorandom number generators" (OOPSLA 2014)
constexpr std::uint64_t mix64(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

/// NFC, with every run of white space as one space and none at the ends: what differs only there is
/// the same text to a reader.
std::string normalised(std::string_view text);

/// The words of a text, each as a hash, in order. Case, compatibility forms (NFKC) and all
/// punctuation are gone; a word is a run of letters, marks and digits, and in scripts without
/// spaces between words (Han, Thai, …) every letter is one.
std::vector<std::uint64_t> word_hashes(std::string_view text);

}  // namespace hone::datasets::audit
