#pragma once

namespace hone::engine {

/// The key of a manifest's `about` for the rope that an adapter's base had, where that was not its
/// own: what rope_of_adapter() reads.
inline constexpr const char* kRopeRecord = "rope_parameters";

}  // namespace hone::engine
