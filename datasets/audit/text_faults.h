#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace hone::datasets::audit {

// What can be wrong with a text by itself. Each gives what it found, in a few words for a report,
// or nothing. Code (prose.h) is left alone where its characters may be meant.

/// The text stops before its end: an open fence, JSON without its closing brackets, or prose that
/// ends within a sentence after it has ended one before.
std::optional<std::string> find_truncation(std::string_view text);

/// The text refuses, or speaks as the assistant of another maker: "As an AI language model, …".
std::optional<std::string> find_refusal(std::string_view text);

/// Tags and entities of HTML in prose.
std::optional<std::string> find_html(std::string_view text);

/// What copying out of Markdown and wikis leaves: \n as two characters, links to nothing, images of
/// local files, empty headings, "[edit]".
std::optional<std::string> find_markup_residue(std::string_view text);

/// Carriage returns, invisible spaces, three or more blank lines, runs of spaces inside a sentence.
/// @param is_answer a leading or trailing space counts as well: the model learns to write it
std::optional<std::string> find_stray_whitespace(std::string_view text, bool is_answer);

/// Control characters, direction overrides and U+FFFD (which stands for bytes that were lost).
std::optional<std::string> find_control_characters(std::string_view text);

/// UTF-8 that was once read as Windows-1252: "Ã©" for "é".
std::optional<std::string> find_mojibake(std::string_view text);

// How they are put right. A text without the fault comes back as it was.
std::string without_html(std::string_view text);
std::string with_plain_whitespace(std::string_view text);
std::string without_control_characters(std::string_view text);
std::string with_mojibake_repaired(std::string_view text);
std::string with_pii_redacted(std::string_view text);

/// At most `characters` of a text on one line, control characters made visible.
std::string excerpt(std::string_view text, std::size_t characters = 60);

}  // namespace hone::datasets::audit
