#include "datasets/example.h"

#include <algorithm>
#include <type_traits>

namespace hone::datasets {

std::int64_t Example::longest_document() const {
  std::int64_t longest = 0;
  for (std::int64_t d = 0; d < documents(); ++d)
    longest = std::max(longest, document_end(d) - document_begin(d));
  return longest;
}

std::int64_t Example::trained_tokens() const {
  std::int64_t count = 0;
  for (std::size_t t = 0; t < ids.size(); ++t) count += is_trained(t);
  return count;
}

Example document_of(const Example& example, std::int64_t document) {
  const std::int64_t begin = example.document_begin(document), end = example.document_end(document);
  const auto cut = [&](const auto& all) {
    return std::decay_t<decltype(all)>(all.begin() + begin, all.begin() + end);
  };
  return {.ids = cut(example.ids),
          .weights = cut(example.weights),
          .responses = cut(example.responses),
          .file = example.file,
          .row = example.row};
}

Example joined(const std::vector<Example>& documents) {
  Example row;
  row.file = documents.front().file;
  row.row = documents.front().row;
  for (const Example& document : documents) {
    row.ids.insert(row.ids.end(), document.ids.begin(), document.ids.end());
    row.responses.insert(row.responses.end(), document.responses.begin(), document.responses.end());
    for (std::size_t t = 0; t < document.ids.size(); ++t)
      row.weights.push_back(t > 0 && document.responses[t] != 0 ? document.weights[t] : 0.0f);
    row.document_ends.push_back(static_cast<std::int32_t>(row.ids.size()));
    row.straddling_tokens += document.straddling_tokens;
    row.prompt_differs |= document.prompt_differs;
    row.changes.insert(row.changes.end(), document.changes.begin(), document.changes.end());
  }
  if (documents.size() == 1) row.document_ends.clear();
  return row;
}

std::int64_t shared_prompt(const Example& example) {
  if (example.documents() == 1) return 0;
  const auto is_shared = [&](std::int64_t t) {
    for (std::int64_t d = 0; d < example.documents(); ++d) {
      const auto token = static_cast<std::size_t>(example.document_begin(d) + t);
      // The last token of a document stays its own: none may be left empty.
      if (example.document_begin(d) + t + 1 >= example.document_end(d)) return false;
      if (example.responses[token] != 0) return false;
      if (example.ids[token] != example.ids[static_cast<std::size_t>(t)]) return false;
    }
    return true;
  };
  std::int64_t shared = 0;
  while (is_shared(shared)) ++shared;
  return shared;
}

}  // namespace hone::datasets
