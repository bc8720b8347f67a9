#pragma once

#include <string_view>

namespace hone::eval {

/// F-measure of the longest common subsequence of words, 0 to 1; 0 where either text has no word.
/// Words are runs of a–z and 0–9 after lower-casing; they are not stemmed, as rouge_score does by
/// default.
/// @param answer, reference valid UTF-8
/// @source Lin, "ROUGE" (2004), section 3, beta 1; rouge_score 0.1.2
double rouge_l_f1(std::string_view answer, std::string_view reference);

}  // namespace hone::eval
