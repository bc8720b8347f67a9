#include "eval/stop_texts.h"

#include <algorithm>

namespace hone::eval {
namespace {

std::string decode_last(const std::vector<std::int64_t>& ids, std::size_t count,
                        const tokenizer::Tokenizer& tokenizer) {
  const std::vector<std::int32_t> last(ids.end() - std::ptrdiff_t(count), ids.end());
  return tokenizer.decode(last, /*skip_special=*/true);
}

}  // namespace

std::string StopTexts::cut(std::string text) const {
  std::size_t end = text.size();
  for (const std::string& stop : texts) end = std::min(end, text.find(stop));
  text.resize(end);
  return text;
}

std::size_t StopTexts::undecided(std::string_view text) const {
  std::size_t most = 0;
  for (const std::string& stop : texts)
    for (std::size_t size = std::min(text.size(), stop.size() - 1); size > most; --size)
      if (text.ends_with(std::string_view(stop).substr(0, size))) most = size;
  return most;
}

std::function<bool(const std::vector<std::int64_t>& ids)> StopTexts::watch(
    const tokenizer::Tokenizer& tokenizer) const {
  if (texts.empty()) return {};
  std::size_t longest = 0;
  for (const std::string& stop : texts) longest = std::max(longest, stop.size());
  return [&tokenizer, longest, stops = *this](const std::vector<std::int64_t>& ids) {
    // Only a text that ends with the newest token can be new, so as many tokens from the end are
    // decoded as have its bytes. Half a character may come out longer than it is, hence the slack.
    constexpr std::size_t kSlack = 16;
    const std::size_t wanted = longest + decode_last(ids, 1, tokenizer).size() + kSlack;
    std::string said;
    for (std::size_t count = std::min(ids.size(), longest + 1);; count *= 2) {
      count = std::min(count, ids.size());
      said = decode_last(ids, count, tokenizer);
      if (count == ids.size() || said.size() >= wanted) break;
    }
    return stops.cut(said).size() < said.size();
  };
}

}  // namespace hone::eval
