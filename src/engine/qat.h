#pragma once

#include <filesystem>
#include <memory>

#include "adapters/fake_quantized.h"
#include "engine/session.h"

namespace hone::engine {

/// Puts fake quantisation onto the layers, over what is trained. To be called once that is there.
/// @param total_steps of the run
/// @return null where the options ask for none
/// @throws ConfigError where `skip` names no layer, groups do not divide a layer's rows, an adapter
///         cannot be merged, or the run would end before it begins
std::shared_ptr<adapters::FakeQuantization> add_fake_quantization(
    model::Decoder& decoder, const QatOptions& options,
    const std::vector<optim::Parameter>& parameters, std::int64_t total_steps);

/// Writes the model that fake quantisation trained as it is served: `quantized/`, packed, with its
/// adapter merged in.
/// @throws IoError
void save_quantized(Session& session);

}  // namespace hone::engine
