#include "datasets/record.h"

#include <array>

namespace hone::datasets {

const std::vector<RecordKind>& document_kinds() {
  static const std::vector<RecordKind> kinds = {RecordKind::kConversation, RecordKind::kCompletion,
                                                RecordKind::kText, RecordKind::kTokens};
  return kinds;
}

std::string_view name_of(RecordKind kind) {
  constexpr std::array<std::string_view, 8> kNames = {"conversation", "completion", "text",
                                                      "tokens",       "preference", "unpaired",
                                                      "scored",       "stepwise"};
  return kNames.at(static_cast<std::size_t>(kind));
}

}  // namespace hone::datasets
