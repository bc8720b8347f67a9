#pragma once

#include <memory>
#include <vector>

#include "adapters/method.h"

namespace hone::adapters {

/// transformers keeps the experts of a layer as two stacked weights, and PEFT adapts such a weight
/// as a whole, by `target_parameters`:
///
///     model.layers.0.mlp.experts.gate_up_proj  [E, 2I, H], the gate's rows before those of up
///     model.layers.0.mlp.experts.down_proj     [E, H, I]
///
/// hone keeps a layer for each expert and part. What PEFT trains for a stacked weight [E, out, in]
/// is lora_A [r · E, in] and lora_B [out, r · E]: rows of A expert by expert, columns of B rank by
/// rank. An expert's part of them is a LoRA of its own, computed for the tokens that the router
/// sent to it and for no others; no update of the size of the stack is ever made.
/// @source PEFT, lora.ParamWrapper

inline constexpr const char* kTargetParameters = "target_parameters";

/// The stacked weights of the model, in its order; none where it has no experts. `out` and `in` are
/// those of one expert.
std::vector<Site> expert_sites_of(model::Decoder& decoder);

/// True for a layer of a single expert.
bool is_of_expert(const Site& site);

/// The layers that a stacked weight is made of: expert by expert, of each in the order of its rows.
/// @param site one of expert_sites_of()
std::vector<model::Linear*> expert_layers(model::Decoder& decoder, const Site& site);

/// The stacked weights that `target_parameters` names by their last parts, in all layers whatever
/// layers_to_transform says (as PEFT has it); none where the method does not know the key.
/// @throws ConfigError for a name that says nothing of the model, for target_modules that name
///         experts' layers as well, for what PEFT cannot train on such a weight (dropout, biases,
///         DoRA, an initialisation from the base)
std::vector<Site> choose_expert_sites(const Method& method, const Settings& settings,
                                      model::Decoder& decoder);

/// Puts a stacked weight's LoRA onto the layers of the experts.
/// @param place its site is one of expert_sites_of(); `own` has lora_A.weight and lora_B.weight
void attach_to_experts(const Place& place, model::Decoder& decoder);

}  // namespace hone::adapters
