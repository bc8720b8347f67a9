#pragma once

#include <string>

#include "engine/base_model.h"
#include "export/target.h"

namespace hone::cli {

/// Says on stdout what each form of a target would take on the disk, or of every target where
/// `target` is empty: once, and for so many adapters of one base.
/// @param adapter null: a model as it is
void tell_sizes(const engine::BaseModel& base, model::Decoder& decoder,
                const adapters::Adapter* adapter, const std::string& target, std::int64_t count,
                bool json);

}  // namespace hone::cli
