// hone data prefer: what people did with answers becomes rows of preference training.

#include <algorithm>
#include <array>

#include "base/log.h"
#include "cli/data_verbs.h"
#include "cli/model_arguments.h"
#include "cli/rows.h"
#include "io/row_writer.h"

namespace hone::cli {
namespace {

using Row = nlohmann::ordered_json;

struct Arguments {
  std::string input, output;
};

/// What became of the rows.
struct Counts {
  std::int64_t read = 0, written = 0;
  std::int64_t undecided = 0;  ///< teach nothing: an edit that changed nothing, a tie, no thumb
  // Of rows that a judge saw in both orders:
  std::int64_t judged = 0;
  std::int64_t agreed = 0;       ///< it took the same answer in both
  std::int64_t first_taken = 0;  ///< verdicts for the answer that was shown first
  std::int64_t decided = 0;      ///< verdicts that are no tie
};

const Row& value_at(const Row& row, const char* key) {
  HONE_CHECK(DataError, row.contains(key) && !row[key].is_null(), "the row has no \"{}\"", key);
  return row[key];
}

Row prompt_of(const Row& row) {
  const bool is_conversation = row.contains("messages");
  const Row& prompt = value_at(row, is_conversation ? "messages" : "prompt");
  HONE_CHECK(DataError, prompt.is_string() || (prompt.is_array() && !prompt.empty()),
             "\"{}\" is {}, expected a text, or messages", is_conversation ? "messages" : "prompt",
             prompt.type_name());
  return prompt;
}

/// An answer in the form of its prompt: a text, or a list of messages.
Row answer_to(const Row& prompt, const Row& answer, const std::string& key) {
  HONE_CHECK(DataError, answer.is_string() || (prompt.is_array() && answer.is_array()),
             "\"{}\" is {}, expected {}", key, answer.type_name(),
             prompt.is_array() ? "a text, or messages" : "a text");
  HONE_CHECK(DataError, !answer.empty() && answer != "", "\"{}\" is empty", key);
  if (prompt.is_string() || answer.is_array()) return answer;
  return Row::array({{{"role", "assistant"}, {"content", answer}}});
}

Row pair_of(const Row& prompt, const Row& chosen, const Row& rejected) {
  return {{"prompt", prompt}, {"chosen", chosen}, {"rejected", rejected}};
}

/// {"original", "edited"}: the edited answer won.
std::vector<Row> rows_of_edit(const Row& row, Counts& counts) {
  const Row prompt = prompt_of(row);
  const Row original = answer_to(prompt, value_at(row, "original"), "original");
  const Row edited = answer_to(prompt, value_at(row, "edited"), "edited");
  if (original == edited) {
    ++counts.undecided;
    return {};
  }
  return {pair_of(prompt, edited, original)};
}

/// {"regenerations", "accepted"?}: the answer that was kept (the last one, where the row does not
/// say) won over each of the others.
std::vector<Row> rows_of_regenerations(const Row& row, Counts& counts) {
  const Row prompt = prompt_of(row);
  const Row& answers = value_at(row, "regenerations");
  HONE_CHECK(DataError, answers.is_array() && !answers.empty(),
             "\"regenerations\" should be a list of answers");
  const auto last = static_cast<std::int64_t>(answers.size()) - 1;
  std::int64_t accepted = last;
  if (row.contains("accepted")) {
    const Row& said = row["accepted"];
    HONE_CHECK(DataError, said.is_number_integer(), "\"accepted\" is {}, expected a number",
               said.dump());
    accepted = said.get<std::int64_t>();
    HONE_CHECK(DataError, accepted >= 0 && accepted <= last,
               "\"accepted\" is {}, expected the place of an answer, from 0 to {}", accepted, last);
  }
  const Row chosen =
      answer_to(prompt, answers[std::size_t(accepted)], fmt::format("regenerations[{}]", accepted));
  std::vector<Row> pairs;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const Row other = answer_to(prompt, answers[i], fmt::format("regenerations[{}]", i));
    if (other != chosen) pairs.push_back(pair_of(prompt, chosen, other));
  }
  if (pairs.empty()) ++counts.undecided;
  return pairs;
}

/// {"completion", "thumb"}: up is a good answer, down a bad one, null says nothing.
std::vector<Row> rows_of_thumb(const Row& row, Counts& counts) {
  const Row prompt = prompt_of(row);
  const Row completion = answer_to(prompt, value_at(row, "completion"), "completion");
  const Row& thumb = row["thumb"];
  if (thumb.is_null() || thumb == 0) {
    ++counts.undecided;
    return {};
  }
  const bool is_up = thumb == "up" || thumb == true || thumb == 1;
  HONE_CHECK(DataError, is_up || thumb == "down" || thumb == false || thumb == -1,
             "\"thumb\" is {}, expected up or down (or 1, -1, true, false; null for none)",
             thumb.dump());
  return {{{"prompt", prompt}, {"completion", completion}, {"label", is_up}}};
}

/// Which place a verdict is for: 0, 1, or none for a tie.
std::optional<std::size_t> place_taken(const Row& verdict, std::size_t index) {
  if (verdict == "tie") return std::nullopt;
  HONE_CHECK(DataError, verdict == "first" || verdict == "second",
             "verdicts[{}] is {}, expected first, second or tie", index, verdict.dump());
  return verdict == "first" ? 0 : 1;
}

/// {"answers": [a, b], "verdicts": [of a then b, of b then a]}: a judge's word counts where it
/// takes the same answer whichever is shown first.
std::vector<Row> rows_of_verdicts(const Row& row, Counts& counts) {
  const Row prompt = prompt_of(row);
  const Row &answers = value_at(row, "answers"), &verdicts = value_at(row, "verdicts");
  HONE_CHECK(DataError, answers.is_array() && answers.size() == 2,
             "\"answers\" should be a list of two answers");
  HONE_CHECK(DataError, verdicts.is_array() && verdicts.size() == 2,
             "\"verdicts\" should be a list of two: of the answers in their order, and of the "
             "answers swapped");
  const auto in_order = place_taken(verdicts[0], 0), swapped = place_taken(verdicts[1], 1);
  ++counts.judged;
  for (const auto& place : {in_order, swapped}) {
    counts.decided += place.has_value();
    counts.first_taken += place == std::optional<std::size_t>(0);
  }
  const bool agrees =
      in_order.has_value() == swapped.has_value() && (!in_order || *in_order == 1 - *swapped);
  counts.agreed += agrees;
  if (!agrees || !in_order) {
    ++counts.undecided;
    return {};
  }
  const Row chosen = answer_to(prompt, answers[*in_order], fmt::format("answers[{}]", *in_order));
  const std::size_t other = 1 - *in_order;
  return {pair_of(prompt, chosen,
                  answer_to(prompt, answers[other], fmt::format("answers[{}]", other)))};
}

/// What people, or a judge, left behind: told by a key that only it has.
struct Source {
  const char* key;
  std::vector<Row> (*rows)(const Row& row, Counts& counts);
};
constexpr std::array kSources = {
    Source{"edited", rows_of_edit}, Source{"regenerations", rows_of_regenerations},
    Source{"thumb", rows_of_thumb}, Source{"verdicts", rows_of_verdicts}};

const Source& source_of(const Row& row) {
  const auto has = [&](const Source& source) {
    return row.is_object() && row.contains(source.key);
  };
  const auto found = std::ranges::find_if(kSources, has);
  HONE_CHECK(DataError, found != kSources.end(),
             "expected `edited` (beside `original`), `regenerations`, `thumb` (beside "
             "`completion`) or `verdicts` (beside `answers`), each with `prompt` or `messages`");
  return *found;
}

Counts prefer(const Arguments& arguments, io::RowWriter& writer) {
  RowSource rows(arguments.input);
  const Source* source = nullptr;
  Counts counts;
  while (const auto row = rows.next()) {
    rows.at(*row, [&] {
      const Source& own = source_of(row->value);
      HONE_CHECK(
          DataError, source == nullptr || source == &own,
          "the row is one of `{}`, and those before are of `{}`; give each a file of its own",
          own.key, source->key);
      source = &own;
      for (const Row& made : own.rows(row->value, counts)) {
        writer.write(made);
        ++counts.written;
      }
    });
    ++counts.read;
  }
  HONE_CHECK(DataError, counts.read > 0, "{}: no rows", arguments.input);
  return counts;
}

double share(std::int64_t part, std::int64_t whole) {
  return whole > 0 ? double(part) / double(whole) : 0;
}

void report(const Counts& counts, const Arguments& arguments, const Common& common) {
  Row summary = {
      {"rows", counts.read}, {"written", counts.written}, {"undecided", counts.undecided}};
  if (counts.judged > 0)
    summary.update({{"judged", counts.judged},
                    {"agreement", share(counts.agreed, counts.judged)},
                    {"first_taken", share(counts.first_taken, counts.decided)}});
  if (common.json) return print_row(summary);
  log::info("{} rows, {} into {}; {} decide nothing and are left out", counts.read, counts.written,
            arguments.output, counts.undecided);
  if (counts.judged > 0)
    log::info(
        "the judge took the same answer in both orders in {:.1f} % of rows, and the one shown "
        "first in {:.1f} % of its decisions (50 % is without bias)",
        100 * share(counts.agreed, counts.judged), 100 * share(counts.first_taken, counts.decided));
}

ExitCode run_prefer(const Arguments& arguments, const Common& common) {
  HONE_CHECK(ConfigError, arguments.output != arguments.input,
             "--output {}: is the file that is read; name another", arguments.output);
  const auto writer = io::create_rows(arguments.output);
  const Counts counts = prefer(arguments, *writer);
  writer->commit();
  report(counts, arguments, common);
  return ExitCode::kDone;
}

}  // namespace

Action declare_data_prefer(CLI::App& command, const Common& common) {
  auto arguments = std::make_shared<Arguments>();
  command
      .add_option(
          "--input", arguments->input,
          "JSONL rows of one kind (- for stdin), each with `prompt` or `messages`: "
          "`original` and `edited`; `regenerations` and which was `accepted` (else the "
          "last); `completion` and `thumb` (up, down); or two `answers` with the `verdicts` "
          "of a judge on both orders (first, second, tie)")
      ->required();
  command
      .add_option("--output", arguments->output,
                  "File that is written: rows of the format preference, of thumbs unpaired")
      ->required();
  return [arguments, &common] { return run_prefer(*arguments, common); };
}

}  // namespace hone::cli
