#pragma once

#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

namespace hone::datasets {

/// A row as it is read: an object, its keys in the order of the file.
using Row = nlohmann::ordered_json;

/// What a row is to train on, whatever format it came in.
enum class RecordKind {
  kConversation,  ///< {"messages": [{"role", "content"}, …]}, "tools"?; other keys are the row's
                  ///< own
  kCompletion,    ///< {"prompt": text, "completion": text}
  kText,          ///< {"text"}
  kTokens,        ///< {"input_ids", "labels"? or "completion_mask"?}
  kPreference,    ///< {"prompt", "chosen", "rejected", "margin"?, "tools"?}: texts, or lists of
                  ///< messages; or {"prompt_ids", "chosen_ids", "rejected_ids", "margin"?}
  kUnpaired,      ///< {"prompt", "completion", "label": bool}: texts or lists of messages; or
                  ///< {"prompt_ids", "completion_ids", "label"}
  kScored,        ///< {"prompt"?, "completion", "score"}, or {"messages", "score"}
  kStepwise,      ///< {"prompt": text, "completions": [text, …], "labels": [bool, …]}
};

/// The kinds that are one text to learn: conversations, completions, texts, tokens.
const std::vector<RecordKind>& document_kinds();

/// "conversation", "completion", …
std::string_view name_of(RecordKind kind);

/// A row in hone's own shape.
struct Record {
  RecordKind kind;
  Row value;  ///< as RecordKind says
};

}  // namespace hone::datasets
