#pragma once

#include "adapters/adapter.h"

namespace hone::adapters {

/// PiSSA and OLoRA begin with a part of the base itself: B₀A₀ takes over the largest directions of
/// W, and W − s·B₀A₀ stands in for W while the adapter is attached. Does that for every linear
/// module of a LoRA adapter whose init_lora_weights says so, `pissa` (exact), `pissa_niter_N` (N
/// rounds of subspace iteration) or `olora`; nothing otherwise.
/// @source arXiv:2404.02948, arXiv:2406.01775, as PEFT's pissa_init and olora_init
/// @throws ConfigError for an initialisation that hone does not know
void take_over_directions(Adapter& adapter, model::Decoder& decoder, std::uint64_t seed);

/// Whether an initialisation is one of these. @param name a value of init_lora_weights
bool is_taken_from_base(const std::string& name);

/// The same adapter as plain LoRA on the untouched base, of twice the rank:
/// W − s·B₀A₀ + s·BA = W + s·[B, −B₀][A; A₀].
/// @pre it began by take_over_directions
Adapter as_plain_lora(const Adapter& adapter);

}  // namespace hone::adapters
