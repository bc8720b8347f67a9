#include "datasets/audit/checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "datasets/audit/pii.h"
#include "datasets/audit/text_faults.h"

namespace hone::datasets::audit {
namespace {

using Found = std::optional<std::string>;

bool is_blank(const Passage& passage) {
  return passage.calls.empty() && normalised(passage.text).empty();
}

Found find_unreadable(const RowScope& scope) {
  if (scope.problem.empty()) return std::nullopt;
  return scope.problem;
}

Found find_empty(const RowScope& scope) {
  const RowText& row = scope.row;
  if (row.passages.empty()) return std::nullopt;  // unreadable, or tokens
  bool has_answer = false, has_text = false, has_prompt = false, says_prompt = false;
  for (const Passage& passage : row.passages) {
    const bool blank = is_blank(passage);
    has_answer |= passage.is_answer();
    has_text |= !blank;
    has_prompt |= passage.side == Side::kPrompt;
    says_prompt |= passage.side == Side::kPrompt && !blank;
    if (passage.is_answer() && blank) return fmt::format("`{}` says nothing", passage.role);
  }
  if (!has_text) return "the text is empty";
  if (row.kind == RecordKind::kConversation && !has_answer) return "no message of the assistant";
  if (has_prompt && !says_prompt) return "the prompt is empty";
  return std::nullopt;
}

/// The first thing that `find` finds in a passage that `select` takes.
template <class Select, class Find>
Found first_in(const RowScope& scope, Select select, Find find) {
  for (const Passage& passage : scope.row.passages) {
    if (!select(passage)) continue;
    if (Found found = find(passage)) {
      const std::string who = passage.role.empty() ? "" : fmt::format("`{}` ", passage.role);
      return who + *found;
    }
  }
  return std::nullopt;
}

bool is_any(const Passage&) { return true; }
bool is_answer(const Passage& passage) { return passage.is_answer(); }

/// A check of every text, or of every answer, by a function of text_faults.h.
template <Found (*kFind)(std::string_view), bool kAnswersOnly = false>
Found in_texts(const RowScope& scope) {
  return first_in(scope, kAnswersOnly ? is_answer : is_any,
                  [](const Passage& passage) { return kFind(passage.text); });
}

Found find_truncated(const RowScope& scope) {
  return first_in(scope, is_answer, [](const Passage& passage) {
    return passage.calls.empty() ? find_truncation(passage.text) : std::nullopt;
  });
}

Found find_whitespace(const RowScope& scope) {
  return first_in(scope, is_any, [](const Passage& passage) {
    return find_stray_whitespace(passage.text, passage.is_answer());
  });
}

template <std::size_t kKind>
Found find_pii(const RowScope& scope) {
  return first_in(scope, is_any, [](const Passage& passage) -> Found {
    const auto found = pii_kinds()[kKind].find(passage.text);
    if (found.empty()) return std::nullopt;
    return masked(std::string_view(passage.text).substr(found[0].begin, found[0].size()));
  });
}

Found find_equal_pair(const RowScope& scope) {
  const bool is_pair = scope.keys.response != 0 && scope.keys.rejected != 0;
  if (!is_pair || scope.keys.response != scope.keys.rejected) return std::nullopt;
  return "both: " + excerpt(scope.row.last(Side::kResponse)->text, 50);
}

Found find_contamination(const RowScope& scope) {
  if (scope.lookups.benchmark == nullptr) return std::nullopt;
  return first_in(scope, is_any, [&](const Passage& passage) -> Found {
    const auto found = scope.lookups.benchmark->find(word_hashes(passage.text));
    if (!found) return std::nullopt;
    return fmt::format("shares {} words with {}", found->words,
                       scope.lookups.benchmark_places->at(static_cast<std::size_t>(found->item)));
  });
}

constexpr auto kError = Severity::kError;
constexpr auto kWarning = Severity::kWarning;
constexpr auto kNote = Severity::kNote;

// In the order in which `hone data clean` would take them: what costs least first.
constexpr std::array kChecks = {
    Check{"unreadable", "rows that cannot be read",
          "The container's parser and the row format, as in training.",
          "Mend the rows; training refuses them.", kError, find_unreadable},
    Check{"exact_duplicates", "rows that say the same as an earlier one",
          "SHA-256 of the row's texts in NFC with white space collapsed; columns that are not "
          "trained on do not count.",
          "Remove them: they weigh double, and what is repeated is learnt by heart.", kWarning,
          nullptr, find_exact_duplicates},
    Check{"empty", "rows without an answer, a prompt or a text",
          "An answer, all of the prompt, or the text is white space; an answer that calls tools is "
          "not empty.",
          "Remove them: a model that learns empty answers gives some.", kError, find_empty},
    Check{"equal_pairs", "pairs whose chosen and rejected are the same",
          "The two texts are equal after normalisation.",
          "Remove them: their loss has no direction.", kError, find_equal_pair},
    Check{
        "truncated", "answers that stop before their end",
        "A code block that is not closed, JSON without its closing bracket, or prose that ended "
        "sentences before and stops within one; lists, verse and code are left out.",
        "Generate them again with a higher limit, or remove them: the model learns to stop there.",
        kWarning, find_truncated},
    Check{"length_limit", "answers that end at the same length",
          "At least 5 different answers have exactly the largest length, 10 times as many as the "
          "lengths "
          "beneath have on average.",
          "They were cut by a limit on generation: raise it and generate again, or remove them.",
          kWarning, nullptr, find_length_limit},
    Check{"eval_leaks", "rows whose prompt or text is in the evaluation files",
          "Equal content, or an equal prompt with any answer, after normalisation.",
          "Remove them from the training rows: the evaluation measures memory otherwise.", kError,
          nullptr, find_eval_leaks},
    Check{"near_eval_leaks", "rows that are nearly a row of the evaluation files",
          "MinHash over runs of 5 words (20 bands of 6), then Jaccard similarity of at least 0.8, "
          "computed on the rows; system messages are left out.",
          "Remove them from the training rows, or split by content.", kError, nullptr,
          find_near_eval_leaks},
    Check{"contamination", "rows that quote a benchmark",
          "A run of 13 words is shared (a benchmark's text of 8 to 12 words is looked for whole); "
          "runs in more than 10 of its items are its own phrases and do not count.",
          "Remove them before you report a score on that benchmark.", kError, find_contamination},
    Check{"near_duplicates", "rows that are nearly the same as an earlier one",
          "MinHash over runs of 5 words (20 bands of 6), then Jaccard similarity of at least 0.8, "
          "computed on the rows; system messages are left out.",
          "Remove them, or keep the best of each group.", kWarning, nullptr, find_near_duplicates},
    Check{"conflicting_answers", "rows with another answer to the same prompt",
          "Equal prompts (system message and tools included) with answers that differ after "
          "normalisation.",
          "Keep one where a prompt has one right answer; several are fine where it has many.",
          kWarning, nullptr, find_conflicting_answers},
    Check{
        "conflicting_labels", "preferences that contradict each other",
        "For one prompt A is chosen over B and B over A; or one completion is labelled both ways.",
        "Decide, or remove both: they cancel out.", kError, nullptr, find_conflicting_labels},
    Check{"refusals", "answers that refuse, or name another maker",
          "English openings (“I'm sorry, but I can't …”) and phrases (“As an AI language model”).",
          "Read them: those that refuse without need teach that.", kNote,
          in_texts<find_refusal, true>},
    Check{"pii_email", "e-mail addresses", "By pattern; the RFC's example domains do not count.",
          "`hone data clean --steps redact_pii`, or remove the rows.", kWarning, find_pii<0>},
    Check{
        "pii_phone", "phone numbers",
        "By pattern: with a country code, with an area code in brackets, or behind a word for it.",
        "`hone data clean --steps redact_pii`, or remove the rows.", kNote, find_pii<1>},
    Check{"pii_card", "payment card numbers",
          "13 to 19 digits that begin like a card and pass the Luhn check.",
          "`hone data clean --steps redact_pii`, or remove the rows.", kWarning, find_pii<2>},
    Check{"pii_iban", "bank accounts (IBAN)", "Country, its length, and modulo 97.",
          "`hone data clean --steps redact_pii`, or remove the rows.", kWarning, find_pii<3>},
    Check{"pii_ip", "public IP addresses",
          "IPv4 and IPv6 that are routed; private and documentation ranges and versions do not "
          "count.",
          "`hone data clean --steps redact_pii`, or remove the rows.", kNote, find_pii<4>},
    Check{"html", "HTML in texts", "Tags by name and entities, outside of code.",
          "`hone data clean --steps strip_html`.", kNote, in_texts<find_html>},
    Check{"markup_residue", "remains of Markdown or wiki markup",
          "\\n as two characters, links to nothing, images of local files, empty headings, "
          "“[edit]”, outside of code.",
          "Extract the texts again from their source.", kNote, in_texts<find_markup_residue>},
    Check{"whitespace", "stray white space",
          "An answer that begins or ends with it; carriage returns, invisible and misplaced "
          "no-break spaces, three or more blank lines, runs of spaces inside a line; code left "
          "out.",
          "`hone data clean --steps plain_whitespace`.", kNote, find_whitespace},
    Check{"control_characters", "control and replacement characters",
          "C0 and C1 controls, direction overrides, noncharacters, and U+FFFD.",
          "`hone data clean --steps strip_control`; U+FFFD stands for bytes that were lost: "
          "extract again.",
          kWarning, in_texts<find_control_characters>},
    Check{"mojibake", "texts read in the wrong encoding",
          "Characters that are UTF-8 when written as Windows-1252: “Ã©” for “é”.",
          "`hone data clean --steps repair_mojibake`.", kWarning, in_texts<find_mojibake>},
    Check{"length_bias", "chosen answers are mostly the longer ones",
          "Share of pairs in which chosen is longer; told where it is beyond 60 % (or below 40 %) "
          "and a sign test gives less than 0.01.",
          "Balance the lengths, or use a loss that normalises them (SimPO, ORPO).", kWarning,
          nullptr, find_length_bias, false},
    Check{"mixed_thousands", "thousands written in several ways",
          "Answers with 1,000, 1.000.000, 1 000 or 1'000; what could be a decimal does not count.",
          "Choose one way, unless the languages differ.", kNote, nullptr, find_mixed_thousands,
          false},
    Check{"mixed_dates", "dates written in several ways",
          "Answers with 2025-06-13, 13.06.2025, 6/13/2025, 13/6/2025, June 13, 2025 or 13 June "
          "2025; what could be of either order does not count.",
          "Choose one way, unless the task asks for several.", kNote, nullptr, find_mixed_dates,
          false},
    Check{"costly_scripts", "scripts that cost the tokenizer more than a token a character",
          "Tokens by the script of their first letter, over that script's characters; at least "
          "1,000 of them.",
          "Texts become long and slow; consider a model whose vocabulary knows the script.",
          kWarning, nullptr, find_costly_scripts, false},
};
static_assert(kChecks.size() <= 64, "RowFacts::hits has a bit for each");

}  // namespace

std::string_view name_of(Severity severity) {
  constexpr std::array<std::string_view, 3> kNames = {"error", "warning", "note"};
  return kNames.at(static_cast<std::size_t>(severity));
}

std::span<const Check> checks() { return kChecks; }

Findings find(const Check& check, const CorpusScope& scope) {
  Findings findings;
  if (check.in_corpus != nullptr) {
    findings = check.in_corpus(scope);
  } else {
    const std::uint64_t bit = std::uint64_t{1} << (&check - kChecks.data());
    for (std::size_t row = 0; row < scope.train.rows.size(); ++row)
      if (scope.alive[row] && (scope.train.rows[row].hits & bit) != 0)
        findings.marks.push_back({static_cast<std::int64_t>(row)});
  }
  if (findings.count == 0) findings.count = std::ssize(findings.marks);
  return findings;
}

std::string describe(const Mark& mark, const CorpusScope& scope) {
  if (mark.other < 0) return "";
  const Corpus& other = mark.other_is_eval ? *scope.eval : scope.train;
  const std::string place = other.place(mark.other);
  if (mark.similarity == 0) return "against " + place;
  if (mark.similarity == 1) return "same as " + place;
  return fmt::format("{:.2f} similar to {}", mark.similarity, place);
}

}  // namespace hone::datasets::audit
