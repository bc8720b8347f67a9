#include "adapters/fingerprint.h"

#include <algorithm>
#include <bit>

namespace hone::adapters {
namespace {

constexpr std::int64_t kSigns = 1024;
constexpr std::string_view kDigits = "0123456789abcdef";

}  // namespace

std::string fingerprint(const model::Decoder& decoder, std::int64_t rows) {
  if (decoder.device().is_meta()) return "";
  const torch::Tensor embedding = decoder.embed_tokens.narrow(0, 0, rows);
  const std::int64_t count = embedding.numel();
  // An odd stride walks through the columns as well as the rows.
  const std::int64_t stride = std::max<std::int64_t>(1, count / kSigns) | 1;
  const torch::Tensor places =
      torch::arange(kSigns, torch::kInt64).mul(stride).remainder(count).to(embedding.device());
  const torch::Tensor signs =
      (embedding.detach().flatten().index_select(0, places) > 0).to(torch::kCPU).contiguous();
  const bool* positive = signs.const_data_ptr<bool>();
  std::string mark;
  for (std::int64_t i = 0; i < kSigns; i += 4)
    mark += kDigits[static_cast<std::size_t>(8 * positive[i] + 4 * positive[i + 1] +
                                             2 * positive[i + 2] + positive[i + 3])];
  return mark;
}

bool same_base(const std::string& mark, const std::string& other) {
  if (mark.size() != other.size()) return false;
  std::size_t differing = 0;
  for (std::size_t i = 0; i < mark.size(); ++i)
    differing += static_cast<std::size_t>(
        std::popcount(static_cast<unsigned>(kDigits.find(mark[i]) ^ kDigits.find(other[i]))));
  return differing <= mark.size();  // of four signs a digit
}

}  // namespace hone::adapters
