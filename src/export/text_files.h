#pragma once

#include "export/target.h"

namespace hone::exporting {

/// Writes what a server turns text into tokens with: the tokenizer's files, the chat template that
/// was trained with (in both places where servers look for it), and generation_config.json with
/// every token that ends a reply. Nothing where the job has no tokenizer.
/// @throws DataError where a .gguf's vocabulary has no such form
void write_text_files(const Job& job);

}  // namespace hone::exporting
