#pragma once

#include <string>

#include "datasets/record.h"

namespace hone::datasets {

// The two ways of each row format (row_format.h says what they promise), by family.

// chat_formats.cpp
Record messages_to_record(Row row);
Row messages_from_record(const Record& record, std::string& lost);
/// {"conversations": [{"from", "value"}, …], "system"?, "tools"?}
Record sharegpt_to_record(Row row);
Row sharegpt_from_record(const Record& record, std::string& lost);
/// {"instruction", "input"?, "output", "system"?, "history"?: [[question, answer], …]}. The
/// question is instruction and input with a newline between them.
/// @source LLaMA-Factory, src/llamafactory/data/converter.py, AlpacaDatasetConverter
Record alpaca_to_record(Row row);
Row alpaca_from_record(const Record& record, std::string& lost);

// text_formats.cpp
/// {"prompt", "completion"}: texts, or lists of messages, which make a conversation that trains on
/// the completion's messages alone.
Record prompt_completion_to_record(Row row);
Row prompt_completion_from_record(const Record& record, std::string& lost);
Record text_to_record(Row row);
Row text_from_record(const Record& record, std::string& lost);
Record tokens_to_record(Row row);
Row tokens_from_record(const Record& record, std::string& lost);

// preference_formats.cpp
/// {"prompt"?, "chosen", "rejected", "margin"?}. Without a prompt it is what both have in common at
/// their beginning.
/// @source TRL, trl/data_utils.py, extract_prompt
Record preference_to_record(Row row);
Row preference_from_record(const Record& record, std::string& lost);
Record unpaired_to_record(Row row);
Row unpaired_from_record(const Record& record, std::string& lost);
Record scored_to_record(Row row);
Row scored_from_record(const Record& record, std::string& lost);
Record stepwise_to_record(Row row);
Row stepwise_from_record(const Record& record, std::string& lost);

/// Refuses a record that a format cannot hold at all.
/// @throws DataError
[[noreturn]] void refuse_kind(const Record& record, std::string_view format);

}  // namespace hone::datasets
