#include "distributed/texts.h"

#include <algorithm>
#include <cstring>

namespace hone::distributed {

std::vector<std::string> gather_texts(const Group& group, const std::string& text,
                                      std::string_view what, Patience patience) {
  if (group.is_alone()) return {text};
  std::vector<std::int64_t> sizes;
  for (const Tensor& size : group.all_gather(
           torch::tensor({static_cast<std::int64_t>(text.size())}, torch::kInt64), what, patience))
    sizes.push_back(size.item<std::int64_t>());
  const std::int64_t longest = *std::ranges::max_element(sizes);
  if (longest == 0) return std::vector<std::string>(sizes.size());
  const Tensor own = torch::zeros({longest}, torch::kUInt8);  // tensors of a collective are alike
  std::memcpy(own.mutable_data_ptr(), text.data(), text.size());
  std::vector<std::string> texts;
  for (const Tensor& bytes : group.all_gather(own, what, patience))
    texts.emplace_back(static_cast<const char*>(bytes.const_data_ptr()),
                       static_cast<std::size_t>(sizes[texts.size()]));
  return texts;
}

}  // namespace hone::distributed
