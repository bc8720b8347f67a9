#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "adapters/adapter.h"

namespace hone::adapters {

/// True where the adapter's modules have different ranks or scalings, or a scaling that is not
/// alpha/r: what a server that reads one `r` and one `lora_alpha` would compute wrongly.
bool needs_folding(const Adapter& adapter);

/// The same LoRA (or DoRA) with one rank for all modules and a scaling of 1 (lora_alpha = r): B is
/// multiplied by the scaling that its module had (alpha_pattern, rsLoRA's alpha/√r), and modules of
/// a lower rank get rows and columns of zeros. It computes the same, up to the rounding of f32.
/// @throws ConfigError where the adapter is no LoRA, or where the rank is above that of one of its
///         matrices, or where experts' stacked weights have different ranks
Adapter fold(const Adapter& adapter);

/// Gives each kind of module (`q_proj`) that is adapted in some layers a pair of zeros in the
/// others, for servers that pass over a kind of module that not every layer has.
/// @pre a folded adapter
/// @throws ConfigError as fold()
Adapter cover_all_layers(const Adapter& adapter, model::Decoder& decoder);
bool covers_all_layers(const Adapter& adapter, model::Decoder& decoder);

/// How near a low-rank update comes to the whole one, for a module.
struct Nearness {
  std::string module;
  double relative = 0;  ///< ‖Δ − BA‖ / ‖Δ‖, Frobenius; 0 where Δ is zero
  double largest = 0;   ///< |Δ − BA|, the largest of the numbers
};

/// An adapter as plain LoRA.
struct PlainLora {
  Adapter adapter;
  std::vector<Nearness> errors;  ///< one for each module that was approximated
};

/// The plain LoRA of this rank that comes nearest to what an adapter of any method (DoRA, AdaLoRA,
/// LoHa, …) does to the weights: the leading part of the SVD of each Δ = W' − W. What LoRA folders
/// hold besides (modules_to_save, biases, trained tokens) stays as it was.
/// @param decoder the base, with nothing attached; it is left so
/// @param rank 0: twice the largest that a LoRA or DoRA has, 16 for other methods; never above what
///        the smallest of the matrices has
/// @pre the adapter was loaded from a folder
/// @throws ConfigError where it changes something that no LoRA of linear layers holds
PlainLora plain_lora_near(Adapter& adapter, model::Decoder& decoder, std::int64_t rank);

}  // namespace hone::adapters
