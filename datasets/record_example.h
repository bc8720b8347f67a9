#pragma once

#include "datasets/example.h"
#include "datasets/record.h"
#include "datasets/row_format.h"

namespace hone::datasets {

/// Ids, weights and what else a record says of the document that it is trained on as. Pure: any
/// thread may call it.
/// @throws DataError saying what is wrong with the record; the caller adds its place
/// @throws ConfigError where a tokenizer or a chat template is needed and there is none
Example to_example(const Record& record, const RowContext& context);

/// Whether a record is tokens already, or has its text as messages; else it is plain text.
bool is_tokens(const Record& record);
bool is_messages(const Record& record);

// One file each: message_row.cpp, text_row.cpp, token_row.cpp.
Example read_message_row(const Row& row, const RowContext& context);
/// Prompt and completion as one text, with the BOS token where the tokenizer adds one and an EOS
/// token at the end. The completion and the EOS token are trained.
Example read_completion_row(const Row& row, const RowContext& context);
/// The same of a text that is all completion.
Example read_text_row(const Row& row, const RowContext& context);
Example read_token_row(const Row& row, const RowContext& context);
/// "prompt_ids" and then the ids under `answer`, which are the response.
Example read_token_answer(const Row& row, const char* answer, const RowContext& context);

// answer_row.cpp: rows of answers to compare or to judge, in any of the three forms. Only the
// answer weighs: what the assistant said in the prompt does not.
/// Two documents: the prompt with "chosen", the prompt with "rejected"; the margin.
/// @throws FlawedRow where the pair compares nothing
Example read_preference_row(const Row& row, const RowContext& context);
/// One document, and the label. @throws FlawedRow where the answer is empty
Example read_unpaired_row(const Row& row, const RowContext& context);
/// One document, and the score. @throws FlawedRow where the answer is empty
Example read_scored_row(const Row& row, const RowContext& context);

// step_row.cpp
/// The prompt and its steps, each with a newline behind it; the last token of each weighs, and its
/// label is the value. @throws FlawedRow where there is no step, or an empty one
Example read_stepwise_row(const Row& row, const RowContext& context);

}  // namespace hone::datasets
