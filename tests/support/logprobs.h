#pragma once

#include <string>
#include <vector>

#include "support/support.h"

namespace hone::test {

/// What `hone logprobs` says of a row of token ids, in fp32. Fails the test where it does not end
/// well.
/// @param folder where the row is written
/// @param more arguments of the verb: an adapter, a quantisation
std::vector<double> logprobs_of(const std::vector<int>& ids, const TempFolder& folder,
                                const std::string& model, const std::vector<std::string>& more);

}  // namespace hone::test
