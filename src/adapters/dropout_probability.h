#pragma once

#include "adapters/settings.h"

namespace hone::adapters {

/// The probability of dropout, whatever PEFT's config of the method calls it.
double dropout_of(const Settings& settings);

}  // namespace hone::adapters
